using System.Xml.Linq;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>How the runs were made: what their recipes do not share, machine, versions, fingerprints; and what the models wrote.</summary>
internal static class ReportProvenance
{
    private const string Unset = "(not set)";

    // Differences of these say nothing: they name the run, or follow from its seed.
    private static readonly string[] Names = ["name", "seed"];

    public static XElement Section(IReadOnlyList<ReportArm> arms) =>
        Html.Section(
            "How it was made",
            arms.Count > 1 ? RecipeDifferences(arms) : null,
            Teachers(arms),
            Histories(arms),
            Machine(arms),
            Fingerprints(arms),
            Html.Element(
                "div",
                "",
                [
                    .. arms.Where(arm => arm.Runs[0].RecipeText is not null)
                        .Select(arm =>
                            Html.Details($"Recipe of {arm.Label}", Html.Element("pre", "", arm.Runs[0].RecipeText))
                        ),
                ]
            )
        );

    /// <summary>What the final models write, side by side.</summary>
    /// <param name="shown">Of many arms the one that stands beside the baseline, while the others open on request; null for all side by side.</param>
    public static XElement? Samples(IReadOnlyList<ReportArm> arms, string? shown = null)
    {
        string[] prompts =
        [
            .. arms.SelectMany(arm => arm.Runs[0].Result.TextSamples).Select(sample => sample.Prompt).Distinct(),
        ];
        if (prompts.Length == 0)
        {
            return null;
        }

        ReportArm[] beside = [.. arms.Where(arm => shown is null || arm.Index == 0 || arm.Label == shown)];
        ReportArm[] others = [.. arms.Except(beside)];
        return Html.Section(
            "What the models write",
            [.. prompts.Select(prompt => SamplesOf(prompt, beside, others, shown is not null))]
        );
    }

    private static XElement SamplesOf(string prompt, ReportArm[] beside, ReportArm[] others, bool hasOthers)
    {
        string heading = prompt;
        if (prompt.Length == 0)
        {
            heading = "(no prompt)";
        }

        List<XElement> parts =
        [
            Html.Element("p", "prompt", Html.Element("b", "", heading)),
            Html.Element("div", "columns", [.. beside.Select(arm => SampleOf(arm, prompt))]),
        ];
        if (hasOthers)
        {
            parts.Add(
                Html.Details(
                    "The other arms",
                    Html.Element("div", "columns", [.. others.Select(arm => SampleOf(arm, prompt))])
                )
            );
        }

        return Html.Element("div", "sample", [.. parts]);
    }

    private static XElement SampleOf(ReportArm arm, string prompt)
    {
        TextSample? sample = arm.Runs[0].Result.TextSamples.FirstOrDefault(sample => sample.Prompt == prompt);
        return Html.Element(
            "div",
            "",
            Html.Element("h3", "", arm.Label),
            Html.Element("p", "text", sample?.Text ?? Figures.Absent)
        );
    }

    private static XElement RecipeDifferences(IReadOnlyList<ReportArm> arms)
    {
        IReadOnlyDictionary<string, string>[] recipes =
        [
            .. arms.Select(arm => RecipeKeys.Flatten(arm.Runs[0].RecipeText ?? "")),
        ];
        string[] keys =
        [
            .. recipes
                .SelectMany(recipe => recipe.Keys)
                .Distinct()
                .Where(key =>
                    !Names.Contains(key)
                    && recipes.Select(recipe => recipe.GetValueOrDefault(key, Unset)).Distinct().Count() > 1
                )
                .Order(StringComparer.Ordinal),
        ];
        if (keys.Length == 0)
        {
            return Html.Element("p", "", "The recipes do not differ in anything but name and seed, or are not there.");
        }

        if (arms.Count - 1 > ReportOverview.MostArmsInFull)
        {
            return Deviations(arms, recipes, keys);
        }

        return Html.Table(
            "What the recipes do not share",
            ["key", .. arms.Select(arm => arm.Label)],
            keys.Select(key => new[] { key }.Concat(recipes.Select(recipe => recipe.GetValueOrDefault(key, Unset))))
        );
    }

