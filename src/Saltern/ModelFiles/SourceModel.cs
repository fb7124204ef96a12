using Saltern.Models;
using Saltern.Tokenization;

namespace Saltern.ModelFiles;

/// <summary>A model folder that is about to be converted: opened, and checked part against part.</summary>
internal sealed class SourceModel : IDisposable
{
    private SourceModel(
        ConfigReading reading,
        WeightFiles weights,
        IReadOnlyList<(StoredTensor Tensor, string Source)> tensors,
        BpeTokenizer tokenizer,
        string tokenizerPath
    ) => (Reading, Weights, Tensors, Tokenizer, TokenizerPath) = (reading, weights, tensors, tokenizer, tokenizerPath);

    /// <summary>Its shape.</summary>
    public TransformerConfig Config => Reading.Shape;

    /// <summary>Its shape, and what of its config was passed over.</summary>
    public ConfigReading Reading { get; }

    /// <summary>Its weights, read from the disk when asked for.</summary>
    public WeightFiles Weights { get; }

    /// <summary>The tensors of the model's family, and the name that each has in these files.</summary>
    public IReadOnlyList<(StoredTensor Tensor, string Source)> Tensors { get; }

    /// <summary>Its tokenizer.</summary>
    public BpeTokenizer Tokenizer { get; }

    /// <summary>The tokens at which it stops writing; the first ends a document.</summary>
    public required IReadOnlyList<int> EndTokens { get; init; }

    /// <summary>How a conversation becomes text, as Jinja; null where nothing says it.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>File that the tokenizer was read from.</summary>
    public string TokenizerPath { get; }

    /// <summary>Opens a folder; the caller disposes of the result.</summary>
    /// <param name="folder">Folder with <c>config.json</c>, weights and tokenizer.</param>
    /// <param name="ignoredKeys">Keys of its config that need not be understood; null for none.</param>
    /// <exception cref="DataFormatException">Something in the folder is missing, damaged, unknown or left over; the message names it.</exception>
    public static SourceModel Open(string folder, IReadOnlyCollection<string>? ignoredKeys = null)
    {
        ConfigReading reading = ModelFolder.ReadConfig(folder, ignoredKeys ?? []);
        TransformerConfig config = reading.Shape;
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

            return new SourceModel(reading, weights, tensors, tokenizer, tokenizerPath)
            {
                EndTokens = ModelFiles.EndTokens.Of(folder, tokenizer),
                ChatTemplate = ChatTemplateFile.Read(folder),
            };
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
