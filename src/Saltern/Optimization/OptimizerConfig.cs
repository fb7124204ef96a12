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

/// <summary>Polynomials that make a matrix orthogonal; five steps each, products alone.</summary>
public enum OrthogonalizationKind
{
    /// <summary>One quintic polynomial five times (Keller Jordan 2024): singular values end between 0.68 and 1.21. Always in float32.</summary>
    Quintic,

    /// <summary>A polynomial of its own for each step, the best there is for values from 0.001 to 1 (Polar Express, arXiv:2505.16932), with that paper's safety factor 1.01. In the type of the run's products.</summary>
    PolarExpress,
}

/// <summary>What evens out the parts of an orthogonal update.</summary>
public enum UpdateNormalization
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Each row, the weights of one output neuron, by the root of its second moment (NorMuon, arXiv:2510.05491).</summary>
    Neurons,

    /// <summary>Rows of a matrix that has at least as many rows as columns, columns of another: the parts whose norms orthogonality leaves open, as in nanochat and modded-nanogpt.</summary>
    LongSide,
}

/// <summary>How the learning rate of an orthogonal update follows the matrix's shape; the words are those of <c>torch.optim.Muon</c>.</summary>
public enum RateAdjustment
{
    /// <summary>0.2·√max(rows, columns): a root mean square of 0.2, AdamW's own, so one rate serves both parts (arXiv:2502.16982).</summary>
    MatchRmsAdamw,

    /// <summary>√max(1, rows/columns): a spectral norm of about that, whatever the width (Keller Jordan 2024); such rates are about 0.02, ten times AdamW's.</summary>
    Original,
}

/// <summary>How an optimizer keeps what it remembers between updates.</summary>
public enum OptimizerStateType
{
    /// <summary>float32: 4 bytes a number.</summary>
    [RecipeKey("float32")]
    Full,

    /// <summary>bfloat16, rounded stochastically: 2 bytes.</summary>
    Bf16,

    /// <summary>A byte each, and a float32 scale for each window of 256 neighbours: 1.016 bytes (arXiv:2110.02861), rounded stochastically.</summary>
    [RecipeKey("8bit")]
    EightBit,
}

/// <summary>How a student's weights are kept while it is trained.</summary>
public enum OptimizerWeightType
{
    /// <summary>float32: 4 bytes a weight.</summary>
    [RecipeKey("float32")]
    Full,

    /// <summary>bfloat16 and 8 more bits of mantissa, rounded stochastically: 3 bytes.</summary>
    Split24,

    /// <summary>bfloat16, rounded stochastically: 2 bytes.</summary>
    Bf16,
}

/// <summary>How long gradients live.</summary>
public enum OptimizerGradients
{
    /// <summary>All of them, until the update.</summary>
    Kept,

    /// <summary>A layer's are used for its update, and given back, as soon as the backward pass has made them.</summary>
    Released,
}

/// <summary>How weight decay runs over the steps, beside its factor of the learning rate.</summary>
public enum WeightDecaySchedule
{
    /// <summary>δ at every step.</summary>
    Constant,

    /// <summary>δ times the learning rate's share of its highest: warms up and falls with it.</summary>
    Rate,

    /// <summary>Falls linearly from δ at the first step to 0 behind the last one.</summary>
    Linear,
}

/// <summary>What one group of AdamW's weights has of its own; null takes what the others have.</summary>
public sealed record WeightGroupConfig : IValidated
{
    /// <summary>Highest learning rate.</summary>
    [Range(1e-12, 10.0)]
    public double? LearningRate { get; init; }

    /// <summary>Decay of the first and second moment, each in [0, 1).</summary>
    public IReadOnlyList<double>? Betas { get; init; }

    /// <summary>Decoupled weight decay.</summary>
    [Range(0.0, 10.0)]
    public double? WeightDecay { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Betas is not null && OptimizerConfig.BetasProblem(Betas) is ConfigurationProblem problem)
        {
            yield return problem;
        }

