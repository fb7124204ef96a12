using Saltern.Checkpoints;
using Saltern.Numerics;

namespace Saltern.Runs;

/// <summary>What a run computes with, where it is new and where it is resumed; says where that ends bit-exactness.</summary>
internal static class EngineChoices
{
    /// <summary>Threads of the run: the recipe's, else those of its first life, else what is there.</summary>
    public static int Threads(RunConfig config, TrainState? resumed, TrainingRunOptions options)
    {
        int ranks = options.Ranks.Size;
        bool sameRanks = resumed?.Ranks == ranks;
        int? resumedThreads = sameRanks ? resumed?.Threads : null;
        int threads = config.Threads ?? resumedThreads ?? options.DefaultThreads ?? Environment.ProcessorCount;
        if (resumed is not null && !sameRanks)
        {
            options.Log(
                $"The run was computed by {resumed.Ranks} ranks so far and goes on with {ranks}, {threads} threads each: "
                    + "the samples stay the same, but sums are rounded otherwise, so the result is no longer bit-exact."
            );
        }
        else if (resumed is not null && threads != resumed.Threads)
        {
            options.Log(
                $"The run computed with {resumed.Threads} threads so far and goes on with {threads}: "
                    + "sums are rounded otherwise, so the result is no longer bit-exact."
            );
        }

        return threads;
    }

    /// <summary>The library of products: that of a run's first life, because the two round differently; the ranks take what rank 0 found the faster.</summary>
    public static ProductLibrary Products(RunConfig config, TrainState? resumed, TrainingRunOptions options)
    {
        ProductLibrary wanted = ComputePlan.ChooseProducts(config, resumed?.Products);
        ProductLibrary chosen = ComputePlan.AgreeOnProducts(wanted, options.Ranks);
        if (resumed is not null && chosen != resumed.Products)
        {
            options.Log(
                $"The run's products came from {resumed.Products} so far and come from {chosen} now: "
                    + "sums are rounded otherwise, so the result is no longer bit-exact."
            );
        }

        return chosen;
    }
}
