using Saltern.Checkpoints;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Tokenization;

namespace Saltern.Samples;

/// <summary>A trained model, or one in Hugging Face's form, continues a text.</summary>
internal static class LoadAndGenerate
{
    public static void Run(string folder)
    {
        string checkpoint = ModelLocation.Resolve($"{folder}/salt"); // the newest whole one of a run
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(checkpoint));
        using Transformer model = ModelFolder.Load(checkpoint, trainable: false);

        const string Prompt = "12 plus 30 is";
        IEnumerable<int> added = TextGenerator.Generate(
            model,
            tokenizer.Encode(Prompt),
            tokenizer.EndOfTextId,
            tokenizer.VocabularySize,
            new SamplingOptions { MaxTokens = 16, Temperature = 0 }
        );
        Console.WriteLine($"generated: {Prompt}{tokenizer.Decode([.. added])}");
    }
}