    // A column for each of many arms cannot be read or printed: what most arms share is said once, then what each does otherwise.
    private static XElement Deviations(
        IReadOnlyList<ReportArm> arms,
        IReadOnlyDictionary<string, string>[] recipes,
        string[] keys
    )
    {
        Dictionary<string, string> usual = keys.ToDictionary(
            key => key,
            key => recipes.CountBy(recipe => recipe.GetValueOrDefault(key, Unset)).MaxBy(same => same.Value).Key
        );
        string Own(IReadOnlyDictionary<string, string> recipe)
        {
            string[] missing =
            [
                .. usual
                    .Keys.Where(key => usual[key] != Unset && !recipe.ContainsKey(key))
                    .Select(key => key.Split('.')[0])
                    .Distinct()
                    .Where(section => !recipe.Keys.Any(key => key.Split('.')[0] == section)),
            ];
            IEnumerable<string> own = keys.Where(key =>
                    recipe.GetValueOrDefault(key, Unset) != usual[key] && !missing.Contains(key.Split('.')[0])
                )
                .Select(key => $"{key} = {recipe.GetValueOrDefault(key, Unset)}");
            if (string.Join("; ", missing.Select(section => $"no {section}").Concat(own)) is { Length: > 0 } text)
            {
                return text;
            }

            return "as above";
        }

        return Html.Element(
            "div",
            "words",
            Html.Details(
                "What most of the recipes say where they are not all the same",
                Html.Table(
                    "Most frequent value of each key",
                    ["key", "value"],
                    keys.Select(key => new[] { key, usual[key] })
                )
            ),
            Html.Table(
                "What each recipe says otherwise than most",
                ["arm", "own values"],
                arms.Select((arm, i) => new[] { arm.Label, Own(recipes[i]) })
            )
        );
    }

    private static XElement? Teachers(IReadOnlyList<ReportArm> arms)
    {
        List<string[]> rows = [];
        foreach (ReportArm arm in arms)
        {
            if (arm.Runs[0].Result.Teacher is { } teacher)
            {
                rows.Add(TeacherRow(arm.Label, arm.Runs[0].Result, teacher));
            }
        }

        if (rows.Count == 0)
        {
            return null;
        }

        return Html.Table(
            "Teachers",
            [
                "arm",
                "teacher",
                "parameters",
                "temperature τ",
                "final loss",
                "its training",
                "stage 1 ended at",
                "because",
            ],
            rows
        );
    }

    // Where the weights of a run came from: the models that it started from, and those that it was while it grew.
    private static XElement? Histories(IReadOnlyList<ReportArm> arms)
    {
        string[][] rows =
        [
            .. from arm in arms from row in HistoryOf(arm.Runs[0].Result) select row.Prepend(arm.Label).ToArray(),
        ];
        if (rows.Length == 0)
        {
            return null;
        }

        return Html.Table(
            "Where the weights came from",
            ["arm", "model", "what was done", "parameters", "tokens", "FLOPs", "seconds"],
            rows
        );
    }

    private static IEnumerable<string[]> HistoryOf(RunResult result)
    {
        foreach (RunAncestor each in result.Origin)
        {
            yield return
            [
                each.Name,
                each.AsTeacher ? $"{each.Operation}, as a teacher" : each.Operation,
                Figures.Count(each.Parameters),
                Figures.Count(each.Tokens),
                each.Flops is null ? "not known" : Figures.Flops(each.Flops),
                each.Seconds is null ? "not known" : Figures.Seconds(each.Seconds),
            ];
        }

        foreach (RunStage stage in result.Stages)
        {
            yield return
            [
                result.Name,
                $"up to step {stage.LastStep}: {stage.Layers} layers of {stage.HiddenSize}, then grown",
                Figures.Count(stage.Parameters),
                Figures.Count(stage.Tokens),
                Figures.Flops(stage.Flops),
                Figures.Seconds(stage.Seconds),
            ];
        }
    }

