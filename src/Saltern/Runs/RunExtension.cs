using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Optimization;

namespace Saltern.Runs;

/// <summary>Whether a run may be given another number of steps: only where everything that was done would have been done the same. So a constant rate can be extended, and <c>wsd</c> before its decay.</summary>
internal static class RunExtension
{
    private const string Remedy =
        "Start a new run, with init_from to keep the weights; to extend a run, stop it before its decay (--until) and resume that.";

    /// <summary>Why not, as the rest of a sentence; null where it may.</summary>
    /// <param name="before">The recipe so far.</param>
    /// <param name="now">The recipe with another number of steps.</param>
    /// <param name="doneSteps">Steps made; 0 where the run starts anew.</param>
    public static string? Problem(RunConfig before, RunConfig now, int doneSteps)
    {
        if (doneSteps == 0)
        {
            return null;
        }

        if (now.Training.Steps < doneSteps)
        {
            return $"{doneSteps} steps are done, so it may not be fewer. {Remedy}";
        }

        if (before.Growth is { Count: > 0 } growth && growth.Any(stage => stage.Until is not { IsShare: false }))
        {
            return "the model grows at a share of it, so it may not change on resume. " + Remedy;
        }

        if (GuidanceKinds.Active(before) is GuidanceKind kind && !SameWindow(kind, before, now))
        {
            return $"{kind.Section} ends at a share of it, so it may not change on resume. {Remedy}";
        }

        if (Until(before) != Until(now))
        {
            return $"selection.until is a share of it, so it may not change on resume. {Remedy}";
        }

        if (
            before.Averaging?.FirstStep(before.Training.Steps) is int averagedFrom
            && doneSteps >= averagedFrom
            && now.Averaging?.FirstStep(now.Training.Steps) != averagedFrom
        )
        {
            return $"weights are averaged since step {averagedFrom}, which is counted from the end, "
                + $"so it may not change on resume. {Remedy}";
        }

        GrowthPlan stagesBefore = before.PlanStages(vocabulary: 1);
        GrowthPlan stagesNow = now.PlanStages(vocabulary: 1);
        if (
            Enumerable
                .Range(1, doneSteps)
                .Any(step => stagesBefore.At(step).BatchSequences != stagesNow.At(step).BatchSequences)
        )
        {
            return $"training.batch_warmup ends at a share of it, so it may not change on resume. {Remedy}";
        }

        // Growth by steps: their number alone counts, whatever the vocabulary.
        UpdateSchedule was = before.UpdateSchedule(stagesBefore);
        UpdateSchedule becomes = now.UpdateSchedule(stagesNow);
        int differs = Enumerable.Range(1, doneSteps).FirstOrDefault(step => was.At(step) != becomes.At(step));
        if (differs == 0)
        {
            return null;
        }

        if (was.Rate.At(differs) == becomes.Rate.At(differs))
        {
            return $"weight decay or momentum of step {differs}, which is done, would have been another, "
                + $"so it may not change on resume. {Remedy}";
        }

        return FormattableString.Invariant(
                $"the learning rate of step {differs}, which is done, would have been {becomes.Rate.At(differs):0.######} "
            )
            + FormattableString.Invariant($"and not {was.Rate.At(differs):0.######}, ")
            + $"so it may not change on resume. {Remedy}";
    }

    private static int? Until(RunConfig config) => config.Selection?.Until?.Resolve(config.Training.Steps);

    private static bool SameWindow(GuidanceKind kind, RunConfig before, RunConfig now) =>
        !kind.MayEndEarlier(before)
        && kind.ScheduleOf(before) is WeightSchedule was
        && kind.ScheduleOf(now) is WeightSchedule becomes
        && was.Start?.Resolve(before.Training.Steps) == becomes.Start?.Resolve(now.Training.Steps)
        && was.End?.Resolve(before.Training.Steps) == becomes.End?.Resolve(now.Training.Steps);
}
