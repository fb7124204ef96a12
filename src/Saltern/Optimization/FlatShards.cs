// A flat buffer in buckets, each bucket in R equal parts, one a rank: reduce-scatter and all-gather then work on a bucket as it lies.
using Saltern.Distributed;
using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>A run of elements that a rank owns.</summary>
/// <param name="Start">First element in the flat buffer.</param>
/// <param name="At">First element in the rank's own storage, where its runs lie one after the other.</param>
internal readonly record struct OwnedRun(long Start, long Length, long At);

/// <summary>Which elements of a flat float32 buffer each rank owns, and what ranks do with them together: the i-th of R equal parts of every bucket is rank i's.</summary>
/// <remarks>Every rank calls the same methods in the same order. Beside the buffer it takes the memory of one part, and of the last bucket where it does not divide evenly.</remarks>
internal sealed unsafe class FlatShards : IDisposable
{
    // 64 bytes, as the blocks of a model's weights: a part never splits a vector.
    private const int AlignmentElements = 16;
    private readonly ICommunicator _ranks;
    private readonly long _length;
    private readonly int _bucket;
    private readonly MappedMemory _part;
    private readonly MappedMemory _whole;

    /// <summary>Plans the parts.</summary>
    /// <param name="length">Elements of the flat buffer.</param>
    /// <param name="bucketLength">Most elements of a bucket.</param>
    public FlatShards(long length, ICommunicator ranks, int bucketLength = GradientReduction.BucketLength)
    {
        int unit = AlignmentElements * ranks.Size;
        (_ranks, _length, _bucket) = (ranks, length, Math.Max(1, bucketLength / unit) * unit);
        _bucket = (int)Math.Min(_bucket, (length + unit - 1) / unit * unit);
        _part = new MappedMemory(_bucket / ranks.Size);
        _whole = new MappedMemory(_bucket);
        Owned = Runs(ranks.Rank);
    }

    /// <summary>This rank's runs, ascending.</summary>
    public IReadOnlyList<OwnedRun> Owned { get; }

    /// <summary>Elements that this rank owns.</summary>
    public long OwnedCount => Owned.Sum(run => run.Length);

    /// <summary>Replaces this rank's elements by their sums over all ranks; what the others own is left as it was.</summary>
    /// <param name="flat">The buffer, as long on every rank.</param>
    public void SumOwned(float* flat)
    {
        for (long first = 0; first < _length; first += _bucket)
        {
            (int length, int part) = Bucket(first);
            float* from = flat + first;
            if (length < part * _ranks.Size)
            {
                // The last bucket: zeros behind its end, which belong to nobody.
                var padded = new Span<float>(_whole.Start, part * _ranks.Size);
                new ReadOnlySpan<float>(from, length).CopyTo(padded);
                padded[length..].Clear();
                from = _whole.Start;
            }

            var mine = new Span<float>(_part.Start, part);
            _ranks.ReduceScatterSum(new ReadOnlySpan<float>(from, part * _ranks.Size), mine);
            (int start, int count) = Part(_ranks.Rank, length, part);
            mine[..count].CopyTo(new Span<float>(flat + first + start, count));
        }
    }

    /// <summary>Gives every rank the elements of all their owners.</summary>
    /// <param name="flat">The buffer, right where this rank owns it.</param>
    public void Share(float* flat)
    {
        for (long first = 0; first < _length; first += _bucket)
        {
            (int length, int part) = Bucket(first);
            (int start, int count) = Part(_ranks.Rank, length, part);
            Gather(new ReadOnlySpan<float>(flat + first + start, count), flat + first, length, part);
        }
    }

    /// <summary>Puts together what every rank keeps of its elements in storage of its own.</summary>
    /// <param name="owned">This rank's, <see cref="OwnedCount"/> values.</param>
    /// <param name="flat">Where the whole buffer goes; null on ranks that only give.</param>
    public void Collect(float* owned, float* flat)
    {
        long at = 0;
        for (long first = 0; first < _length; first += _bucket)
        {
            (int length, int part) = Bucket(first);
            (_, int count) = Part(_ranks.Rank, length, part);
            Gather(new ReadOnlySpan<float>(owned + at, count), flat is null ? null : flat + first, length, part);
            at += count;
        }
    }

    /// <summary>Takes this rank's elements out of a stretch of the buffer; no other rank is needed.</summary>
    /// <param name="start">Its first element in the flat buffer.</param>
    /// <param name="owned">This rank's storage, <see cref="OwnedCount"/> values.</param>
    public void Keep(ReadOnlySpan<float> values, long start, float* owned)
    {
        foreach (OwnedRun run in Owned)
        {
            long first = Math.Max(run.Start, start);
            long end = Math.Min(run.Start + run.Length, start + values.Length);
            if (first < end)
            {
                values[(int)(first - start)..(int)(end - start)]
                    .CopyTo(new Span<float>(owned + run.At + (first - run.Start), (int)(end - first)));
            }
        }
    }

    /// <summary>Gives the working memory back.</summary>
    public void Dispose()
    {
        _part.Dispose();
        _whole.Dispose();
    }

    // Straight to its place, but for the last bucket, which may be shorter than its parts together, and for a rank that only gives.
    private void Gather(ReadOnlySpan<float> values, float* to, int length, int part)
    {
        var mine = new Span<float>(_part.Start, part);
        values.CopyTo(mine);
        mine[values.Length..].Clear();
        bool fits = to is not null && length == part * _ranks.Size;
        _ranks.AllGather<float>(mine, new Span<float>(fits ? to : _whole.Start, part * _ranks.Size));
        if (!fits && to is not null)
        {
            new ReadOnlySpan<float>(_whole.Start, length).CopyTo(new Span<float>(to, length));
        }
    }

    private (int Length, int Part) Bucket(long first)
    {
        int length = (int)Math.Min(_bucket, _length - first);
        int unit = AlignmentElements * _ranks.Size;
        return (length, (length + unit - 1) / unit * AlignmentElements);
    }

    private static (int Start, int Count) Part(int rank, int length, int part)
    {
        int start = Math.Min(rank * part, length);
        return (start, Math.Min(part, length - start));
    }

    private List<OwnedRun> Runs(int rank)
    {
        var runs = new List<OwnedRun>();
        long at = 0;
        for (long first = 0; first < _length; first += _bucket)
        {
            (int length, int part) = Bucket(first);
            (int start, int count) = Part(rank, length, part);
            if (count > 0)
            {
                runs.Add(new OwnedRun(first + start, count, at));
                at += count;
            }
        }

        return runs;
    }
}