    private static string[] TeacherRow(string label, RunResult result, RunTeacher teacher)
    {
        string training = "not known";
        if (teacher.TrainingFlops is not null)
        {
            training = $"{Figures.Flops(teacher.TrainingFlops)}, {Figures.Seconds(teacher.TrainingSeconds)}";
        }

        return
        [
            label,
            teacher.Name,
            Figures.Count(teacher.Parameters),
            Figures.Format(teacher.Temperature, "0.###"),
            Figures.Loss(teacher.FinalLoss),
            training,
            Figures.Count(result.Stage1EndStep),
            result.Stage1EndReason ?? Figures.Absent,
        ];
    }

    private static XElement Machine(IReadOnlyList<ReportArm> arms)
    {
        RunResult[] results = [.. arms.SelectMany(arm => arm.Runs).Select(run => run.Result)];
        (string Name, Func<RunResult, string> Of)[] all =
        [
            ("processor", result => result.Machine.Processor ?? Figures.Absent),
            ("cores", result => Figures.Count(result.Machine.Cores)),
            ("threads", result => Figures.Count(result.Machine.Threads)),
            ("commit", result => Commit(result) ?? Figures.Absent),
            (
                "versions",
                result =>
                    string.Join(", ", result.Versions.Select(version => $"{version.Key} {version.Value.Split('+')[0]}"))
            ),
        ];
        // What all runs share is said once.
        ILookup<bool, (string Name, Func<RunResult, string> Of)> shared = all.ToLookup(fact =>
            results.Select(fact.Of).Distinct().Count() == 1
        );
        List<XElement> parts = [];
        if (shared[true].Any())
        {
            IEnumerable<string> facts = shared[true].Select(fact => $"{fact.Name} {fact.Of(results[0])}");
            parts.Add(Html.Element("p", "", $"All runs: {string.Join("; ", facts)}."));
        }

        parts.Add(
            Html.Table(
                "Runs and machines",
                [
                    "run",
                    "seed",
                    "parameters",
                    "steps",
                    "tokens",
                    "seconds",
                    "FLOPs",
                    "teacher's part",
                    "peak",
                    .. shared[false].Select(fact => fact.Name),
                ],
                results.Select(result =>
                    (string[])
                        [
                            result.Name,
                            Figures.Count(result.Seed),
                            Figures.Count(result.StudentParameters),
                            Steps(result),
                            Figures.Count(result.Tokens),
                            Figures.Seconds(result.Seconds),
                            Figures.Flops(result.Flops),
                            Figures.Flops(result.TeacherFlops),
                            Peak(result),
                            .. shared[false].Select(fact => fact.Of(result)),
                        ]
                )
            )
        );
        return Html.Element("div", "", [.. parts]);
    }

    private static string Steps(RunResult result)
    {
        if (result.Steps == result.PlannedSteps)
        {
            return Figures.Count(result.Steps);
        }

        return $"{Figures.Count(result.Steps)} of {Figures.Count(result.PlannedSteps)}";
    }

    private static string Peak(RunResult result)
    {
        if (result.Machine.MatmulPeakGflops is { } peak)
        {
            string type = result.Machine.Precision is string precision ? " " + precision : "";
            return $"{Figures.Format(peak, "0.0")} GFLOP/s{type}";
        }

        return Figures.Absent;
    }

    // The program's version is VERSION+COMMIT where it was built in a clone.
    private static string? Commit(RunResult result)
    {
        if (
            result.Versions.TryGetValue("saltern", out string? version)
            && version.Split('+') is [_, { Length: >= 8 } commit]
        )
        {
            return commit[..8];
        }

        return null;
    }

    private static XElement Fingerprints(IReadOnlyList<ReportArm> arms) =>
        Html.Details(
            "Fingerprints",
            Html.Table(
                "Runs of one seed must agree in all three",
                ["run", "seed", "data", "order", "initial weights"],
                arms.SelectMany(arm => arm.Runs)
                    .Select(run => run.Result)
                    .Select(result =>
                        new[]
                        {
                            result.Name,
                            Figures.Count(result.Seed),
                            result.DataFingerprint ?? Figures.Absent,
                            result.OrderFingerprint ?? Figures.Absent,
                            result.InitialWeightsFingerprint ?? Figures.Absent,
                        }
                    )
            )
        );
}
