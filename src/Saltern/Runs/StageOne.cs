using Saltern.Checkpoints;
using Saltern.Guidance;

namespace Saltern.Runs;

/// <summary>What stage 1 of a recipe can read.</summary>
internal static class StageOne
{
    /// <summary>Whether a resumed run reads neither soft labels nor selected samples any more; says nothing of an alignment.</summary>
    public static bool IsOver(RunConfig config, TrainState? resumed)
    {
        if (resumed is null)
        {
            return false;
        }

        if (config.Distils)
        {
            return resumed.Stage1LastStep is not null;
        }

        return resumed.Step >= (config.Selection?.Until?.Resolve(config.Training.Steps) ?? 0);
    }

    /// <summary>Draws up to the last step in which ω can be above 0, or, without distillation, in which selected samples are drawn.</summary>
    /// <param name="resumed">State that the run is resumed from, perhaps with another batch size; null where it starts.</param>
    public static long Samples(RunConfig config, TrainState? resumed = null)
    {
        int last = config.Selection?.Until?.Resolve(config.Training.Steps) ?? 0;
        if (config.Distillation is { Weight: > 0 } distillation)
        {
            last = Transition.LastTeacherStep(distillation, config.Training.Steps);
        }

        if (resumed is null)
        {
            return Math.Max(0, last) * (long)config.Training.BatchSequences;
        }

        long drawn = config.Selection is null ? resumed.Samples : resumed.SubsetSamples;
        return drawn + (Math.Max(0, last - resumed.Step) * (long)config.Training.BatchSequences);
    }
}
