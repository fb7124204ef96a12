using System.Text.Json.Serialization;
using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>What the ratios allow to say.</summary>
public enum VerdictOutcome
{
    /// <summary>Reached in all seeds, and the ratio's interval ends below 1.</summary>
    Helped,

    /// <summary>Reached in all seeds at a ratio whose interval begins above 1, or a final loss that is worse beyond its interval.</summary>
    Harmed,

    /// <summary>Neither.</summary>
    NoDifference,

    /// <summary>Under three seeds: a reading, not a finding.</summary>
    Reading,
}

/// <summary>One arm of a verdict: means over its pairs, with 95 % intervals <c>[low, high]</c> where there are two pairs or more.</summary>
/// <remarks>Ratios are geometric means and are null unless every pair reached the target; see <see cref="VerdictPair"/> for free, passes and charged.</remarks>
public sealed record VerdictRun
{
    /// <summary>Fewest seeds that make a finding.</summary>
    internal const int SeedsOfAFinding = 3;

    /// <summary>Name of the run, or of the arm where there are several.</summary>
    public required string Name { get; init; }

    /// <summary>Its name in sentences.</summary>
    public required string Label { get; init; }

    /// <summary>What was tried.</summary>
    public required string Arm { get; init; }

    /// <summary>Seeds that have a baseline.</summary>
    public required IReadOnlyList<int> Seeds { get; init; }

    /// <summary>Whether all pairs share initial weights and data order.</summary>
    public required bool Paired { get; init; }

    /// <summary>Whether the clocks may be compared.</summary>
    public required bool SecondsComparable { get; init; }

    /// <summary>Whether a run ended before its planned steps.</summary>
    public required bool Truncated { get; init; }

    /// <summary>Steps planned over the baseline's: below 1 for a run that was meant to be shorter.</summary>
    public required double PlannedStepsRatio { get; init; }

    /// <summary>Loss after the last step on the whole validation set, nats per token.</summary>
    public required double FinalLoss { get; init; }

    /// <summary>Accuracy after the last step, in [0, 1]; null where not measured.</summary>
    public required double? FinalAccuracy { get; init; }

    /// <summary>Final loss minus the baseline's, nats per token; below 0 is better.</summary>
    public required double FinalLossDifference { get; init; }

    /// <summary>Its interval over seeds.</summary>
    public IReadOnlyList<double>? FinalLossDifferenceInterval { get; init; }

    /// <summary>Its standard error by document, the largest of the pairs.</summary>
    public double? FinalLossDifferenceSe { get; init; }

    /// <summary>Small models that helped these runs; 0 for none.</summary>
    [JsonInclude]
    internal int SmallModels { get; init; }

    /// <summary>Validation documents that both were scored on; null without scores by document, and with one seed.</summary>
    [JsonInclude]
    internal int? Documents => Crossed?.Documents;

    /// <summary>Its interval over seeds, small models and documents.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? FinalLossDifferenceCrossedInterval => Crossed?.Ends;

    /// <summary>The standard error behind it, nats.</summary>
    [JsonInclude]
    internal double? FinalLossDifferenceCrossedSe => Crossed?.StandardError;

    /// <summary>Its degrees of freedom.</summary>
    [JsonInclude]
    internal int? FinalLossDifferenceCrossedDegrees => Crossed?.DegreesOfFreedom;

    /// <summary>The final loss's difference over seeds, small models and documents.</summary>
    [JsonIgnore]
    internal CrossedInterval? Crossed { get; init; }

    /// <summary>Final accuracy minus the baseline's; above 0 is better.</summary>
    public double? FinalAccuracyDifference { get; init; }

    /// <summary>Its interval over seeds.</summary>
    public IReadOnlyList<double>? FinalAccuracyDifferenceInterval { get; init; }

    /// <summary>Final value of the measure that had to be reached, minus the baseline's.</summary>
    public double FinalMetricDifference { get; init; }

    /// <summary>Its interval over seeds.</summary>
    public IReadOnlyList<double>? FinalMetricDifferenceInterval { get; init; }

    /// <summary>The measure minus the baseline's at the same FLOPs, everything charged; null unless every pair has one.</summary>
    public double? EqualChargedFlopsDifference { get; init; }

    /// <summary>Its interval over seeds.</summary>
    public IReadOnlyList<double>? EqualChargedFlopsDifferenceInterval { get; init; }

    /// <summary>Whether every pair reached the target.</summary>
    public required bool Reached { get; init; }

    /// <summary>Whether every pair stayed there; null where not reached.</summary>
    public bool? Held { get; init; }

    /// <summary>Mean cost to the target; null unless every pair reached it.</summary>
    [JsonIgnore]
    public Cost? ToBaseline { get; init; }

