using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Losses;
using Saltern.Models;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>A teacher that left its soft labels on disk: no model in memory, and no arithmetic in training. The next step's samples are read while this one is computed.</summary>
internal sealed class CachedTeacher : Teacher
{
    private readonly TeacherCache _cache;
    private Task<Dictionary<(int Domain, long Index), SampleLabels>>? _current;
    private Task<Dictionary<(int Domain, long Index), SampleLabels>>? _ahead;

    /// <summary>Takes over an open cache.</summary>
    public CachedTeacher(TeacherCache cache) => _cache = cache;

    /// <inheritdoc/>
    public override IReadOnlyList<double> BucketBounds => _cache.Manifest.Buckets.TokenBounds;

    /// <inheritdoc/>
    public override double FlopsPerToken(int sequenceLength) => 0;

    /// <inheritdoc/>
    internal override TeacherLosses? LossesOn(ValidationSet set, Func<int, LossHead> createHead, ICommunicator ranks) =>
        TeacherLosses.Load(_cache.Folder, set);

    /// <inheritdoc/>
    public override void ReadAhead(IReadOnlyList<SampleKey> samples)
    {
        // Disk, checksums and decoding in the background. After the last step with the teacher there may be samples that the teacher pass did not go over.
        _current = _ahead;
        _ahead = Task.Run(() =>
            samples
                .Select(sample => (sample.Domain, sample.Index))
                .Distinct()
                .Where(key => _cache.Has(key.Domain, key.Index))
                .ToDictionary(key => key, key => _cache.Read(key.Domain, key.Index))
        );
    }

    /// <inheritdoc/>
    public override SoftLabels Label(Batch batch, IReadOnlyList<int> rows, Tensor inputs, AttentionRanges? ranges)
    {
        Dictionary<(int, long), SampleLabels>? ahead = _current?.GetAwaiter().GetResult();
        SampleLabels[] samples =
        [
            .. rows.Select(row => (batch.Samples[row].Domain, batch.Samples[row].Index))
                .Select(key => ahead?.GetValueOrDefault(key) ?? _cache.Read(key.Domain, key.Index)),
        ];
        return Join(samples, batch.Labels(rows), batch.SequenceLength);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        // The files must not be unmapped under a reader.
        ((IAsyncResult?)_current)?.AsyncWaitHandle.WaitOne();
        ((IAsyncResult?)_ahead)?.AsyncWaitHandle.WaitOne();
        _cache.Dispose();
    }

    // Stored positions are the counted ones; the others have no entries, and the loss head skips them.
    private SparseSoftLabels Join(SampleLabels[] samples, long[] labels, int length)
    {
        int rows = samples.Length * length;
        int entries = samples.Sum(sample => sample.Ids.Length);
        var (starts, ids, shares) = (new int[rows + 1], new int[entries], new float[entries]);
        float[] nll = new float[rows];
        float[] tempered = new float[rows];
        float[] entropy = new float[rows];
        float[] top = new float[rows];
        int entry = 0;
        for (int i = 0; i < samples.Length; i++)
        {
            SampleLabels sample = samples[i];
            int position = 0;
            int first = entry;
            sample.Ids.CopyTo(ids, entry);
            sample.Probabilities.CopyTo(shares, entry);
            for (int row = i * length; row < (i + 1) * length; row++)
            {
                starts[row] = first + (position < sample.Nll.Length ? sample.Starts[position] : sample.Ids.Length);
                if (labels[row] < 0)
                {
                    continue;
                }

                if (position == sample.Nll.Length)
                {
                    throw new DataFormatException(
                        $"'{_cache.Folder}' has {position} positions of a sample of which more count. "
                            + "It was made for other samples; make the pass again."
                    );
                }

                (nll[row], tempered[row], entropy[row]) = (
                    sample.Nll[position],
                    sample.NllTempered[position],
                    sample.Entropy[position]
                );
                top[row] = shares[starts[row]];
                position++;
            }

            entry += sample.Ids.Length;
            if (position != sample.Nll.Length)
            {
                throw new DataFormatException(
                    $"'{_cache.Folder}' has {sample.Nll.Length} positions of a sample of which {position} count. "
                        + "It was made for other samples; make the pass again."
                );
            }
        }

        starts[rows] = entry;
        bool knowsTop = _cache.Plan is { Mode: CacheMode.TopK, Temperature: 1 };
        return new SparseSoftLabels(
            starts,
            ids,
            shares,
            _cache.Plan.Mode == CacheMode.TopK,
            nll,
            tempered,
            entropy,
            knowsTop ? top : null,
            _cache.Plan.Temperature
        );
    }
}
