using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Saltern.Batches;

namespace Saltern.Guidance;

/// <summary>How the tokens of a sampled target are drawn from q_τ; both are unbiased.</summary>
public enum DrawKind
{
    /// <summary>(shift + i)/n_d, i = 0 … n_d − 1, through the cumulative distribution, with one uniform shift: variance part·(1 − part)/n_d² of an entry, part the fractional part of n_d·q_v.</summary>
    Systematic,

    /// <summary>n_d independent draws (arXiv:2503.16870): variance q_v(1 − q_v)/n_d.</summary>
    Independent,
}

/// <summary>Draws from a distribution: the sparse target q̂_v = c_v/n_d with E c_v = n_d·q_v (docs/method.md, "Soft labels on disk").</summary>
internal static class TargetDraws
{
    /// <summary>Most draws of a position: a count is one byte.</summary>
    public const int Most = 254;

    // Positions of a sample have their own uniforms, this many each.
    private const int UniformsPerPosition = 256;

    /// <summary>Fills in the points of [0, 1), ascending, at which the cumulative distribution is read; a function of (seed, sample, position) alone.</summary>
    /// <param name="position">Position in the sample.</param>
    public static void Points(DrawKind kind, SampleRandom random, int position, Span<double> points)
    {
        ulong first = (ulong)position * UniformsPerPosition;
        double shared = random.At(first);
        for (int i = 0; i < points.Length; i++)
        {
            points[i] = kind == DrawKind.Systematic ? (shared + i) / points.Length : random.At(first + (ulong)i);
        }

        if (kind == DrawKind.Independent)
        {
            points.Sort();
        }
    }

    /// <summary>Reads the points off the cumulative distribution.</summary>
    /// <param name="weights">Unnormalised probabilities, [V], at least 0.</param>
    /// <param name="total">Their sum, as <see cref="Total"/> adds it up.</param>
    /// <param name="points">Ascending, in [0, 1).</param>
    /// <param name="ids">Receives the tokens drawn, ascending; at least as long as the points.</param>
    /// <param name="counts">Receives how often each was drawn.</param>
    /// <returns>Distinct tokens.</returns>
    public static int Draw(
        ReadOnlySpan<float> weights,
        double total,
        ReadOnlySpan<double> points,
        Span<int> ids,
        Span<byte> counts
    )
    {
        int distinct = 0;
        int next = 0;
        double before = 0;
        for (int block = 0; block < weights.Length && next < points.Length; block += Block)
        {
            ReadOnlySpan<float> part = weights.Slice(block, Math.Min(Block, weights.Length - block));
            double after = before + Sum(part);
            double at = before;
            if (points[next] * total < after)
            {
                for (int i = 0; i < part.Length && next < points.Length; i++)
                {
                    at += part[i];
                    byte count = 0;
                    for (; part[i] > 0 && next < points.Length && points[next] * total < at; next++)
                    {
                        count++;
                    }

                    if (count > 0)
                    {
                        (ids[distinct], counts[distinct++]) = (block + i, count);
                    }
                }
            }

            before = after;
        }

        // A point that rounding left beyond the last sum belongs to the last token that can be drawn.
        if (next < points.Length)
        {
            int last = weights.Length - 1;
            while (last > 0 && weights[last] == 0)
            {
                last--;
            }

            if (distinct == 0 || ids[distinct - 1] != last)
            {
                (ids[distinct], counts[distinct++]) = (last, 0);
            }

            counts[distinct - 1] += (byte)(points.Length - next);
        }

        return distinct;
    }

    /// <summary>Sum of unnormalised probabilities, in the very order in which <see cref="Draw"/> goes through them.</summary>
    public static double Total(ReadOnlySpan<float> weights)
    {
        double total = 0;
        for (int block = 0; block < weights.Length; block += Block)
        {
            total += Sum(weights.Slice(block, Math.Min(Block, weights.Length - block)));
        }

        return total;
    }

    // Tokens that are skipped at once where no point falls among them.
    private const int Block = 64;

    private static float Sum(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector256<float>> lanes = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Vector256<float> sum = Vector256<float>.Zero;
        foreach (Vector256<float> lane in lanes)
        {
            sum += lane;
        }

        float total = Vector256.Sum(sum);
        foreach (float value in values[(lanes.Length * Vector256<float>.Count)..])
        {
            total += value;
        }

        return total;
    }
}
