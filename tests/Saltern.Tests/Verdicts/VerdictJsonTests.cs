using System.Text.Json;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

// The file is flat whatever records the code keeps its costs in: others read it by these names.
public class VerdictJsonTests
{
    private static readonly string[] RunMembers =
    [
        "name",
        "label",
        "arm",
        "seeds",
        "paired",
        "seconds_comparable",
        "truncated",
        "planned_steps_ratio",
        "final_loss",
        "final_accuracy",
        "final_loss_difference",
        "final_loss_difference_interval",
        "final_loss_difference_se",
        "small_models",
        "documents",
        "final_loss_difference_crossed_interval",
        "final_loss_difference_crossed_se",
        "final_loss_difference_crossed_degrees",
        "final_accuracy_difference",
        "final_accuracy_difference_interval",
        "final_metric_difference",
        "final_metric_difference_interval",
        "equal_charged_flops_difference",
        "equal_charged_flops_difference_interval",
        "reached",
        "held",
        "whole_flops_ratio",
        "whole_flops_ratio_teacher_charged",
        "whole_seconds_ratio",
        "whole_seconds_ratio_teacher_charged",
        "steps_to_baseline",
        "seconds_to_baseline",
        "flops_to_baseline",
        "steps_ratio",
        "steps_ratio_interval",
        "seconds_ratio",
        "seconds_ratio_interval",
        "flops_ratio",
        "flops_ratio_interval",
        "seconds_ratio_passes",
        "seconds_ratio_passes_interval",
        "flops_ratio_passes",
        "flops_ratio_passes_interval",
        "seconds_ratio_teacher_charged",
        "seconds_ratio_teacher_charged_interval",
        "flops_ratio_teacher_charged",
        "flops_ratio_teacher_charged_interval",
        "outcome_free",
        "outcome_charged",
        "sentence_free",
        "sentence_charged",
        "pairs",
    ];

    private static readonly string[] PairMembers =
    [
        "seed",
        "run",
        "baseline",
        "paired",
        "seconds_comparable",
        "target",
        "reached",
        "held",
        "steps_to_baseline",
        "seconds_to_baseline",
        "flops_to_baseline",
        "steps_ratio",
        "seconds_ratio",
        "flops_ratio",
        "seconds_ratio_passes",
        "flops_ratio_passes",
        "seconds_ratio_teacher_charged",
        "flops_ratio_teacher_charged",
        "final_loss_difference",
        "final_loss_difference_se",
        "tokens_needed",
        "final_accuracy_difference",
        "final_metric_difference",
        "equal_charged_flops_difference",
    ];

    [Fact]
    public void Members_AreTheFormatsInItsOrder()
    {
        JsonElement run = Write(VerdictTests.Study(3.62, 250));
        Assert.Equal(RunMembers, Names(run));
        Assert.All(run.GetProperty("pairs").EnumerateArray(), pair => Assert.Equal(PairMembers, Names(pair)));
    }

    [Fact]
    public void Values_AreThoseOfTheRecords()
    {
        Verdict verdict = VerdictTests.Study(3.62, 250);
        JsonElement json = Write(verdict);
        VerdictRun run = verdict.Runs[0];

        Assert.Equal(run.ToBaseline?.Steps, json.GetProperty("steps_to_baseline").GetDouble());
        Assert.Equal(run.ToBaseline?.Seconds, json.GetProperty("seconds_to_baseline").GetDouble());
        Assert.Equal(run.ToBaseline?.Flops, json.GetProperty("flops_to_baseline").GetDouble());
        AssertRatio(json, "steps_ratio", run.Ratios.Steps);
        AssertRatio(json, "seconds_ratio", run.Ratios.Free.Seconds);
        AssertRatio(json, "flops_ratio", run.Ratios.Free.Flops);
        AssertRatio(json, "seconds_ratio_passes", run.Ratios.WithPasses.Seconds);
        AssertRatio(json, "flops_ratio_passes", run.Ratios.WithPasses.Flops);
        AssertRatio(json, "seconds_ratio_teacher_charged", run.Ratios.Charged.Seconds);
        AssertRatio(json, "flops_ratio_teacher_charged", run.Ratios.Charged.Flops);
        Assert.Equal(
            run.Pairs.Select(pair => pair.Ratios.Charged.Flops?.Mean),
            json.GetProperty("pairs")
                .EnumerateArray()
                .Select(pair => (double?)pair.GetProperty("flops_ratio_teacher_charged").GetDouble())
        );
    }

    [Fact]
    public void WhatWasNotReached_IsWrittenAsNull()
    {
        JsonElement run = Write(VerdictTests.Study(3.80, 250));
        Assert.All(
            RunMembers.Where(name => name.Contains("_to_baseline", StringComparison.Ordinal)),
            name => Assert.Equal(JsonValueKind.Null, run.GetProperty(name).ValueKind)
        );
        Assert.Equal(JsonValueKind.Null, run.GetProperty("flops_ratio").ValueKind);
        Assert.Equal(JsonValueKind.Null, run.GetProperty("flops_ratio_interval").ValueKind);
    }

    private static JsonElement Write(Verdict verdict) =>
        JsonDocument.Parse(verdict.ToJson()).RootElement.GetProperty("runs")[0];

    private static string[] Names(JsonElement json) => [.. json.EnumerateObject().Select(member => member.Name)];

    private static void AssertRatio(JsonElement json, string name, PairedInterval? expected)
    {
        Assert.NotNull(expected);
        Assert.Equal(expected.Mean, json.GetProperty(name).GetDouble());
        Assert.Equal(
            [expected.Lower, expected.Upper],
            json.GetProperty(name + "_interval").EnumerateArray().Select(end => (double?)end.GetDouble())
        );
    }
}