        if (LearningRate is null && Betas is null && WeightDecay is null)
        {
            yield return new ConfigurationProblem(
                "",
                "names nothing. Give learning_rate, betas or weight_decay, or remove the section."
            );
        }
    }
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

    /// <summary><c>muon</c>: polynomials that make the momentum orthogonal; null means <c>quintic</c>.</summary>
    public OrthogonalizationKind? Orthogonalization { get; init; }

    /// <summary><c>muon</c>: what evens out the parts of the orthogonal update, at its norm; null means <c>none</c>.</summary>
    public UpdateNormalization? Normalization { get; init; }

    /// <summary><c>muon</c> with <c>normalization</c>: β, decay of the second moment of each part, in [0, 1); null means 0.95.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double? NormalizationBeta { get; init; }

    /// <summary><c>muon</c>: how the learning rate follows the matrix's shape; null means <c>match_rms_adamw</c>.</summary>
    public RateAdjustment? RateAdjustment { get; init; }

    /// <summary><c>adamw</c>, <c>muon</c>: whether only weights decay that the update makes smaller too (arXiv:2510.12402).</summary>
    public bool CautiousWeightDecay { get; init; }

    /// <summary>How weight decay runs over the steps, beside its factor of the learning rate.</summary>
    public WeightDecaySchedule WeightDecaySchedule { get; init; }

    /// <summary>Width for which <see cref="WeightDecay"/> holds: a model of <c>hidden_size</c> D decays at (base/D)² of it; null for the same at every width.</summary>
    [Range(1, 65_536)]
    public int? WeightDecayBaseWidth { get; init; }

    /// <summary><c>adamw</c>, <c>muon</c>: what the token embedding has of its own; of tied embeddings the head is the same matrix.</summary>
    public WeightGroupConfig? Embedding { get; init; }

    /// <summary><c>adamw</c>, <c>muon</c>: what an untied output head has of its own.</summary>
    public WeightGroupConfig? Head { get; init; }

    /// <summary><c>adafactor</c>: β₁, decay of a first moment of the update, in (0, 1); null keeps none, which saves 4 bytes per parameter.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Beta1 { get; init; }

    /// <summary><c>adafactor</c>: whether the learning rate is relative to each weight's root mean square (at least 0.001), as in the paper; null means false, so that it is what it is for the other kinds.</summary>
    public bool? ScaleParameter { get; init; }

    /// <summary>Largest L2 norm of the whole gradient; longer ones are scaled down to it; 0 never clips.</summary>
    [Range(0.0, 1e9)]
    public double MaxGradientNorm { get; init; } = 1.0;

    /// <summary><c>adamw</c>, <c>muon</c>: whether each of R ranks keeps and updates only about an R-th of the state (ZeRO stage 1); Muon's matrices go whole to one rank each. For float32 weights on the CPU. Changes memory and, with several ranks, the last bits; alone it changes nothing.</summary>
    [DoesNotAlterNumbers]
    public bool ShardState { get; init; }

    /// <summary>With <c>shard_state</c>: whether each rank also keeps only its share of the gradients (ZeRO stage 2): a layer's are summed inside the backward pass, and what others own is given back. For own kernels on the CPU. The exchange is made once for each micro-batch.</summary>
    [DoesNotAlterNumbers]
    public bool ShardGradients { get; init; }

    /// <summary><c>adamw</c>, <c>muon</c>: how moments of matrices are kept between updates; those of vectors are float32 in any case. For float32 weights on the CPU.</summary>
    public OptimizerStateType State { get; init; }

    /// <summary><c>adamw</c>, <c>muon</c> with <c>precision: bf16</c>: how matrices are kept while they are trained; vectors are float32 in any case. Checkpoints hold the same numbers as float32. For own kernels on the CPU.</summary>
    public OptimizerWeightType Weights { get; init; }

    /// <summary><c>adamw</c>, <c>muon</c>: whether each layer is updated inside the backward pass and its gradients given back. Needs a whole batch in one pass, one process, own kernels, and <c>max_gradient_norm: 0</c>, as the whole gradient's norm is known too late.</summary>
    public OptimizerGradients Gradients { get; init; }

    /// <summary>A kind's word in a recipe.</summary>
    internal static string Name(OptimizerKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>This section for a model of a width: with the weight decay that it then has.</summary>
    /// <param name="hiddenSize">D.</param>
    internal OptimizerConfig ForWidth(int hiddenSize)
    {
        if (WeightDecayBaseWidth is not int width)
        {
            return this;
        }

        double share = (double)width / hiddenSize;
        double factor = share * share;
        WeightGroupConfig? Scaled(WeightGroupConfig? group) =>
            group is { WeightDecay: double own } ? group with { WeightDecay = own * factor } : group;
        return this with
        {
            WeightDecay = WeightDecay * factor,
            WeightDecayBaseWidth = null,
            Embedding = Scaled(Embedding),
            Head = Scaled(Head),
        };
    }

    /// <summary>What is wrong with two betas; null where nothing is.</summary>
    internal static ConfigurationProblem? BetasProblem(IReadOnlyList<double> betas)
    {
        if (betas.Count == 2 && betas.All(beta => beta is >= 0 and < 1))
        {
            return null;
        }

        return new ConfigurationProblem(
            "betas",
            $"= [{string.Join(", ", betas)}] must be two numbers in [0, 1), e.g. [0.9, 0.95]."
        );
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (BetasProblem(Betas) is ConfigurationProblem betas)
        {
            yield return betas;
        }

        var defaults = new OptimizerConfig();
        bool muon = Kind == OptimizerKind.Muon;
        bool adafactor = Kind == OptimizerKind.Adafactor;
        const string OfMuon = "'kind: muon'";
        const string OfAdafactor = "'kind: adafactor'";
        const string OfBoth = "'kind: adamw' and 'kind: muon'";
        (string Key, bool Ignored, string Users)[] keys =
        [
            ("adamw_learning_rate", AdamwLearningRate is not null && !muon, OfMuon),
            ("momentum", Momentum is not null && !muon, OfMuon),
            ("orthogonalization", Orthogonalization is not null && !muon, OfMuon),
            ("normalization", Normalization is not null && !muon, OfMuon),
            ("normalization_beta", NormalizationBeta is not null && !muon, OfMuon),
            ("rate_adjustment", RateAdjustment is not null && !muon, OfMuon),
            ("beta1", Beta1 is not null && !adafactor, OfAdafactor),
            ("scale_parameter", ScaleParameter is not null && !adafactor, OfAdafactor),
            ("betas", !Betas.SequenceEqual(defaults.Betas) && adafactor, OfBoth),
            ("epsilon", Epsilon != defaults.Epsilon && adafactor, OfBoth),
            ("cautious_weight_decay", CautiousWeightDecay && adafactor, OfBoth),
            ("embedding", Embedding is not null && adafactor, OfBoth),
            ("head", Head is not null && adafactor, OfBoth),
            ("state", State != OptimizerStateType.Full && adafactor, OfBoth + ", which have state worth packing,"),
            ("weights", Weights != OptimizerWeightType.Full && adafactor, OfBoth),
            ("gradients", Gradients != OptimizerGradients.Kept && adafactor, OfBoth),
            ("shard_state", ShardState && adafactor, OfBoth + ", which have state worth sharing out,"),
        ];
        foreach ((string key, _, string users) in keys.Where(key => key.Ignored))
        {
            yield return new ConfigurationProblem(key, $"is used by {users} only, not by '{Name(Kind)}'. Remove it.");
        }

        if (Gradients == OptimizerGradients.Released && MaxGradientNorm > 0)
        {
            yield return new ConfigurationProblem(
                "gradients",
                $"= released updates each layer before the whole gradient's norm is known, so nothing can be clipped: "
                    + $"it needs 'max_gradient_norm: 0', not {MaxGradientNorm}."
            );
        }

        if (ShardGradients && !ShardState)
        {
            yield return new ConfigurationProblem(
                "shard_gradients",
                "shares gradients out as shard_state shares out the state, and needs it. Set 'shard_state: true', or remove it."
            );
        }

        if (Gradients == OptimizerGradients.Released && ShardState)
        {
            yield return new ConfigurationProblem(
                "gradients",
                "= released is for one process, without shard_state. Remove one of them."
            );
        }

        if (muon && NormalizationBeta is not null && (Normalization is null or UpdateNormalization.None))
        {
            yield return new ConfigurationProblem(
                "normalization_beta",
                "is used with 'normalization: neurons' or 'long_side' only. Name one, or remove it."
            );
        }

        bool decays = WeightDecay > 0 || Embedding is { WeightDecay: > 0 } || Head is { WeightDecay: > 0 };
        (string Key, bool Named)[] ofDecay =
        [
            ("cautious_weight_decay", CautiousWeightDecay),
            ("weight_decay_schedule", WeightDecaySchedule != WeightDecaySchedule.Constant),
            ("weight_decay_base_width", WeightDecayBaseWidth is not null),
        ];
        foreach ((string key, _) in ofDecay.Where(key => key.Named && !decays))
        {
            yield return new ConfigurationProblem(key, "changes nothing with weight_decay = 0. Remove it.");
        }
    }
}
