namespace Saltern.Batches;

/// <summary>Which samples of each global batch a rank computes: one stretch of it, so that the stream does not depend on the number of ranks.</summary>
/// <param name="Rank">Number of the rank, from 0.</param>
/// <param name="Ranks">How many there are; at most as many as a batch has samples.</param>
internal readonly record struct RankShare(int Rank, int Ranks)
{
    /// <summary>All samples: a run of one process.</summary>
    public static RankShare Whole { get; } = new(0, 1);

    /// <summary>The rank's samples of a global batch; the ranks' numbers of samples differ by one at most.</summary>
    public Range Of(int batchSequences)
    {
        int first = (int)((long)batchSequences * Rank / Ranks);
        int end = (int)((long)batchSequences * (Rank + 1) / Ranks);
        return first..end;
    }
}
