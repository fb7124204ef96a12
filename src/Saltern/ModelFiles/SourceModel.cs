using Saltern.Models;
using Saltern.Tokenization;

namespace Saltern.ModelFiles;

/// <summary>A model folder that is about to be converted: opened, and checked part against part.</summary>
internal sealed class SourceModel : IDisposable
{
    private SourceModel(
        TransformerConfig config,
        WeightFiles weights,
        IReadOnlyList<(StoredTensor Tensor, string Source)> tensors,
        BpeTokenizer tokenizer,
        string tokenizerPath
    ) => (Config, Weights, Tensors, Tokenizer, TokenizerPath) = (config, weights, tensors, tokenizer, tokenizerPath);

    /// <summary>Its shape.</summary>
    public TransformerConfig Config { get; }

    /// <summary>Its weights, read from the disk when asked for.</summary>
    public WeightFiles Weights { get; }

    /// <summary>The tensors of the model's family, and the name that each has in these files.</summary>
    public IReadOnlyList<(StoredTensor Tensor, string Source)> Tensors { get; }

    /// <summary>Its tokenizer.</summary>
    public BpeTokenizer Tokenizer { get; }

    /// <summary>File that the tokenizer was read from.</summary>
    public string TokenizerPath { get; }

    /// <summary>Opens a folder; the caller disposes of the result.</summary>
    /// <exception cref="DataFormatException">Something in the folder is missing, damaged, unknown or left over; the message names it.</exception>
    public static SourceModel Open(string folder)
    {
        TransformerConfig config = ModelFolder.LoadConfig(folder);
        WeightFiles weights = WeightFiles.Open(folder);
        try
        {
            string tokenizerPath = ModelFolder.TokenizerPath(folder);
            IReadOnlyList<(StoredTensor, string)> tensors =
            [
                .. StoredWeights
                    .Of(config)
                    .Zip(WeightMatch.Check(weights, config), (tensor, found) => (tensor, found.Name)),
            ];
            BpeTokenizer tokenizer = BpeTokenizer.Load(tokenizerPath);
            if (tokenizer.VocabularySize > config.VocabSize)
            {
                throw new DataFormatException(
                    $"{folder}: the tokenizer has {tokenizer.VocabularySize} ids, but vocab_size = {config.VocabSize}. "
                        + "They do not belong together."
                );
            }

            return new SourceModel(config, weights, tensors, tokenizer, tokenizerPath);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Closes the weight files.</summary>
    public void Dispose() => Weights.Dispose();
}
