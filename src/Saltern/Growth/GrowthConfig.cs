using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;
using Saltern.Models;

namespace Saltern.Growth;

/// <summary>Where the layers of a deeper model come from; l and L are the layers before and after (docs/growth.md).</summary>
public enum DepthOperator
{
    /// <summary>The whole stack again and again, 1 2 1 2: L is a multiple of l (G_stack, arXiv:2405.15319). Changes the function.</summary>
    Stack,

    /// <summary>Each layer again and again, 1 1 2 2: L is a multiple of l (arXiv:2011.13635). Changes the function.</summary>
    Interleave,

    /// <summary>The middle L − l layers twice, 1 2 3 2 3 4: L is at most 2·l (MIDAS, arXiv:2409.19044). Changes the function.</summary>
    Middle,

    /// <summary>Copies spread evenly whose projections into the residual stream are 0, so that they add nothing yet: any L (arXiv:2401.02415). Preserves the function.</summary>
    Zero,
}

/// <summary>What becomes of the optimizer's state when the model grows.</summary>
public enum OptimizerTransfer
{
    /// <summary>Zero everywhere, and the count of updates begins anew.</summary>
    Fresh,

    /// <summary>Copied with the weights, scaled as their gradients are.</summary>
    Copied,

    /// <summary>Kept where the weight was there before, zero for what is new (arXiv:2602.02472).</summary>
    Kept,
}

/// <summary>How a model becomes a larger one.</summary>
public record GrowthConfig
{
    /// <summary>Where new layers come from; without effect where the number of layers stays.</summary>
    public DepthOperator Operator { get; init; } = DepthOperator.Stack;

    /// <summary>Noise that tells the copies of a unit apart where the width grows, over the root mean square that the copied weights would have if they were fresh; the copies' noise adds up to 0, so that it
    /// does not change the function. 0 leaves copies equal, and they stay so but for what the layers above tell them.</summary>
    [Range(0.0, 10.0)]
    public double Noise { get; init; } = 0.5;
}

/// <summary>Sizes of a smaller model that differ from the section <c>model</c>; heads and feed-forward layer follow <c>hidden_size</c> in proportion where they are not given.</summary>
public sealed record GrowthModelConfig : IValidated
{
    /// <summary>l, number of blocks; null for the model's.</summary>
    [Range(1, 1_000)]
    public int? NumHiddenLayers { get; init; }

    /// <summary>Width of the residual stream, a divisor of the model's; null for the model's.</summary>
    [Range(1, 65_536)]
    public int? HiddenSize { get; init; }

    /// <summary>Query heads per block, of the model's head size; null for the model's.</summary>
    [Range(1, 1_024)]
    public int? NumAttentionHeads { get; init; }

    /// <summary>Key/value heads per block; null for the model's.</summary>
    [Range(1, 1_024)]
    public int? NumKeyValueHeads { get; init; }

    /// <summary>Width inside the feed-forward layer; null for the model's.</summary>
    [Range(1, 262_144)]
    public int? IntermediateSize { get; init; }

    /// <summary>The shape with these sizes. What follows the width (heads, feed-forward layer) follows it in proportion where it is not given.</summary>
    /// <param name="model">The resolved shape on the other side of the growth.</param>
    internal TransformerConfig Of(TransformerConfig model)
    {
        int hidden = HiddenSize ?? model.HiddenSize;
        int InProportion(int size)
        {
            long scaled = (long)size * hidden;
            return (int)(scaled % model.HiddenSize == 0 ? scaled / model.HiddenSize : size);
        }

        return model with
        {
            NumHiddenLayers = NumHiddenLayers ?? model.NumHiddenLayers,
            HiddenSize = hidden,
            NumAttentionHeads = NumAttentionHeads ?? InProportion(model.NumAttentionHeads),
            NumKeyValueHeads = NumKeyValueHeads ?? InProportion(model.NumKeyValueHeads),
            IntermediateSize = IntermediateSize ?? InProportion(model.IntermediateSize),
        };
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (this == new GrowthModelConfig())
        {
            yield return new ConfigurationProblem(
                "",
                "names no size, so nothing would grow. Give num_hidden_layers, hidden_size, num_attention_heads, "
                    + "num_key_value_heads or intermediate_size."
            );
        }
    }
}

/// <summary>A first part of a run, in which the model is smaller, and how it grows into the next one.</summary>
public sealed record GrowthStageConfig : GrowthConfig, IValidated
{
    /// <summary>Last step of the stage, as a share of the run's steps or a step; null where <c>until_flops</c> is given.</summary>
    public StepPoint? Until { get; init; }

    /// <summary>The same as a share of the run's FLOPs, a teacher's left out; null where <c>until</c> is given.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? UntilFlops { get; init; }

    /// <summary>The stage's model.</summary>
    public required GrowthModelConfig Model { get; init; }

    /// <summary>Sequences of one step of the stage; null for <c>training.batch_sequences</c>.</summary>
    [Range(1, 1_000_000)]
    public int? BatchSequences { get; init; }

    /// <summary>What becomes of the optimizer's state when the stage ends.</summary>
    public OptimizerTransfer Optimizer { get; init; }

    /// <summary>Steps after the growth over which the rate rises linearly again to what the schedule says; 0 for none.</summary>
    [Range(0, int.MaxValue)]
    public int WarmupSteps { get; init; }

    /// <summary>Whether the schedule begins anew after the growth: up to it the rate stays at its highest, after it the schedule runs over the steps that are left, with <c>warmup_steps</c>.</summary>
    public bool RestartSchedule { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Until is null == UntilFlops is null)
        {
            yield return new ConfigurationProblem(
                "until",
                "or until_flops must be given, and not both: the stage's last step (750), its share of the steps (0.5), "
                    + "or its share of the FLOPs (until_flops: 0.3)."
            );
        }
    }
}

/// <summary>The model that a run starts from.</summary>
[ShortForm("path")]
public sealed record InitFromConfig : IValidated
{
    /// <summary>A run folder (its newest good checkpoint), a checkpoint folder or a Hugging Face folder.</summary>
    [MinLength(1)]
    [NamesInput]
    public required string Path { get; init; }

    /// <summary>Step of the run's checkpoint; null for the newest.</summary>
    [Range(1, int.MaxValue)]
    [NamesInput]
    public int? Step { get; init; }

    /// <summary>How the model becomes one of the shape of the section <c>model</c>; null where it has that shape.</summary>
    public GrowthConfig? Grow { get; init; }

    /// <summary>What becomes of the optimizer's state of its run.</summary>
    public OptimizerTransfer Optimizer { get; init; }

    /// <summary>Whether the samples go on where its run stopped, so that nothing is read twice; needs the same data and seed.</summary>
    public bool ContinueData { get; init; }

    /// <summary>Tokens that a model of unknown history was trained on, for what it cost; null where its run says it, or nobody knows.</summary>
    [Range(1.0, 1e18)]
    [DoesNotAlterNumbers]
    public long? TrainedTokens { get; init; }

    /// <summary>Keys of the model's config.json that need not be understood, those inside others with dots; null for none. They are recorded with the run.</summary>
    [DoesNotAlterNumbers]
    public IReadOnlyList<string>? IgnoreKeys { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Optimizer == OptimizerTransfer.Kept && Grow is null)
        {
            yield return new ConfigurationProblem(
                "optimizer",
                "= kept tells old weights from new ones, which there are only with grow. Use 'copied'."
            );
        }
    }
}
