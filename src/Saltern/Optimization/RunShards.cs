// Any division of a flat buffer among ranks, whole matrices included: what a rank owns is packed, exchanged a piece at a time, and put back to its places.
using Saltern.Distributed;
using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>Which elements of a flat buffer each rank owns, as runs of any length, and what ranks do with them together.</summary>
/// <remarks>Every rank plans the same runs of all and calls the same methods in the same order. Beside the buffer it takes the memory of one piece of every rank.</remarks>
internal sealed unsafe class RunShards : IDisposable
{
    private readonly IReadOnlyList<OwnedRun>[] _runs;
    private readonly ICommunicator _ranks;
    private readonly long _most;
    private readonly int _piece;
    private readonly int _size;
    private readonly MappedMemory _mine;
    private readonly MappedMemory _all;

    /// <summary>Plans the exchange.</summary>
    /// <param name="runs">The runs of each rank; in the rank's own storage they lie one after the other.</param>
    /// <param name="bucketLength">Most elements that all ranks exchange at a time.</param>
    /// <param name="size">Bytes of an element; only those of float32 can be summed.</param>
    public RunShards(
        IReadOnlyList<IReadOnlyList<(long Start, long Length)>> runs,
        ICommunicator ranks,
        int bucketLength = GradientReduction.BucketLength,
        int size = sizeof(float)
    )
    {
        (_ranks, _size) = (ranks, size);
        _runs = [.. runs.Select(Place)];
        _most = _runs.Max(Count);
        _piece = (int)Math.Clamp(_most, 1, Math.Max(1, bucketLength / ranks.Size));
        _mine = new MappedMemory(Floats(_piece));
        _all = new MappedMemory(Floats((long)_piece * ranks.Size));
    }

    /// <summary>This rank's runs.</summary>
    public IReadOnlyList<OwnedRun> Owned => _runs[_ranks.Rank];

    /// <summary>Elements that this rank owns.</summary>
    public long OwnedCount => Count(Owned);

    /// <summary>Replaces this rank's elements by their sums over all ranks; what the others own is left as it was.</summary>
    /// <param name="flat">The buffer, as long on every rank.</param>
    public void SumOwned(float* flat)
    {
        for (long at = 0; at < _most; at += _piece)
        {
            for (int rank = 0; rank < _ranks.Size; rank++)
            {
                float* packed = _all.Start + ((long)rank * _piece);
                new Span<float>(packed, _piece).Clear();
                Copy(_runs[rank], at, (run, first, to, count) => Move(flat + run + first, packed + to, count));
            }

            _ranks.ReduceScatterSum(
                new ReadOnlySpan<float>(_all.Start, _piece * _ranks.Size),
                new Span<float>(_mine.Start, _piece)
            );
            float* sums = _mine.Start;
            Copy(Owned, at, (run, first, from, count) => Move(sums + from, flat + run + first, count));
        }
    }

    /// <summary>Gives every rank what the others own.</summary>
    /// <param name="flat">The buffer; this rank's elements are read, the others' written.</param>
    public void Share(void* flat)
    {
        var buffer = (byte*)flat;
        for (long at = 0; at < _most; at += _piece)
        {
            byte* mine = First(_mine);
            Mine.Clear();
            Copy(Owned, at, (run, first, to, count) => MoveElements(buffer, run + first, mine, to, count));
            Spread(at, buffer);
        }
    }

    /// <summary>Puts together what every rank keeps of its elements in storage of its own.</summary>
    /// <param name="owned">This rank's, <see cref="OwnedCount"/> values.</param>
    /// <param name="flat">Where the whole buffer goes; null on ranks that only give.</param>
    public void Collect(void* owned, void* flat)
    {
        var buffer = (byte*)owned;
        for (long at = 0; at < _most; at += _piece)
        {
            Mine.Clear();
            long count = Math.Min(_piece, OwnedCount - at);
            if (count > 0)
            {
                MoveElements(buffer, at, First(_mine), 0, count);
            }

            Spread(at, (byte*)flat);
        }
    }

    /// <summary>Gives the working memory back.</summary>
    public void Dispose()
    {
        _mine.Dispose();
        _all.Dispose();
    }

    private Span<byte> Mine => new(_mine.Start, _piece * _size);

    private long Floats(long elements) => ((elements * _size) + sizeof(float) - 1) / sizeof(float);

    private void Spread(long at, byte* flat)
    {
        var all = new Span<byte>(_all.Start, checked(_piece * _ranks.Size * _size));
        _ranks.AllGather<byte>(Mine, all);
        for (int rank = 0; flat is not null && rank < _ranks.Size; rank++)
        {
            byte* packed = First(_all) + ((long)rank * _piece * _size);
            Copy(_runs[rank], at, (run, first, from, count) => MoveElements(packed, from, flat, run + first, count));
        }
    }

    private void MoveElements(byte* from, long first, byte* to, long at, long count) =>
        Buffer.MemoryCopy(from + (first * _size), to + (at * _size), count * _size, count * _size);

    private static byte* First(MappedMemory memory) => (byte*)memory.Start;

    // The parts of a rank's runs that are in the piece from `at` on of its storage: run's start, first element in it, first in the piece, and number.
    private void Copy(IReadOnlyList<OwnedRun> runs, long at, Action<long, long, long, long> move)
    {
        foreach (OwnedRun run in runs)
        {
            long first = Math.Max(run.At, at);
            long end = Math.Min(run.At + run.Length, at + _piece);
            if (first < end)
            {
                move(run.Start, first - run.At, first - at, end - first);
            }
        }
    }

    private static void Move(float* from, float* to, long count) =>
        Buffer.MemoryCopy(from, to, count * sizeof(float), count * sizeof(float));

    private static long Count(IReadOnlyList<OwnedRun> runs) => runs.Sum(run => run.Length);

    private static List<OwnedRun> Place(IReadOnlyList<(long Start, long Length)> runs)
    {
        var placed = new List<OwnedRun>();
        long at = 0;
        foreach ((long start, long length) in runs)
        {
            placed.Add(new OwnedRun(start, length, at));
            at += length;
        }

        return placed;
    }
}
