using Saltern.Checkpoints;
using Saltern.Files;
using Saltern.Growth;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Runs;

/// <summary>What became of a model on disk.</summary>
/// <param name="Small">Shape before.</param>
/// <param name="Large">Shape after.</param>
/// <param name="PreservesFunction">Whether the operator promises the same function.</param>
/// <param name="Difference">Largest difference of a logit on the probe, over the small model's logits' root mean square.</param>
/// <param name="HiddenBefore">Root mean square of the residual stream before the last layer on the probe.</param>
/// <param name="HiddenAfter">The same of the large model.</param>
/// <param name="History">What was written into <c>lineage.json</c>.</param>
internal sealed record GrowResult(
    TransformerConfig Small,
    TransformerConfig Large,
    bool PreservesFunction,
    double Difference,
    double HiddenBefore,
    double HiddenAfter,
    IReadOnlyList<RunAncestor> History
)
{
    /// <summary>What of the small model's config was passed over; null for nothing worth a word.</summary>
    public string? Remark { get; init; }
}

/// <summary>A growth on disk: a model folder out of another.</summary>
internal sealed record GrowRequest
{
    /// <summary>Tokens on which both models are compared.</summary>
    public const int ProbeTokens = 64;

    /// <summary>The small model, and the operator.</summary>
    public required InitFromConfig From { get; init; }

    /// <summary>Sizes of the large model that differ from the small one's.</summary>
    public required GrowthModelConfig Sizes { get; init; }

    /// <summary>Folder to create; it appears whole or not at all.</summary>
    public required string Target { get; init; }

    /// <summary>Of the noise.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Grows, compares and writes.</summary>
    /// <exception cref="ConfigurationException">The shapes cannot grow into each other, nothing would grow, or there is something at the target.</exception>
    public static GrowResult Run(GrowRequest request)
    {
        if (Path.Exists(request.Target))
        {
            throw new ConfigurationException(
                $"--out {request.Target}: there is something already. Name a folder that does not exist."
            );
        }

        GrowthConfig grow = request.From.Grow ?? new GrowthConfig();
        string folder = InitialModel.Folder(request.From);
        ConfigReading reading = ModelFolder.ReadConfig(folder, request.From.IgnoreKeys);
        TransformerConfig shape = reading.Shape;
        TransformerConfig wanted = request.Sizes.Of(shape);
        string[] problems =
        [
            .. ((Configuration.IValidated)wanted).Validate().Select(problem => $"{problem.Key} {problem.Message}"),
        ];
        if (problems.Length > 0)
        {
            throw new ConfigurationException(problems);
        }

        GrowthMap map = GrowthMap.Of(shape, wanted, grow.Operator, request.From.Path);
        if (map.KeepsAll)
        {
            throw new ConfigurationException(
                "Nothing would grow. Give --layers, --hidden-size, --heads, --key-value-heads or --intermediate-size, "
                    + "larger than the model's."
            );
        }

        using Transformer small = ModelFolder.Load(folder, shape, trainable: false, progress: null);
        using var large = new Transformer(wanted, trainable: false);
        ModelGrowth.Fill(small, large, map, grow.Noise, ModelGrowth.NoiseSeed(request.Seed, 1));
        (double difference, double before, double after) = Compare(small, large);
        IReadOnlyList<RunAncestor> history = InitialModel.Find(request.From)!.History(wanted);
        DurableFolder.WriteNew(
            request.Target,
            temporary =>
            {
                ModelFolder.Save(temporary, large);
                WholeFile.WriteText(
                    Path.Combine(temporary, ModelFolder.TokenizerFile),
                    File.ReadAllText(ModelFolder.TokenizerPath(folder))
                );
                BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(folder));
                IReadOnlyList<int> ends = EndTokens.Of(folder, tokenizer);
                EndTokens.Write(temporary, EndTokens.NeedFile(ends, tokenizer) ? ends : null);
                ChatTemplateFile.Write(temporary, ChatTemplateFile.Read(folder));
                history = Lineage.InNewWeights(history, temporary);
                Lineage.Write(temporary, history);
            }
        );
        return new GrowResult(small.Config, wanted, map.PreservesFunction, difference, before, after, history)
        {
            Remark = reading.Remark,
        };
    }

    private static (double Difference, double Before, double After) Compare(Transformer small, Transformer large)
    {
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        using var generator = new Generator(1, CPU);
        int length = Math.Min(ProbeTokens, small.Config.MaxPositionEmbeddings);
        Tensor tokens = randint(0, small.Config.VocabSize, [1, length], ScalarType.Int64, CPU, generator: generator);
        Tensor logits = small.LogitsOf(small.HiddenStates(tokens));
        Tensor difference = large.LogitsOf(large.HiddenStates(tokens)).sub(logits).abs().max();
        return (
            difference.div(RootMeanSquare(logits)).ToDouble(),
            RootMeanSquare(Residual(small, tokens)).ToDouble(),
            RootMeanSquare(Residual(large, tokens)).ToDouble()
        );
    }

    // After all layers but the last: the last norm would hide its size. Of one layer what goes into it.
    private static Tensor Residual(Transformer model, Tensor tokens)
    {
        if (model.Config.NumHiddenLayers > 1)
        {
            return model.HiddenStatesAfter(model.Config.NumHiddenLayers - 1, tokens);
        }

        return model.Parameters[model.Embedding].index_select(0, tokens.flatten());
    }

    private static Tensor RootMeanSquare(Tensor values) => values.square().mean().sqrt();
}
