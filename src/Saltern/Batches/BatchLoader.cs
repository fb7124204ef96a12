namespace Saltern.Batches;

/// <summary>Deterministic, resumable batches from the shards of a data set, or, in stage 1, from a selected part of them.</summary>
/// <remarks>One batch may be read ahead on a background thread; it is used only if it holds just the samples that are asked for, so that what is drawn never depends on it.</remarks>
internal sealed class BatchLoader : IDisposable
{
    private readonly ISampleReader _reader;
    private readonly SampleStream _stream;
    private readonly SampleSubset? _subset;

    // Of a run that was resumed after its last step with selected samples: the list is needed no more, the count stays.
    private long _drawnBefore;
    private readonly SampleStream? _subsetStream;
    private Task<Batch>? _ahead;

    /// <summary>Plans the batches.</summary>
    /// <param name="shares">Share of each domain (<see cref="DomainShares"/>).</param>
    /// <param name="subset">Samples that stage 1 draws from; null for all.</param>
    public BatchLoader(ISampleReader reader, IReadOnlyList<double> shares, long seed, SampleSubset? subset = null)
    {
        (_reader, _subset) = (reader, subset);
        _stream = new SampleStream(reader.Sizes, shares, seed);
        _subsetStream = subset is null ? null : new SampleStream(subset.Sizes, subset.Shares(shares), seed);
    }

    /// <summary>Samples drawn so far, from the subset or not; setting it goes there.</summary>
    public long Position
    {
        get => _stream.Position;
        set => _stream.Seek(value);
    }

    /// <summary>Samples drawn from the subset so far; setting it goes there.</summary>
    public long SubsetPosition
    {
        get => _subsetStream?.Position ?? _drawnBefore;
        set
        {
            _drawnBefore = value;
            _subsetStream?.Seek(value);
        }
    }

    /// <summary>Part of each batch that this process reads; the positions count whole batches all the same.</summary>
    public RankShare Share { get; set; } = RankShare.Whole;

    /// <summary>The order of all samples.</summary>
    public SampleStream Stream => _stream;

    /// <summary>The order of the subset's samples; null without one.</summary>
    public SampleStream? SubsetStream => _subsetStream;

    /// <summary>Samples of one epoch.</summary>
    public long EpochLength => _stream.EpochLength;

    /// <summary>Reads a sample.</summary>
    public ISampleReader Reader => _reader;

    /// <summary>Fingerprint of the order in which stage 1 draws, whatever the batch size.</summary>
    public string Stage1Order(SampleSpace space)
    {
        if (_subsetStream is null)
        {
            return _stream.Fingerprint(space, 0);
        }

        return _subsetStream.Fingerprint(space, 0)
            + "+"
            + SampleKeys.Fingerprint([
                .. _subset!.Sizes.SelectMany((_, domain) => _subset.Indices(domain).Select(index => (domain, index))),
            ]);
    }

    /// <summary>Fingerprint of the batches that a run of this batch size sees, a stage 1 on a subset apart.</summary>
    public string Fingerprint(SampleSpace space, int batchSequences) => _stream.Fingerprint(space, batchSequences);

    /// <summary>The next samples of the stream: of a whole batch, or this process's share of it.</summary>
    /// <param name="count">How many the whole batch has.</param>
    /// <param name="fromSubset">Whether the subset gives them; the stream of all samples moves on all the same, so that stage 2 goes on where it would have been.</param>
    public Batch Next(int count, bool fromSubset = false)
    {
        long first = _stream.Position;
        SampleKey[] samples = Draw(count, fromSubset)[Share.Of(count)];
        Batch? ahead = _ahead?.GetAwaiter().GetResult();
        _ahead = null;
        if (ahead is not null && ahead.FirstPosition == first && ahead.Samples.SequenceEqual(samples))
        {
            return ahead;
        }

        return new Batch(samples, _reader, first);
    }

    /// <summary>Reads what <see cref="Next"/> would give on a background thread; the positions stay.</summary>
    /// <returns>The samples that are being read, of the share alone.</returns>
    public IReadOnlyList<SampleKey> ReadAhead(int count, bool fromSubset = false)
    {
        _ahead?.GetAwaiter().GetResult();
        long first = _stream.Position;
        SampleKey[] samples = Peek(count, fromSubset)[Share.Of(count)];
        _ahead = Task.Run(() => new Batch(samples, _reader, first));
        return samples;
    }

    /// <summary>Waits for what is being read: the shards may be closed afterwards.</summary>
    public void Dispose()
    {
        try
        {
            _ahead?.Wait();
        }
        catch (AggregateException)
        {
            // Nobody asks for that batch any more.
        }

        _ahead = null;
    }

    /// <summary>The samples of the next whole batch; the positions stay.</summary>
    public SampleKey[] Peek(int count, bool fromSubset = false)
    {
        (long position, long subsetPosition) = (Position, SubsetPosition);
        SampleKey[] samples = Draw(count, fromSubset);
        (Position, SubsetPosition) = (position, subsetPosition);
        return samples;
    }

    /// <summary>The distinct samples that the first steps of a run draw, by domain and index.</summary>
    /// <param name="count">Samples of those steps.</param>
    /// <param name="fromSubset">Whether the subset gives them.</param>
    public IReadOnlyList<(int Domain, long Index)> FirstSamples(long count, bool fromSubset)
    {
        SampleStream source = fromSubset && _subsetStream is not null ? _subsetStream : _stream;
        long here = source.Position;
        source.Seek(0);
        var samples = new SortedSet<(int, long)>();
        for (long i = 0; i < count; i++)
        {
            SampleKey key = source.Next();
            key = source == _subsetStream ? _subset!.Resolve(key) : key;
            samples.Add((key.Domain, key.Index));
        }

        source.Seek(here);
        return [.. samples];
    }

    private SampleKey[] Draw(int count, bool fromSubset)
    {
        var samples = new SampleKey[count];
        for (int i = 0; i < count; i++)
        {
            samples[i] = _stream.Next();
            if (fromSubset && _subset is not null)
            {
                samples[i] = _subset.Resolve(_subsetStream!.Next());
            }
        }

        return samples;
    }
}
