using System.Runtime.InteropServices;
using Saltern.Distributed;

namespace Saltern.Tests.Distributed;

/// <summary>Several ranks as threads of one process: what MPI does, in the order of the ranks, without a launcher.</summary>
internal sealed class ThreadRanks : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    // Once a rank has failed: time for the others to come to a failure of their own.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);
    private readonly CancellationTokenSource _failed = new();
    private readonly Barrier _barrier;
    private readonly byte[][] _given;

    private ThreadRanks(int size) => (_barrier, _given) = (new Barrier(size), new byte[size][]);

    /// <summary>Runs the same work on each of some ranks and gives their results in order; the first failure comes out.</summary>
    public static T[] Run<T>(int size, Func<ICommunicator, T> work)
    {
        using var ranks = new ThreadRanks(size);
        var results = new T[size];
        var failures = new Exception?[size];
        Thread[] threads =
        [
            .. Enumerable
                .Range(0, size)
                .Select(rank => new Thread(() =>
                {
                    try
                    {
                        results[rank] = work(new Member(ranks, rank));
                    }
                    catch (Exception e)
                    {
                        failures[rank] = e;
                        ranks._failed.CancelAfter(Grace);
                    }
                })),
        ];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        // Those that waited in vain for one that failed are second to it.
        Exception? first = failures
            .OfType<Exception>()
            .OrderBy(failure => failure is TimeoutException)
            .FirstOrDefault();
        if (first is null)
        {
            return results;
        }

        throw new AggregateException(first);
    }

    public void Dispose()
    {
        _barrier.Dispose();
        _failed.Dispose();
    }

    private sealed class Member(ThreadRanks ranks, int rank) : ICommunicator
    {
        public int Rank => rank;

        public int Size => ranks._given.Length;

        public string Activity { get; set; } = "";

        public void AllReduceSum(Span<float> values) => Sum(Exchange(MemoryMarshal.AsBytes(values)), values, 0);

        public void ReduceScatterSum(ReadOnlySpan<float> values, Span<float> share)
        {
            Assert.Equal(values.Length, share.Length * Size);
            Sum(Exchange(MemoryMarshal.AsBytes(values)), share, rank * share.Length);
        }

        public void AllGather<T>(ReadOnlySpan<T> share, Span<T> all)
            where T : unmanaged
        {
            Assert.Equal(all.Length, share.Length * Size);
            byte[][] given = Exchange(MemoryMarshal.AsBytes(share));
            for (int other = 0; other < Size; other++)
            {
                Assert.Equal(given[0].Length, given[other].Length);
                MemoryMarshal.Cast<byte, T>(given[other]).CopyTo(all[(other * share.Length)..]);
            }
        }

        public void Broadcast<T>(Span<T> values, int root)
            where T : unmanaged =>
            MemoryMarshal.Cast<byte, T>(Exchange(MemoryMarshal.AsBytes(values))[root]).CopyTo(values);

        public void Barrier() => Exchange([]);

        public void Abort(int exitCode) => throw new NotSupportedException();

        public void Dispose() { }

        private static void Sum(byte[][] given, Span<float> sums, int first)
        {
            sums.Clear();
            foreach (byte[] one in given)
            {
                ReadOnlySpan<float> values = MemoryMarshal.Cast<byte, float>(one)[first..];
                for (int i = 0; i < sums.Length; i++)
                {
                    sums[i] += values[i];
                }
            }
        }

        private byte[][] Exchange(ReadOnlySpan<byte> values)
        {
            ranks._given[rank] = values.ToArray();
            Wait();
            byte[][] all = [.. ranks._given];
            Wait(); // nobody gives anew before all have taken
            return all;
        }

        private void Wait()
        {
            try
            {
                if (ranks._barrier.SignalAndWait(Patience, ranks._failed.Token))
                {
                    return;
                }
            }
            catch (OperationCanceledException) { }

            throw new TimeoutException($"Rank {rank} waited in vain for the others.");
        }
    }
}
