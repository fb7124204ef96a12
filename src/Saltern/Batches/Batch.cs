using static TorchSharp.torch;

namespace Saltern.Batches;

/// <summary>The samples of one optimizer step, in stream order, as the model is given them.</summary>
public sealed class Batch
{
    private readonly long[] _inputs;
    private readonly long[] _labels;
    private readonly int[] _first;
    private readonly int[] _end;

    /// <summary>Reads samples.</summary>
    /// <param name="samples">Which ones, in order.</param>
    /// <param name="firstPosition">Stream position of the step's first one.</param>
    internal Batch(IReadOnlyList<SampleKey> samples, ISampleReader reader, long firstPosition)
    {
        (Samples, SequenceLength, FirstPosition) = (samples, reader.SequenceLength, firstPosition);
        int length = SequenceLength;
        int ranges = reader.HasRanges ? samples.Count * length : 0;
        _inputs = new long[samples.Count * length];
        _labels = new long[samples.Count * length];
        (_first, _end) = (new int[ranges], new int[ranges]);
        for (int row = 0; row < samples.Count; row++)
        {
            int at = row * length;
            (int rangesAt, int take) = reader.HasRanges ? (at, length) : (0, 0);
            reader.Read(
                samples[row].Domain,
                samples[row].Index,
                _inputs.AsSpan(at, length),
                _labels.AsSpan(at, length),
                _first.AsSpan(rangesAt, take),
                _end.AsSpan(rangesAt, take)
            );
        }

        CountedPositions = _labels.LongCount(label => label >= 0);
    }

    /// <summary>Which samples.</summary>
    public IReadOnlyList<SampleKey> Samples { get; }

    /// <summary>T.</summary>
    public int SequenceLength { get; }

    /// <summary>Stream position of the step's first sample, of all ranks.</summary>
    internal long FirstPosition { get; }

    /// <summary>Positions with a label; the sum over the ranks is n.</summary>
    public long CountedPositions { get; }

    /// <summary>Whether positions see other keys than all those before them.</summary>
    internal bool HasRanges => _first.Length > 0;

    /// <summary>Positions with a label of one sample.</summary>
    internal int CountedOf(int row) =>
        _labels.AsSpan(row * SequenceLength, SequenceLength).Length
        - _labels.AsSpan(row * SequenceLength, SequenceLength).Count(SampleReader.NotCounted);

    /// <summary>Inputs of some samples, [count, T], int64; the caller owns the tensor.</summary>
    public Tensor Inputs(IReadOnlyList<int> rows) => tensor(Gather(_inputs, rows), rows.Count, SequenceLength);

    /// <summary>Input ids of one sample, [T].</summary>
    public ReadOnlySpan<long> InputIds(int row) => _inputs.AsSpan(row * SequenceLength, SequenceLength);

    /// <summary>Labels of some samples: the token after each input, [count · T]; negative where a position does not count.</summary>
    public long[] Labels(IReadOnlyList<int> rows) => Gather(_labels, rows);

    /// <summary>First key of each position of some samples, and one past the last, [count · T] each; empty without <see cref="HasRanges"/>.</summary>
    internal (int[] First, int[] End) Ranges(IReadOnlyList<int> rows)
    {
        if (HasRanges)
        {
            return (Gather(_first, rows), Gather(_end, rows));
        }

        return ([], []);
    }

    private TValue[] Gather<TValue>(TValue[] values, IReadOnlyList<int> rows)
    {
        var gathered = new TValue[rows.Count * SequenceLength];
        for (int i = 0; i < rows.Count; i++)
        {
            values.AsSpan(rows[i] * SequenceLength, SequenceLength).CopyTo(gathered.AsSpan(i * SequenceLength));
        }

        return gathered;
    }
}
