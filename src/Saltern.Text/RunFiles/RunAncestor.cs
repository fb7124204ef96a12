namespace Saltern.RunFiles;

/// <summary>One step in the history of a model's weights: a run that trained them, a growth, or a model of unknown history.</summary>
internal sealed record RunAncestor
{
    /// <summary>The operation of a model of unknown history.</summary>
    public const string Foreign = "foreign";

    /// <summary>Beginning of the operation of a growth.</summary>
    public const string Grown = "grown";

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

    /// <summary>What it cost, teachers apart, which have entries of their own, FLOPs; null where nobody knows.</summary>
    public double? Flops { get; init; }

    /// <summary>The same in seconds; null where nobody knows.</summary>
    public double? Seconds { get; init; }

    /// <summary>Identity of the run: of its recipe, data and first weights, the same for all its checkpoints; null without a run.</summary>
    public string? Run { get; init; }

    /// <summary>Fingerprint of the weights file that was taken; null of a growth.</summary>
    public string? Weights { get; init; }

    /// <summary>Keys of the model's <c>config.json</c> that were not understood and were ignored, because the user said so; null for none.</summary>
    public IReadOnlyList<string>? IgnoredKeys { get; init; }

    /// <summary>Whether it is no ancestor of the weights, but of a small model that taught one.</summary>
    public bool AsTeacher { get; init; }

    /// <summary>Whether both are of one run, or of one model of unknown history.</summary>
    public bool IsSameAs(RunAncestor other)
    {
        if (Run is not null)
        {
            return Run == other.Run;
        }

        return Weights is not null && Weights == other.Weights;
    }

    /// <summary>What a model of unknown history cost, FLOPs: six a parameter and token, as is usual where nothing else is known; null where its size or its tokens are not.</summary>
    /// <param name="parameters">0 where nobody knows.</param>
    public static double? ForeignFlops(long parameters, long? tokens)
    {
        if (parameters == 0)
        {
            return null;
        }

        return 6.0 * parameters * tokens;
    }

    /// <summary>The same entry, with keys that were ignored when the model was read.</summary>
    public RunAncestor WithIgnored(IReadOnlyList<string> keys) =>
        keys.Count == 0 ? this : this with { IgnoredKeys = [.. (IgnoredKeys ?? []).Union(keys)] };

    /// <summary>The same entry, with a cost where it is of a model of unknown history.</summary>
    public RunAncestor WithTokens(long? tokens)
    {
        if (Operation != Foreign || Flops is not null || tokens is null)
        {
            return this;
        }

        return this with
        {
            Tokens = tokens,
            Flops = ForeignFlops(Parameters, tokens),
        };
    }
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

    /// <summary>Two histories as one: what both have is there once, at the larger of its costs.</summary>
    public static IReadOnlyList<RunAncestor> Union(IReadOnlyList<RunAncestor> one, IReadOnlyList<RunAncestor> other)
    {
        var union = new List<RunAncestor>(one);
        foreach (RunAncestor each in other)
        {
            int same = union.FindIndex(each.IsSameAs);
            if (same < 0)
            {
                union.Add(each);
            }
            else if (each.Flops > union[same].Flops)
            {
                union[same] = each;
            }
        }

        return union;
    }

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
