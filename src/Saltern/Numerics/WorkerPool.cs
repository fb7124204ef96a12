// Threads of our own for kernels. A step has hundreds of short pieces of parallel work, and the runtime's pool may give each to another thread: caches are cold there, and oneDNN,
// which keeps its kernels with the thread, would make them anew. Measured with two threads, bfloat16: 1.8 times one thread's speed; helpers that look for work for 30 to 300 µs before
// they sleep are no faster (docs/speed.md).
using System.Runtime.ExceptionServices;

namespace Saltern.Numerics;

/// <summary>Helpers that share out numbered pieces of work with the thread that asks.</summary>
internal static class WorkerPool
{
    private static readonly Lock Gate = new();
    private static readonly List<Helper> Helpers = [];

    /// <summary>Runs every piece once, on the calling thread and on helpers; a caller that finds the helpers busy does all itself.</summary>
    /// <param name="count">Pieces, numbered from 0.</param>
    /// <param name="threads">Threads that work, the caller among them.</param>
    /// <param name="piece">The work; must not depend on the order of the pieces.</param>
    public static void Run(int count, int threads, Action<int> piece)
    {
        int wanted = Math.Min(threads, count) - 1;
        if (wanted <= 0 || Gate.IsHeldByCurrentThread || !Gate.TryEnter())
        {
            for (int i = 0; i < count; i++)
            {
                piece(i);
            }

            return;
        }

        try
        {
            while (Helpers.Count < wanted)
            {
                Helpers.Add(new Helper(Helpers.Count));
            }

            var job = new Job(count, wanted, piece);
            for (int i = 0; i < wanted; i++)
            {
                Helpers[i].Give(job);
            }

            job.Work();
            job.WaitForHelpers();
        }
        finally
        {
            Gate.Exit();
        }
    }

    private sealed class Job(int count, int helpers, Action<int> piece)
    {
        private int _next = -1;
        private int _helpers = helpers;
        private ExceptionDispatchInfo? _failure;

        public void Work()
        {
            try
            {
                for (int i = Interlocked.Increment(ref _next); i < count; i = Interlocked.Increment(ref _next))
                {
                    piece(i);
                }
            }
#pragma warning disable CA1031 // goes on in the caller
            catch (Exception failure)
#pragma warning restore CA1031
            {
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(failure), null);
                Volatile.Write(ref _next, count);
            }
        }

        public void Leave() => Interlocked.Decrement(ref _helpers);

        public void WaitForHelpers()
        {
            SpinWait wait = default;
            while (Volatile.Read(ref _helpers) > 0)
            {
                wait.SpinOnce(sleep1Threshold: -1); // gives the core away after a few turns
            }

            _failure?.Throw();
        }
    }

#pragma warning disable CA1001 // lives as long as the process
    private sealed class Helper
#pragma warning restore CA1001
    {
        private readonly SemaphoreSlim _wake = new(0);
        private Job? _job;

        public Helper(int number) =>
            new Thread(Run) { IsBackground = true, Name = $"saltern worker {number + 1}" }.UnsafeStart();

        // One job at a time: the caller waits until the helper has left it.
        public void Give(Job job)
        {
            _job = job;
            _wake.Release();
        }

        private void Run()
        {
            while (true)
            {
                _wake.Wait();
                if (_job is Job job)
                {
                    _job = null;
                    job.Work();
                    job.Leave();
                }
            }
        }
    }
}
