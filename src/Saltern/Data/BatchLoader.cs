using static TorchSharp.torch;

namespace Saltern.Data;

/// <summary>The samples of one optimizer step, in stream order.</summary>
/// <param name="Samples">Which samples.</param>
/// <param name="Tokens">Their tokens, row after row, T + 1 each.</param>
/// <param name="SequenceLength">T.</param>
/// <param name="FirstPosition">Stream position of the first sample.</param>
public sealed record Batch(IReadOnlyList<SampleKey> Samples, long[] Tokens, int SequenceLength, long FirstPosition)
{
    /// <summary>Counted positions: all targets, for a causal model without masks.</summary>
    public long CountedPositions => (long)Samples.Count * SequenceLength;

    /// <summary>Inputs of some samples, [count, T], int64; the caller owns the tensor.</summary>
    public Tensor Inputs(IReadOnlyList<int> rows)
    {
        long[] inputs = new long[rows.Count * SequenceLength];
        for (int i = 0; i < rows.Count; i++)
        {
            Tokens.AsSpan(rows[i] * (SequenceLength + 1), SequenceLength).CopyTo(inputs.AsSpan(i * SequenceLength));
        }

        return tensor(inputs, rows.Count, SequenceLength);
    }

    /// <summary>Labels of some samples: the token after each input, [count · T].</summary>
    public long[] Labels(IReadOnlyList<int> rows)
    {
        long[] labels = new long[rows.Count * SequenceLength];
        for (int i = 0; i < rows.Count; i++)
        {
            Tokens.AsSpan((rows[i] * (SequenceLength + 1)) + 1, SequenceLength).CopyTo(labels.AsSpan(i * SequenceLength));
        }

        return labels;
    }
}

/// <summary>Deterministic, resumable batches from the shards of a data set.</summary>
public sealed class BatchLoader
{
    private readonly IReadOnlyList<TokenShard?> _shards;
    private readonly SampleStream _stream;
    private readonly int _sequenceLength;

    /// <summary>Plans the batches.</summary>
    /// <param name="shards">Training shard of each domain; null where a domain has none.</param>
    /// <param name="sequenceLength">T.</param>
    /// <param name="seed">Decides the order.</param>
    public BatchLoader(IReadOnlyList<TokenShard?> shards, int sequenceLength, long seed)
    {
        _shards = shards;
        _sequenceLength = sequenceLength;
        _stream = new SampleStream([.. shards.Select(shard => SampleStream.SamplesIn(shard?.TokenCount ?? 0, sequenceLength))], seed);
    }

    /// <summary>Samples drawn so far; setting it goes there.</summary>
    public long Position
    {
        get => _stream.Position;
        set => _stream.Seek(value);
    }

    /// <summary>Samples of one pass over the data.</summary>
    public long EpochLength => _stream.EpochLength;

    /// <summary>Fingerprint of the batches that a run of this batch size sees.</summary>
    public string Fingerprint(string dataFingerprint, int batchSequences) => _stream.Fingerprint(dataFingerprint, _sequenceLength, batchSequences);

    /// <summary>The next samples of the stream.</summary>
    public Batch Next(int count)
    {
        long first = _stream.Position;
        var samples = new SampleKey[count];
        long[] tokens = new long[count * (_sequenceLength + 1)];
        for (int i = 0; i < count; i++)
        {
            samples[i] = _stream.Next();
            _shards[samples[i].Domain]!.Read(samples[i].Index * _sequenceLength, tokens.AsSpan(i * (_sequenceLength + 1), _sequenceLength + 1));
        }

        return new Batch(samples, tokens, _sequenceLength, first);
    }
}
