namespace Saltern.Watch;

/// <summary>A comparison in words, after the run's name.</summary>
internal static class ComparisonSentence
{
    /// <summary>Says where the run stands and what it saved, or would save.</summary>
    public static string Of(Comparison pair)
    {
        if (pair.Gap is not [.., var gap])
        {
            return "has no evaluation at a step of the baseline's yet.";
        }

        string side = gap.Value < 0 ? "below" : "above";
        return $"is {Show.Nats(Math.Abs(gap.Value))} nats {side} the baseline at step {Show.Count(gap.Step)}."
            + Saving(pair);
    }

    private static string Saving(Comparison pair) =>
        pair switch
        {
            { Target: null } => " What it saves shows when the baseline is finished.",
            { Reached: { } reached } =>
                $" It reached the baseline's last loss, {Show.Nats(pair.Target)}, after {Show.Count(reached.Steps)} steps: "
                    + Change(pair.StepsSaved, "steps")
                    + Arithmetic(pair)
                    + (reached.Held ? "." : ", but did not stay there."),
            { ProjectedSteps: { } steps } =>
                $" If that gap lasted, it would reach {Show.Nats(pair.Target)} after {Show.Count(steps)} steps: "
                    + Change(pair.StepsSaved, "steps")
                    + (pair.TeacherStillOn ? ". Most of such a lead goes when the teacher leaves." : "."),
            { Run.State: RunState.Finished } =>
                $" It did not reach the baseline's last loss, {Show.Nats(pair.Target)}.",
            _ => "",
        };

    private static string Arithmetic(Comparison pair)
    {
        if (pair.FlopsSaved is { } flops)
        {
            return $", {Change(flops, "arithmetic")}";
        }

        return "";
    }

    private static string Change(double? saved, string what)
    {
        if (saved >= 0)
        {
            return $"{Show.Percent(saved)} less {what}".Replace("less steps", "fewer steps", StringComparison.Ordinal);
        }

        return $"{Show.Percent(-saved)} more {what}";
    }
}