    /// <summary>Costs to the target over the baseline's.</summary>
    [JsonIgnore]
    public CostRatios Ratios { get; init; } = new();

    /// <summary>What the whole run cost, over the whole baseline: where both schedules run to their end.</summary>
    [JsonIgnore]
    internal CostRatios Whole { get; init; } = new();

    /// <summary>FLOPs of the whole run over the whole baseline's, free.</summary>
    [JsonInclude]
    internal double? WholeFlopsRatio => Whole.Free.Flops?.Mean;

    /// <summary>The same with teacher passes and the teacher's training.</summary>
    [JsonInclude]
    internal double? WholeFlopsRatioTeacherCharged => Whole.Charged.Flops?.Mean;

    /// <summary>Seconds of the whole run over the whole baseline's, free.</summary>
    [JsonInclude]
    internal double? WholeSecondsRatio => Whole.Free.Seconds?.Mean;

    /// <summary>The same with teacher passes and the teacher's training.</summary>
    [JsonInclude]
    internal double? WholeSecondsRatioTeacherCharged => Whole.Charged.Seconds?.Mean;

    // The file is flat: these are its members, where the code reads the two records above.

    /// <summary>Steps to the target, mean.</summary>
    [JsonInclude]
    internal double? StepsToBaseline => ToBaseline?.Steps;

    /// <summary>Seconds to the target, mean.</summary>
    [JsonInclude]
    internal double? SecondsToBaseline => ToBaseline?.Seconds;

    /// <summary>FLOPs to the target, mean.</summary>
    [JsonInclude]
    internal double? FlopsToBaseline => ToBaseline?.Flops;

    /// <summary>Steps over the baseline's.</summary>
    [JsonInclude]
    internal double? StepsRatio => Ratios.Steps?.Mean;

    /// <summary>Interval of <see cref="StepsRatio"/>.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? StepsRatioInterval => Ratios.Steps?.Ends;

    /// <summary>Seconds over the baseline's, free.</summary>
    [JsonInclude]
    internal double? SecondsRatio => Ratios.Free.Seconds?.Mean;

    /// <summary>Interval of <see cref="SecondsRatio"/>.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? SecondsRatioInterval => Ratios.Free.Seconds?.Ends;

    /// <summary>FLOPs over the baseline's, free.</summary>
    [JsonInclude]
    internal double? FlopsRatio => Ratios.Free.Flops?.Mean;

    /// <summary>Interval of <see cref="FlopsRatio"/>.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? FlopsRatioInterval => Ratios.Free.Flops?.Ends;

    /// <summary>Seconds with the teacher passes.</summary>
    [JsonInclude]
    internal double? SecondsRatioPasses => Ratios.WithPasses.Seconds?.Mean;

    /// <summary>Interval of <see cref="SecondsRatioPasses"/>.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? SecondsRatioPassesInterval => Ratios.WithPasses.Seconds?.Ends;

    /// <summary>FLOPs with the teacher passes.</summary>
    [JsonInclude]
    internal double? FlopsRatioPasses => Ratios.WithPasses.Flops?.Mean;

    /// <summary>Interval of <see cref="FlopsRatioPasses"/>.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? FlopsRatioPassesInterval => Ratios.WithPasses.Flops?.Ends;

    /// <summary>Seconds with teacher passes and the teacher's training.</summary>
    [JsonInclude]
    internal double? SecondsRatioTeacherCharged => Ratios.Charged.Seconds?.Mean;

    /// <summary>Interval of <see cref="SecondsRatioTeacherCharged"/>.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? SecondsRatioTeacherChargedInterval => Ratios.Charged.Seconds?.Ends;

    /// <summary>FLOPs with teacher passes and the teacher's training.</summary>
    [JsonInclude]
    internal double? FlopsRatioTeacherCharged => Ratios.Charged.Flops?.Mean;

    /// <summary>Interval of <see cref="FlopsRatioTeacherCharged"/>.</summary>
    [JsonInclude]
    internal IReadOnlyList<double>? FlopsRatioTeacherChargedInterval => Ratios.Charged.Flops?.Ends;

    /// <summary>What may be said with the teacher's training left out.</summary>
    public VerdictOutcome OutcomeFree { get; init; }

    /// <summary>What may be said with it charged; null where its cost is not known.</summary>
    public VerdictOutcome? OutcomeCharged { get; init; }

    /// <summary>The same in words, free.</summary>
    public string SentenceFree { get; init; } = "";

    /// <summary>The same in words, charged.</summary>
    public string SentenceCharged { get; init; } = "";

    /// <summary>Every seed by itself.</summary>
    public required IReadOnlyList<VerdictPair> Pairs { get; init; }

