namespace Saltern.Guidance;

/// <summary>Easy, medium and hard by the teacher's loss at τ = 1: terciles over the text of its pass.</summary>
/// <remarks>Within a bucket compare student with student: the teacher's own loss chose the bucket (docs/method.md, "Soft labels on disk").</remarks>
internal sealed record DifficultyBuckets
{
    /// <summary>b₁ and b₂ for tokens, nats: easy up to b₁, medium up to b₂.</summary>
    public required IReadOnlyList<double> TokenBounds { get; init; }

    /// <summary>The same for the mean loss of a sample.</summary>
    public required IReadOnlyList<double> SequenceBounds { get; init; }

    /// <summary>Token losses behind the bounds.</summary>
    public required long Tokens { get; init; }

    /// <summary>Samples behind the bounds.</summary>
    public required long Sequences { get; init; }

    /// <summary>Bucket of a loss: 0, 1 or 2.</summary>
    public static int Of(double nll, IReadOnlyList<double> bounds)
    {
        if (nll <= bounds[0])
        {
            return 0;
        }

        if (nll <= bounds[1])
        {
            return 1;
        }

        return 2;
    }

    /// <summary>Values at the ranks ⌈count/3⌉ and ⌈2·count/3⌉.</summary>
    /// <param name="losses">Any order; sorted in place.</param>
    public static IReadOnlyList<double> Terciles(float[] losses)
    {
        Array.Sort(losses);
        if (losses.Length == 0)
        {
            return [0, 0];
        }

        return [losses[((losses.Length + 2) / 3) - 1], losses[(((2 * losses.Length) + 2) / 3) - 1]];
    }

    /// <summary>The same from counts of half-precision values, which order like their bits where none is negative.</summary>
    /// <param name="counts">How often each value occurs, by its 16 bits; negative values never.</param>
    public static IReadOnlyList<double> Terciles(ReadOnlySpan<long> counts)
    {
        long total = 0;
        long seen = 0;
        foreach (long count in counts)
        {
            total += count;
        }

        double first = 0;
        for (int bits = 0; bits < counts.Length; bits++)
        {
            long before = seen;
            seen += counts[bits];
            double value = (double)BitConverter.UInt16BitsToHalf((ushort)bits);
            first = before < (total + 2) / 3 && seen >= (total + 2) / 3 ? value : first;
            if (seen >= ((2 * total) + 2) / 3 && total > 0)
            {
                return [first, value];
            }
        }

        return [0, 0];
    }
}
