using System.Xml.Linq;

namespace Saltern.Reporting;

/// <summary>How the runs were made: what their recipes do not share, machine, versions, fingerprints; and what the models wrote.</summary>
internal static class ReportProvenance
{
    private const string Unset = "(not set)";

    // Differences of these say nothing: they name the run, or follow from its seed.
    private static readonly string[] Names = ["name", "seed"];

    public static XElement Section(IReadOnlyList<ReportArm> arms) =>
        Html.Section("How it was made",
            RecipeDifferences(arms),
            Teachers(arms),
            Machine(arms),
            Fingerprints(arms),
            Html.Element("div", "", [.. arms.Where(arm => arm.Runs[0].RecipeText is not null)
                .Select(arm => Html.Details($"Recipe of {arm.Label}", Html.Element("pre", "", arm.Runs[0].RecipeText)))]));

    public static XElement? Samples(IReadOnlyList<ReportArm> arms)
    {
        string[] prompts = [.. arms.SelectMany(arm => arm.Runs[0].Result.TextSamples).Select(sample => sample.Prompt).Distinct()];
        return prompts.Length == 0 ? null : Html.Section("What the models write",
            [.. prompts.Select(prompt => Html.Element("div", "sample",
                Html.Element("p", "prompt", Html.Element("b", "", prompt.Length == 0 ? "(no prompt)" : prompt)),
                Html.Element("div", "columns", [.. arms.Select(arm => SampleOf(arm, prompt))])))]);
    }

    private static XElement SampleOf(ReportArm arm, string prompt)
    {
        TextSample? sample = arm.Runs[0].Result.TextSamples.FirstOrDefault(sample => sample.Prompt == prompt);
        return Html.Element("div", "", Html.Element("h3", "", arm.Label), Html.Element("p", "text", sample?.Text ?? Figures.Absent));
    }

    private static XElement RecipeDifferences(IReadOnlyList<ReportArm> arms)
    {
        IReadOnlyDictionary<string, string>[] recipes = [.. arms.Select(arm => RecipeKeys.Flatten(arm.Runs[0].RecipeText ?? ""))];
        string[] keys = [.. recipes.SelectMany(recipe => recipe.Keys).Distinct()
            .Where(key => !Names.Contains(key) && recipes.Select(recipe => recipe.GetValueOrDefault(key, Unset)).Distinct().Count() > 1)
            .Order(StringComparer.Ordinal)];
        return keys.Length == 0
            ? Html.Element("p", "", "The recipes do not differ in anything but name and seed, or are not there.")
            : Html.Table("What the recipes do not share", ["key", .. arms.Select(arm => arm.Label)],
                keys.Select(key => new[] { key }.Concat(recipes.Select(recipe => recipe.GetValueOrDefault(key, Unset)))));
    }

    private static XElement? Teachers(IReadOnlyList<ReportArm> arms)
    {
        ReportArm[] taught = [.. arms.Where(arm => arm.Runs[0].Result.Teacher is not null)];
        return taught.Length == 0 ? null : Html.Table("Teachers",
            ["arm", "teacher", "parameters", "temperature τ", "final loss", "its training", "stage 1 ended at", "because"],
            taught.Select(arm =>
            {
                RunResult result = arm.Runs[0].Result;
                RunTeacher teacher = result.Teacher!;
                return new[]
                {
                    arm.Label, teacher.Name, Figures.Count(teacher.Parameters), Figures.Format(teacher.Temperature, "0.###"), Figures.Loss(teacher.FinalLoss),
                    teacher.TrainingFlops is null ? "not known" : $"{Figures.Flops(teacher.TrainingFlops)}, {Figures.Seconds(teacher.TrainingSeconds)}",
                    Figures.Count(result.Stage1EndStep), result.Stage1EndReason ?? Figures.Absent,
                };
            }));
    }

    private static XElement Machine(IReadOnlyList<ReportArm> arms) =>
        Html.Table("Runs and machines",
            ["run", "seed", "parameters", "steps", "tokens", "seconds", "FLOPs", "teacher's part", "processor", "cores", "threads", "peak", "versions"],
            arms.SelectMany(arm => arm.Runs).Select(run => run.Result).Select(result => new[]
            {
                result.Name, Figures.Count(result.Seed), Figures.Count(result.StudentParameters),
                result.Steps == result.PlannedSteps ? Figures.Count(result.Steps) : $"{Figures.Count(result.Steps)} of {Figures.Count(result.PlannedSteps)}",
                Figures.Count(result.Tokens), Figures.Seconds(result.Seconds), Figures.Flops(result.Flops), Figures.Flops(result.TeacherFlops),
                result.Machine.Processor ?? Figures.Absent, Figures.Count(result.Machine.Cores), Figures.Count(result.Machine.Threads),
                result.Machine.MatmulPeakGflops is { } peak ? $"{Figures.Format(peak, "0.0")} GFLOP/s" : Figures.Absent,
                string.Join(", ", result.Versions.Select(version => $"{version.Key} {version.Value}")),
            }));

    private static XElement Fingerprints(IReadOnlyList<ReportArm> arms) =>
        Html.Details("Fingerprints", Html.Table("Runs of one seed must agree in all three",
            ["run", "seed", "data", "order", "initial weights"],
            arms.SelectMany(arm => arm.Runs).Select(run => run.Result).Select(result => new[]
            {
                result.Name, Figures.Count(result.Seed), result.DataFingerprint ?? Figures.Absent,
                result.OrderFingerprint ?? Figures.Absent, result.InitialWeightsFingerprint ?? Figures.Absent,
            })));
}
