using Saltern.Distributed;
using Saltern.Losses;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Evaluation;

/// <summary>A model made ready for tasks: weights, tokenizer and loss head.</summary>
internal sealed class TaskModel : IDisposable
{
    private readonly LossHead _head;
    private readonly bool _ownsModel;

    /// <summary>Makes a model ready.</summary>
    /// <param name="name">What results call it.</param>
    /// <param name="window">Most tokens that it reads at once.</param>
    /// <param name="ownsModel">Whether the model is disposed of with this; false for one that is being trained.</param>
    /// <param name="ranks">Ranks that each have the model and share the work out; owned by the caller, null for one process.</param>
    /// <exception cref="ConfigurationException">Model, tokenizer and window do not belong together.</exception>
    public TaskModel(
        string name,
        Transformer model,
        BpeTokenizer tokenizer,
        int window,
        bool ownsModel = true,
        ICommunicator? ranks = null
    )
    {
        if (
            model.Config.VocabSize < tokenizer.VocabularySize
            || window < 2
            || window > model.Config.MaxPositionEmbeddings
        )
        {
            throw new ConfigurationException(
                $"{name} has {model.Config.VocabSize} rows for {tokenizer.VocabularySize} token ids and knows "
                    + $"{model.Config.MaxPositionEmbeddings} positions; windows of {window} tokens were asked for. "
                    + "Give another --sequence-length, or a model that fits its tokenizer."
            );
        }

        (Name, Model, Tokenizer, Window, _ownsModel, Ranks) = (
            name,
            model,
            tokenizer,
            window,
            ownsModel,
            ranks ?? new SingleProcess()
        );
        Encoder = new RequestEncoder(tokenizer, window);
        _head = model.UsesKernels
            ? new FusedLossHead(
                tokenizer.VocabularySize,
                model.Config.VocabSize,
                torch.get_num_threads(),
                model.ProductType
            )
            : new TensorLossHead(tokenizer.VocabularySize, model.Config.VocabSize, model.ProductType);
    }

    /// <summary>What results call it.</summary>
    public string Name { get; }

    /// <summary>The decoder.</summary>
    public Transformer Model { get; }

    /// <summary>Its tokenizer.</summary>
    public BpeTokenizer Tokenizer { get; }

    /// <summary>Most tokens that it reads at once.</summary>
    public int Window { get; }

    /// <summary>Ranks that share the work on this model out; all of them get every result.</summary>
    public ICommunicator Ranks { get; }

    /// <summary>Ids at which it stops writing; the tokenizer's end of text where nothing names more.</summary>
    public IReadOnlyList<int> EndTokens { get; private init; } = [];

    /// <summary>What of its config was passed over; null where it was not read here.</summary>
    public ConfigReading? Reading { get; private init; }

    /// <summary>Texts to requests.</summary>
    public RequestEncoder Encoder { get; }

    /// <summary>Reads a model folder.</summary>
    /// <param name="name">What results call it.</param>
    /// <param name="folder">Folder with config.json, weights and tokenizer.json.</param>
    /// <param name="window">Most tokens at once.</param>
    /// <param name="progress">Is told of the loading; null for nobody.</param>
    /// <param name="ranks">Ranks that each load the model and share the work out; null for one process.</param>
    /// <param name="products">Type of its products; float32 by default.</param>
    /// <param name="ignoredKeys">Keys of its config that need not be understood; null for none.</param>
    /// <param name="device">Where to compute; the CPU by default.</param>
    public static TaskModel Load(
        string name,
        string folder,
        int window,
        IProgress<WeightProgress>? progress = null,
        ICommunicator? ranks = null,
        torch.ScalarType products = torch.ScalarType.Float32,
        IReadOnlyCollection<string>? ignoredKeys = null,
        torch.Device? device = null
    )
    {
        ConfigReading reading = ModelFolder.ReadConfig(folder, ignoredKeys);
        Transformer model = ModelFolder.Load(folder, reading.Shape, trainable: false, progress, device);
        model.ProductType = products;
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(folder));
        return new(name, model, tokenizer, window, ranks: ranks)
        {
            EndTokens = ModelFiles.EndTokens.Of(folder, tokenizer),
            Reading = reading,
        };
    }

    /// <summary>Scores requests; see <see cref="RequestScorer"/>.</summary>
    public RequestScore[] Score(
        IReadOnlyList<ScoreRequest> requests,
        Action<int>? progress = null,
        CancellationToken cancellation = default
    ) => RequestScorer.Score(Model, _head, requests, progress, Ranks, cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        _head.Dispose();
        if (_ownsModel)
        {
            Model.Dispose();
        }
    }
}
