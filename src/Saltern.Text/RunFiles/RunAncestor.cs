namespace Saltern.RunFiles;

/// <summary>One step in the history of a model's weights: a run that trained them, a growth, or a model of unknown history.</summary>
internal sealed record RunAncestor
{
    /// <summary>Name of the run, or of the model's folder.</summary>
    public required string Name { get; init; }

    /// <summary>What was done: <c>trained</c>, <c>fine-tuned</c>, <c>foreign</c> (nobody recorded it), or a growth in words, <c>grown by stack from 2 layers of 128 to 4 of 128</c>.</summary>
    public required string Operation { get; init; }

    /// <summary>Parameters of the model after it.</summary>
    public long Parameters { get; init; }

    /// <summary>Steps of the run up to the checkpoint that was taken; null where there is no run.</summary>
    public int? Steps { get; init; }

    /// <summary>Tokens that it read; null where nobody knows.</summary>
    public long? Tokens { get; init; }

    /// <summary>What it cost, its own teacher's training included, FLOPs; null where nobody knows.</summary>
    public double? Flops { get; init; }

    /// <summary>What it cost, its own teacher's training included, seconds; null where nobody knows.</summary>
    public double? Seconds { get; init; }

    /// <summary>Fingerprint of the weights before the run's first step: the same for all checkpoints and branches of one run; null without a run.</summary>
    public string? InitialWeights { get; init; }

    /// <summary>Fingerprint of the weights file that was taken; null of a growth.</summary>
    public string? Weights { get; init; }

    // Of one run, or of one model of unknown history.
    public bool IsSameAs(RunAncestor other) =>
        InitialWeights is not null
            ? InitialWeights == other.InitialWeights
            : Weights is not null && Weights == other.Weights;
}

/// <summary>What a history cost as a whole.</summary>
/// <param name="Flops">FLOPs; null where nobody knows.</param>
/// <param name="Seconds">Seconds; null where nobody knows.</param>
internal sealed record AncestorCost(double? Flops, double? Seconds)
{
    /// <summary>Nothing.</summary>
    public static AncestorCost None { get; } = new(0, 0);

    /// <summary>The whole cost of a history; nothing of an empty one.</summary>
    public static AncestorCost Of(IReadOnlyList<RunAncestor> history) =>
        new(Sum(history.Select(each => each.Flops)), Sum(history.Select(each => each.Seconds)));

    /// <summary>What two histories have in common, and is paid once: of each run in both the smaller part.</summary>
    public static AncestorCost Shared(IReadOnlyList<RunAncestor> one, IReadOnlyList<RunAncestor> other)
    {
        (RunAncestor One, RunAncestor Other)[] pairs =
        [
            .. from each in one
            let same = other.FirstOrDefault(each.IsSameAs)
            where same is not null
            select (each, same),
        ];
        return new AncestorCost(
            pairs.Sum(pair => Math.Min(pair.One.Flops ?? 0, pair.Other.Flops ?? 0)),
            pairs.Sum(pair => Math.Min(pair.One.Seconds ?? 0, pair.Other.Seconds ?? 0))
        );
    }

    private static double? Sum(IEnumerable<double?> costs)
    {
        double sum = 0;
        foreach (double? cost in costs)
        {
            if (cost is null)
            {
                return null;
            }

            sum += cost.Value;
        }

        return sum;
    }
}
