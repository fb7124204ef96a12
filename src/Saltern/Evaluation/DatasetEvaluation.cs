using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Distributed;
using Saltern.Losses;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Shards;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Evaluation;

/// <summary>A model measured on the text of a data set, as <c>saltern eval</c> does.</summary>
public sealed class DatasetEvaluation : IDisposable
{
    private readonly Transformer _model;
    private readonly BpeTokenizer _tokenizer;
    private readonly LossHead _head;
    private readonly TokenDataset _data;
    private readonly int _sequenceLength;

    private DatasetEvaluation(
        Transformer model,
        ConfigReading reading,
        BpeTokenizer tokenizer,
        TokenDataset data,
        int sequenceLength
    )
    {
        Reading = reading;
        (_model, _tokenizer, _data, _sequenceLength) = (model, tokenizer, data, sequenceLength);
        (int vocabulary, int rows) = (tokenizer.VocabularySize, model.Config.VocabSize);
        _head =
            model.Parameters.Device.type == DeviceType.CPU
                ? new FusedLossHead(vocabulary, rows, torch.get_num_threads(), model.ProductType)
                : new TensorLossHead(vocabulary, rows, model.ProductType, onDevice: true);
    }

    /// <summary>Loss, bits per byte and accuracy on the validation text, over all of it and by domain.</summary>
    /// <param name="model">Run folder, checkpoint folder or Hugging Face folder.</param>
    /// <param name="data">A data set that was made with the model's tokenizer.</param>
    /// <param name="sequenceLength">Tokens of a window, from 1 to the positions that the model knows.</param>
    /// <param name="tokens">About how many tokens, every domain in its share; all there is where there is less.</param>
    /// <exception cref="ConfigurationException">Model and data set have different tokenizers, or the model knows fewer positions.</exception>
    /// <exception cref="DataFormatException">The folder is no model's or damaged, or the data set has no validation text.</exception>
    public static FinalScores Run(string model, TokenDataset data, int sequenceLength, int tokens = 262_144)
    {
        using DatasetEvaluation evaluation = Open(model, data, sequenceLength);
        return evaluation.ScoresOf(evaluation.Measure(evaluation.Windows(train: false, tokens)));
    }

    /// <summary>Loads a model and checks that it can be measured on a data set.</summary>
    /// <param name="loading">Is told of the loading; null for nobody.</param>
    /// <param name="products">Type of the model's products.</param>
    /// <param name="ignoredKeys">Keys of its config that need not be understood; null for none.</param>
    /// <param name="device">Where to compute; the CPU by default.</param>
    /// <exception cref="ConfigurationException">They do not fit.</exception>
    internal static DatasetEvaluation Open(
        string name,
        TokenDataset data,
        int sequenceLength,
        IProgress<WeightProgress>? loading = null,
        torch.ScalarType products = torch.ScalarType.Float32,
        IReadOnlyCollection<string>? ignoredKeys = null,
        torch.Device? device = null
    )
    {
        string folder = ModelLocation.Resolve(name);
        ConfigReading reading = ModelFolder.ReadConfig(folder, ignoredKeys);
        Transformer model = ModelFolder.Load(folder, reading.Shape, trainable: false, loading, device);
        try
        {
            model.ProductType = products;
            BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(folder));
            Check(name, model.Config, tokenizer, data, sequenceLength);
            return new DatasetEvaluation(model, reading, tokenizer, data, sequenceLength);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>What of the model's config was passed over.</summary>
    internal ConfigReading Reading { get; }

    /// <summary>Whole documents of one split, the same windows for every model.</summary>
    /// <param name="train">Training text instead of validation text.</param>
    internal ValidationSet Windows(bool train, long tokens) =>
        ValidationSet.Create(
            [.. _data.Domains.Select(domain => train ? domain.Train : domain.Valid)],
            _sequenceLength,
            tokens,
            wholeDocuments: true,
            _tokenizer.EndOfTextId
        );

    /// <summary>Runs the model over windows.</summary>
    /// <param name="ranks">Ranks that share them out; null for one process.</param>
    internal EvaluationResult Measure(ValidationSet set, ICommunicator? ranks = null) =>
        ModelEvaluation.Run(_model, _head, set, ModelEvaluation.TokenBytes(_tokenizer), _data.Domains.Count, ranks);

    /// <summary>An evaluation in the form that files keep.</summary>
    internal FinalScores ScoresOf(EvaluationResult result) =>
        RunScores.Of(result, [.. _data.Domains.Select(domain => domain.Name)]);

    /// <inheritdoc/>
    public void Dispose()
    {
        _head.Dispose();
        _model.Dispose();
    }

    private static void Check(
        string name,
        TransformerConfig shape,
        BpeTokenizer tokenizer,
        TokenDataset data,
        int sequenceLength
    )
    {
        if (tokenizer.Fingerprint != data.Manifest.TokenizerFingerprint)
        {
            throw new ConfigurationException(
                $"{name} has the tokenizer {tokenizer.Fingerprint}, "
                    + $"the data set {data.Folder} was made with {data.Manifest.TokenizerFingerprint}. "
                    + "Prepare the text again with the model's tokenizer."
            );
        }

        if (
            shape.VocabSize < tokenizer.VocabularySize
            || sequenceLength < 1
            || sequenceLength > shape.MaxPositionEmbeddings
        )
        {
            throw new ConfigurationException(
                $"{name} has {shape.VocabSize} rows for {tokenizer.VocabularySize} token ids and "
                    + $"knows {shape.MaxPositionEmbeddings} positions; "
                    + $"windows of {sequenceLength} tokens were asked for. "
                    + "Give another --sequence-length, or a model that fits its tokenizer."
            );
        }
    }
}
