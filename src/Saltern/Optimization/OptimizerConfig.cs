using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Optimization;

/// <summary>Update rules there are.</summary>
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay (arXiv:1711.05101).</summary>
    Adamw,

    /// <summary>Orthogonalised momentum for the matrices inside the layers, AdamW for the rest (Keller Jordan 2024, arXiv:2502.16982).</summary>
    Muon,

    /// <summary>Second moments by row and column, almost no state (arXiv:1804.04235).</summary>
    Adafactor,
}

/// <summary>How a gradient becomes a change of the weights.</summary>
public sealed record OptimizerConfig : IValidated
{
    /// <summary>Update rule.</summary>
    public OptimizerKind Kind { get; init; } = OptimizerKind.Adamw;

    /// <summary>η, highest learning rate; the schedule scales it.</summary>
    [Range(1e-12, 10.0)]
    public double LearningRate { get; init; } = 1e-3;

    /// <summary><c>muon</c>: highest learning rate of the weights that AdamW updates (embedding, output head, norms, biases); null means <see cref="LearningRate"/>.</summary>
    [Range(1e-12, 10.0)]
    public double? AdamwLearningRate { get; init; }

    /// <summary>Decoupled weight decay, applied to matrices only, scaled by the learning rate.</summary>
    [Range(0.0, 10.0)]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Decay of the first and second moment, each in [0, 1); <c>adamw</c>, and <c>muon</c>'s AdamW part.</summary>
    public IReadOnlyList<double> Betas { get; init; } = [0.9, 0.95];

    /// <summary>ε added to the root of the second moment; <c>adamw</c>, and <c>muon</c>'s AdamW part.</summary>
    [Range(0.0, 1.0)]
    public double Epsilon { get; init; } = 1e-8;

    /// <summary><c>muon</c>: μ, decay of the momentum, in [0, 1); null means 0.95.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? Momentum { get; init; }

    /// <summary><c>adafactor</c>: β₁, decay of a first moment of the update, in (0, 1); null keeps none, which saves 4 bytes per parameter.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Beta1 { get; init; }

    /// <summary><c>adafactor</c>: whether the learning rate is relative to each weight's root mean square (at least 0.001), as in the paper; null means false, so that it is what it is for the other kinds.</summary>
    public bool? ScaleParameter { get; init; }

    /// <summary>Largest L2 norm of the whole gradient; longer ones are scaled down to it; 0 never clips.</summary>
    [Range(0.0, 1e9)]
    public double MaxGradientNorm { get; init; } = 1.0;

    /// <summary><c>adamw</c>: whether each of R ranks keeps and updates only its R-th of the state (ZeRO stage 1), 8/R bytes per parameter instead of 8. For float32 weights on the CPU. Changes memory and, with several ranks, the last bits; alone it changes nothing.</summary>
    [DoesNotAlterNumbers]
    public bool ShardState { get; init; }

    /// <summary>A kind's word in a recipe.</summary>
    internal static string Name(OptimizerKind kind) => kind.ToString().ToLowerInvariant();

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Betas.Count != 2 || Betas.Any(beta => beta is < 0 or >= 1))
        {
            yield return new ConfigurationProblem(
                "betas",
                $"= [{string.Join(", ", Betas)}] must be two numbers in [0, 1), e.g. [0.9, 0.95]."
            );
        }

        var defaults = new OptimizerConfig();
        bool muon = Kind == OptimizerKind.Muon;
        bool adafactor = Kind == OptimizerKind.Adafactor;
        (string Key, bool Ignored, string Users)[] keys =
        [
            ("adamw_learning_rate", AdamwLearningRate is not null && !muon, "'kind: muon'"),
            ("momentum", Momentum is not null && !muon, "'kind: muon'"),
            ("beta1", Beta1 is not null && !adafactor, "'kind: adafactor'"),
            ("scale_parameter", ScaleParameter is not null && !adafactor, "'kind: adafactor'"),
            ("betas", !Betas.SequenceEqual(defaults.Betas) && adafactor, "'kind: adamw' and 'kind: muon'"),
            (
                "shard_state",
                ShardState && Kind != OptimizerKind.Adamw,
                "'kind: adamw', which updates single elements; muon and adafactor need whole matrices"
            ),
            ("epsilon", Epsilon != defaults.Epsilon && adafactor, "'kind: adamw' and 'kind: muon'"),
        ];
        foreach ((string key, _, string users) in keys.Where(key => key.Ignored))
        {
            yield return new ConfigurationProblem(key, $"is used by {users} only, not by '{Name(Kind)}'. Remove it.");
        }
    }
}
