using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Which positions of its own sequence each query position attends to: one contiguous range a query. Null instead of an instance means causal attention.</summary>
/// <remarks>
/// Causal: [0, t + 1). Within documents only: [start of t's document, t + 1). A free prefix up to the pivot: [0, max(pivot, t + 1)). One range covers every objective of
/// docs/method.md, so that no [T, T] mask need exist.
/// </remarks>
public sealed record AttentionRanges
{
    /// <summary>Takes the ranges of whole sequences.</summary>
    /// <param name="first">First key of each query, [B·T], counted within its sequence.</param>
    /// <param name="end">One past its last key, [B·T]; above the query's own position everywhere, so that no row is empty.</param>
    /// <param name="sequenceLength">T.</param>
    /// <exception cref="ArgumentException">A range leaves its sequence or does not hold its own query.</exception>
    public AttentionRanges(int[] first, int[] end, int sequenceLength)
    {
        if (first.Length != end.Length || sequenceLength < 1 || first.Length % sequenceLength != 0)
        {
            throw new ArgumentException(
                $"{first.Length} and {end.Length} ranges are not those of whole sequences of {sequenceLength} tokens.",
                nameof(first)
            );
        }

        for (int i = 0; i < first.Length; i++)
        {
            int position = i % sequenceLength;
            if (first[i] < 0 || first[i] > position || end[i] <= position || end[i] > sequenceLength)
            {
                throw new ArgumentException(
                    $"Query {position} of sequence {i / sequenceLength} has the range [{first[i]}, {end[i]}), "
                        + $"which leaves the {sequenceLength} positions or misses its own.",
                    nameof(first)
                );
            }
        }

        (First, End, SequenceLength) = (first, end, sequenceLength);
    }

    /// <summary>Causal attention that looks back over the last tokens only.</summary>
    /// <param name="window">Keys each query sees at most, its own included.</param>
    internal static AttentionRanges Window(int batch, int sequenceLength, int window)
    {
        int[] positions = [.. Enumerable.Range(0, batch * sequenceLength).Select(i => i % sequenceLength)];
        return new AttentionRanges(
            [.. positions.Select(t => Math.Max(0, t + 1 - window))],
            [.. positions.Select(t => t + 1)],
            sequenceLength
        );
    }

    /// <summary>These ranges without the keys that a window has left behind.</summary>
    /// <param name="window">Keys each query sees at most, its own included.</param>
    /// <exception cref="ConfigurationException">A query sees later keys: a window is defined for causal attention alone.</exception>
    internal AttentionRanges Within(int window)
    {
        int[] first = [.. First.Select((start, i) => Math.Max(start, (i % SequenceLength) + 1 - window))];
        if (End.Where((end, i) => end > (i % SequenceLength) + 1).Any())
        {
            throw new ConfigurationException(
                $"model.sliding_window = {window} is shorter than the sequences of {SequenceLength} tokens, "
                    + "and it is not defined for a prefix that sees itself. "
                    + $"Use causal sequences, or sequences of at most {window} tokens."
            );
        }

        return new AttentionRanges(first, End, SequenceLength);
    }

    /// <summary>First key of each query, [B·T].</summary>
    public int[] First { get; }

    /// <summary>One past the last key of each query, [B·T].</summary>
    public int[] End { get; }

    /// <summary>T.</summary>
    public int SequenceLength { get; }

    /// <summary>The same as a matrix: true where a query attends to a key, [B, 1, T, T], on the CPU; the caller owns it.</summary>
    internal Tensor Mask()
    {
        using DisposeScope scope = NewDisposeScope();
        long batch = First.Length / SequenceLength;
        Tensor keys = arange(SequenceLength).view(1, 1, 1, SequenceLength);
        Tensor first = tensor(First).view(batch, 1, SequenceLength, 1);
        Tensor end = tensor(End).view(batch, 1, SequenceLength, 1);
        return keys.ge(first).logical_and(keys.lt(end)).MoveToOuterDisposeScope();
    }
}
