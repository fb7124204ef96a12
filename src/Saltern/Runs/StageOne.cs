using Saltern.Checkpoints;

namespace Saltern.Runs;

/// <summary>What stage 1 of a recipe can read.</summary>
internal static class StageOne
{
    /// <summary>Whether a resumed run takes neither the small model's help nor selected samples any more.</summary>
    public static bool IsOver(RunConfig config, TrainState? resumed)
    {
        if (resumed is null)
        {
            return false;
        }

        if (GuidanceKinds.Active(config) is not null)
        {
            return resumed.Stage1LastStep is not null;
        }

        return resumed.Step >= (config.Selection?.Until?.Resolve(config.Training.Steps) ?? 0);
    }

    /// <summary>Draws up to the last step in which the small model can help, or, without it, in which selected samples are drawn.</summary>
    /// <param name="resumed">State that the run is resumed from, perhaps with another batch size; null where it starts.</param>
    public static long Samples(RunConfig config, TrainState? resumed = null)
    {
        int last = config.Selection?.Until?.Resolve(config.Training.Steps) ?? 0;
        if (GuidanceKinds.Active(config) is GuidanceKind kind)
        {
            last = kind.LastStep(config);
        }

        if (resumed is null)
        {
            return Math.Max(0, last) * (long)config.Training.BatchSequences;
        }

        long drawn = config.Selection is null ? resumed.Samples : resumed.SubsetSamples;
        return drawn + (Math.Max(0, last - resumed.Step) * (long)config.Training.BatchSequences);
    }
}
