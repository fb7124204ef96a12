namespace Saltern.Numerics;

/// <summary>Shares numbered pieces of work out over threads; one thread does them in place, without the pool.</summary>
internal static class ParallelRanges
{
    /// <summary>Runs every piece once.</summary>
    /// <param name="count">Pieces, numbered from 0.</param>
    /// <param name="piece">The work; must not depend on the order of the pieces.</param>
    public static void Run(int count, ParallelOptions options, Action<int> piece)
    {
        int threads = options.MaxDegreeOfParallelism;
        WorkerPool.Run(count, threads > 0 ? threads : Environment.ProcessorCount, piece);
    }
}
