using Saltern.Configuration;
using Saltern.Losses;

namespace Saltern.Training;

/// <summary>What stage 1 of a recipe can read.</summary>
internal static class StageOne
{
    /// <summary>Whether a resumed run has stage 1 behind it, so that neither teacher nor selected samples are needed.</summary>
    public static bool IsOver(RunConfig config, TrainState? resumed) => resumed is not null
        && (config.Distils ? resumed.Stage1EndStep is not null : resumed.Step >= (config.Selection?.Until?.Resolve(config.Training.Steps) ?? 0));

    /// <summary>Draws of the steps in which ω can be above 0, or, without distillation, of those on selected samples.</summary>
    public static long Samples(RunConfig config) =>
        (config.Distils ? Transition.LastTeacherStep(config.Distillation!, config.Training.Steps) : config.Selection?.Until?.Resolve(config.Training.Steps) ?? 0) * (long)config.Training.BatchSequences;
}
