namespace Saltern.Numerics;

/// <summary>Shares numbered pieces of work out over threads; one thread does them in place, without the pool.</summary>
internal static class ParallelRanges
{
    /// <summary>Runs every piece once.</summary>
    /// <param name="count">Pieces, numbered from 0.</param>
    /// <param name="piece">The work; must not depend on the order of the pieces.</param>
    public static void Run(int count, ParallelOptions options, Action<int> piece)
    {
        if (options.MaxDegreeOfParallelism == 1)
        {
            for (int i = 0; i < count; i++)
            {
                piece(i);
            }
        }
        else
        {
            Parallel.For(0, count, options, piece);
        }
    }
}