    internal static VerdictRun Of(
        RunGroup baseline,
        RunGroup arm,
        VerdictMetric metric,
        int studentsServed,
        List<string> warnings
    )
    {
        Dictionary<int, RunRecord> bySeed = baseline.Runs.ToDictionary(run => run.Result.Seed);
        List<RunRecord> runs = [.. arm.Runs.Where(run => bySeed.ContainsKey(run.Result.Seed))];
        if (runs.Count == 0)
        {
            throw new DataFormatException(
                $"{arm.Label} has seeds {string.Join(", ", arm.Seeds)}, "
                    + $"{baseline.Label} has {string.Join(", ", baseline.Seeds)}. "
                    + "Only runs of the same seed compare; train one of these seeds."
            );
        }

        if (runs.Count < arm.Runs.Count)
        {
            IEnumerable<int> alone = arm.Seeds.Where(seed => !bySeed.ContainsKey(seed));
            warnings.Add($"{arm.Label}: seeds {string.Join(", ", alone)} have no baseline and are left out.");
        }

        List<VerdictPair> pairs =
        [
            .. runs.Select(run => VerdictPair.Of(bySeed[run.Result.Seed], run, metric, studentsServed)),
        ];
        VerdictRun result = Summarise(baseline, bySeed, arm, runs, pairs);
        warnings.AddRange(VerdictWarnings.Of(result, runs, baseline.Runs));
        return VerdictSentence.Complete(result, baseline, SmallModel.Of(runs), metric, studentsServed);
    }

    private static VerdictRun Summarise(
        RunGroup baseline,
        Dictionary<int, RunRecord> bySeed,
        RunGroup arm,
        List<RunRecord> runs,
        List<VerdictPair> pairs
    )
    {
        bool reached = pairs.All(pair => pair.Reached);
        PairedInterval difference = PairedInterval.OfDifferences([.. pairs.Select(pair => pair.FinalLossDifference)]);
        PairedInterval measure = PairedInterval.OfDifferences([.. pairs.Select(pair => pair.FinalMetricDifference)]);
        PairedInterval? accuracy = DifferenceOf(pairs, pair => pair.FinalAccuracyDifference);
        PairedInterval? equalCost = DifferenceOf(pairs, pair => pair.EqualChargedFlopsDifference);
        return new VerdictRun
        {
            Name = arm.NameOf(runs),
            Label = arm.Label,
            Arm = runs[0].Result.Arm,
            Seeds = [.. pairs.Select(pair => pair.Seed)],
            Paired = pairs.All(pair => pair.Paired),
            SecondsComparable = pairs.All(pair => pair.SecondsComparable),
            Truncated = runs.Any(run => run.Result.Truncated),
            PlannedStepsRatio =
                runs.Average(run => run.Result.PlannedSteps) / baseline.Runs.Average(run => run.Result.PlannedSteps),
            FinalLoss = runs.Average(run => run.FinalLoss),
            FinalAccuracy = runs.Average(run => run.FinalAccuracy),
            FinalLossDifference = difference.Mean,
            FinalLossDifferenceInterval = difference.Ends,
            FinalLossDifferenceSe = pairs.Max(pair => pair.FinalLossDifferenceSe),
            SmallModels = CrossedInterval.SmallModels(runs),
            Crossed = CrossedInterval.Of([.. runs.Select(run => (run, bySeed[run.Result.Seed]))]),
            FinalAccuracyDifference = accuracy?.Mean,
            FinalAccuracyDifferenceInterval = accuracy?.Ends,
            FinalMetricDifference = measure.Mean,
            FinalMetricDifferenceInterval = measure.Ends,
            EqualChargedFlopsDifference = equalCost?.Mean,
            EqualChargedFlopsDifferenceInterval = equalCost?.Ends,
            Reached = reached,
            Held = HeldByAll(pairs),
            ToBaseline = Cost.Mean([.. pairs.Select(pair => pair.ToBaseline)]),
            Ratios = CostRatios.Mean([.. pairs.Select(pair => pair.Ratios)]),
            Whole = CostRatios.Mean([.. pairs.Select(pair => pair.Whole)]),
            Pairs = pairs,
        };
    }

    private static PairedInterval? DifferenceOf(List<VerdictPair> pairs, Func<VerdictPair, double?> of)
    {
        double[] differences = [.. pairs.Select(of).OfType<double>()];
        if (differences.Length < pairs.Count)
        {
            return null;
        }

        return PairedInterval.OfDifferences(differences);
    }

    private static bool? HeldByAll(List<VerdictPair> pairs)
    {
        if (pairs.All(pair => pair.Reached))
        {
            return pairs.All(pair => pair.Held == true);
        }

        return null;
    }
}
