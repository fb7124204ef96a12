// T positions of a row: example after example, each seeing itself alone; then padding, which sees and counts for nothing.
using Saltern.Batches;

namespace Saltern.FineTuning;

/// <summary>Packed examples as the samples of a run: one domain, a row each.</summary>
/// <remarks>
/// No example sees another (attention ranges), and the last token of one does not predict the first of the next (no label). Rotary positions are relative, so an
/// example's place in its row changes its loss and gradient by rounding alone.
/// </remarks>
internal sealed class ExampleRows : ISampleReader
{
    private readonly IReadOnlyList<Example> _examples;
    private readonly IReadOnlyList<int[]> _rows;
    private readonly int _padding;

    /// <summary>Packs examples.</summary>
    /// <param name="examples">Each of at most <paramref name="sequenceLength"/> positions.</param>
    /// <param name="padding">Input id of places that nothing fills.</param>
    public ExampleRows(IReadOnlyList<Example> examples, int sequenceLength, int padding)
    {
        (_examples, SequenceLength, _padding) = (examples, sequenceLength, padding);
        _rows = ExamplePacker.Pack([.. examples.Select(example => example.Positions)], sequenceLength);
    }

    /// <inheritdoc/>
    public int SequenceLength { get; }

    /// <inheritdoc/>
    public bool HasRanges => true;

    /// <inheritdoc/>
    public IReadOnlyList<long> Sizes => [_rows.Count];

    /// <summary>Share of the places that examples fill.</summary>
    public double Fill => _examples.Sum(example => (double)example.Positions) / ((double)_rows.Count * SequenceLength);

    /// <summary>Targets of one epoch.</summary>
    public long TargetCount => _examples.Sum(example => (long)example.TargetCount);

    /// <inheritdoc/>
    public void Read(int domain, long index, Span<long> inputs, Span<long> labels, Span<int> first, Span<int> end)
    {
        int at = 0;
        foreach (int number in _rows[(int)index])
        {
            Example example = _examples[number];
            int start = at;
            for (int i = 0; i < example.Positions; i++, at++)
            {
                inputs[at] = example.Tokens[i];
                labels[at] = example.Counts[i + 1] ? example.Tokens[i + 1] : SampleReader.NotCounted;
                (first[at], end[at]) = (start, at + 1);
            }
        }

        for (; at < SequenceLength; at++)
        {
            (inputs[at], labels[at], first[at], end[at]) = (_padding, SampleReader.NotCounted, at, at + 1);
        }
    }

    /// <summary>The rows as validation text, an example a document.</summary>
    internal ValidationSet ToValidationSet()
    {
        var documents = new List<ValidationDocument>();
        for (int row = 0; row < _rows.Count; row++)
        {
            long at = (long)row * SequenceLength;
            foreach (int number in _rows[row])
            {
                // Label i is token i + 1.
                Example example = _examples[number];
                int firstTarget = Array.IndexOf(example.Counts, true) - 1;
                int lastTarget = Array.LastIndexOf(example.Counts, true) - 1;
                documents.Add(
                    new ValidationDocument(
                        0,
                        number,
                        at + firstTarget,
                        example.TargetCount,
                        lastTarget - firstTarget + 1
                    )
                );
                at += example.Positions;
            }
        }

        return ValidationSet.Of(this, documents);
    }
}
