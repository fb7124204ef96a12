using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class JudgementTests
{
    private static readonly double[] Five = [-0.10, -0.12, -0.09, -0.11, -0.08];

    [Fact]
    public void FivePairedSeeds_TwoArms_HandWorked()
    {
        // mean −0.1, sd 0.015811, s.e. 0.0070711, t = −14.142 at 4 degrees of freedom: p = 0.000145.
        Judgement judged = Judge(Arm("SALT", Five), Arm("OTHER", [0.01, -0.02, 0.03, 0.0, -0.01]));
        Claim claim = Of(judged, "SALT", ClaimMeasure.FinalLoss);
        Assert.Equal(-0.1, claim.Effect!.Mean, 1e-12);
        Assert.Equal(0.000145, claim.P!.Value, 1e-6);
        Assert.Equal(2 * claim.P!.Value, claim.AdjustedP!.Value, 1e-12);

        // t at p = 0.005 two-sided is 5.598, at 80 % 0.941.
        Assert.Equal((5.598 + 0.941) * 0.0070711, claim.SmallestDetectable!.Value, 1e-4);
        Assert.Equal(ClaimStanding.Finding, claim.Standing);

        Claim other = Of(judged, "OTHER", ClaimMeasure.FinalLoss);
        Assert.Equal(other.P, other.AdjustedP);
        Assert.Equal(ClaimStanding.Reading, other.Standing);
        Assert.StartsWith("p 0.", other.Objection, StringComparison.Ordinal);
    }

    [Fact]
    public void ManyArms_TakeAFindingAway()
    {
        // p = 0.005 by itself: a finding of one arm, none of six.
        double[] values = [-0.10, -0.16, -0.07, -0.13, -0.06];
        Claim alone = Of(Judge(Arm("A", values)), "A", ClaimMeasure.FinalLoss);
        Assert.InRange(alone.P!.Value, 0.002, 0.01);
        Assert.Equal(ClaimStanding.Finding, alone.Standing);
        double[] noise = [0.02, -0.03, 0.01, 0.0, -0.01];
        Claim oneOfSix = Of(
            Judge([Arm("A", values), .. "BCDEF".Select(name => Arm(name.ToString(), noise))]),
            "A",
            ClaimMeasure.FinalLoss
        );
        Assert.Equal(6 * alone.P!.Value, oneOfSix.AdjustedP!.Value, 1e-12);
        Assert.Equal(ClaimStanding.Reading, oneOfSix.Standing);
    }

    [Fact]
    public void Holm_IsNoneSmallerThanOneBefore()
    {
        Judgement judged = Judge(
            Arm("A", [-0.10, -0.16, -0.07, -0.13, -0.06]),
            Arm("B", [-0.10, -0.16, -0.07, -0.13, -0.065]),
            Arm("C", [0.02, -0.03, 0.01, 0.0, -0.01])
        );
        double[] p = [.. "ABC".Select(arm => Of(judged, arm.ToString(), ClaimMeasure.FinalLoss).P!.Value)];
        double[] adjusted =
        [
            .. "ABC".Select(arm => Of(judged, arm.ToString(), ClaimMeasure.FinalLoss).AdjustedP!.Value),
        ];
        Assert.True(p[1] < p[0]);
        Assert.Equal(3 * p[1], adjusted[1], 1e-12);
        Assert.Equal(Math.Max(3 * p[1], 2 * p[0]), adjusted[0], 1e-12);
        Assert.Equal(p[2], adjusted[2], 1e-12);
    }

    [Theory]
    [InlineData(4, true, "4 of 5 seeds")]
    [InlineData(5, false, "not paired")]
    public void WhatTheRulesDoNotCarry_IsAReading(int seeds, bool paired, string objection)
    {
        Claim claim = Of(Judge(Arm("SALT", Five[..seeds], paired)), "SALT", ClaimMeasure.FinalLoss);
        Assert.Equal(ClaimStanding.Reading, claim.Standing);
        Assert.Contains(objection, claim.Objection, StringComparison.Ordinal);
    }

    [Fact]
    public void Costs_AreTestedOnLogarithms_AndOnlyWhereEverySeedReached()
    {
        double?[] ratios = [0.8, 0.85, 0.78, 0.81, 0.83];
        Judgement judged = Judge(Arm("SALT", Five, flops: ratios));
        Claim claim = Of(judged, "SALT", ClaimMeasure.Flops);
        Assert.Equal(Math.Exp(ratios.Average(ratio => Math.Log(ratio!.Value))), claim.Effect!.Mean, 1e-12);
        Assert.Equal(ClaimStanding.Finding, claim.Standing);
        Assert.InRange(claim.SmallestDetectable!.Value, 0.85, 0.97);
        ratios[2] = null;
        Assert.Equal(
            ClaimStanding.Nothing,
            Of(Judge(Arm("SALT", Five, flops: ratios)), "SALT", ClaimMeasure.Flops).Standing
        );
        Assert.Equal(ClaimStanding.Nothing, Of(judged, "SALT", ClaimMeasure.EqualChargedFlops).Standing);
    }

    [Fact]
    public void EqualChargedFlops_AreNeverAFinding()
    {
        var claim = new Claim
        {
            Arm = "SALT",
            Measure = ClaimMeasure.EqualChargedFlops,
            Seeds = 9,
            Paired = true,
            Effect = new PairedInterval(-0.3, -0.31, -0.29, 9),
            AdjustedP = 1e-9,
        };
        Assert.Equal(ClaimStanding.Reading, claim.Standing);
        Assert.Contains("mid-schedule", claim.Objection, StringComparison.Ordinal);
        Assert.Equal(ClaimStanding.Finding, (claim with { Measure = ClaimMeasure.FinalLoss }).Standing);
    }

    // The same seeds; the choice of documents doubles the variance.
    [Fact]
    public void FinalLoss_IsJudgedOverDocumentsToo_WhereTheVerdictSaysThem()
    {
        JsonObject arm = JsonNode.Parse(Arm("SALT", Five))!.AsObject();
        arm["small_models"] = 1;
        arm["documents"] = 40;
        arm["final_loss_difference_crossed_se"] = 0.03;
        arm["final_loss_difference_crossed_degrees"] = 8;
        Claim claim = Of(Judge(arm.ToJsonString()), "SALT", ClaimMeasure.FinalLoss);

        // t = −3.333 at 8 degrees of freedom: p = 0.0103, so no finding any more; 2.306 · 0.03 is the half width.
        Assert.Equal(0.0103, claim.P!.Value, 1e-4);
        Assert.Equal(ClaimStanding.Reading, claim.Standing);
        Assert.Equal(-0.1 - (2.306 * 0.03), claim.Effect!.Lower!.Value, 1e-5);
        Assert.Equal((1, 40), (claim.SmallModels, claim.Documents));
        Assert.Null(Of(Judge(Arm("SALT", Five)), "SALT", ClaimMeasure.FinalLoss).Documents);
    }

    [Fact]
    public void OneSeed_HasNoP_AndEqualValuesNoSpread()
    {
        Claim one = Of(Judge(Arm("SALT", [-0.1])), "SALT", ClaimMeasure.FinalLoss);
        Assert.Null(one.P);
        Assert.Equal("1 of 5 seeds", one.Objection);
        Assert.Equal(0, Of(Judge(Arm("SALT", [-1, -1, -1, -1, -1])), "SALT", ClaimMeasure.FinalLoss).P);
        Assert.Equal(1, Of(Judge(Arm("SALT", [0, 0, 0, 0, 0])), "SALT", ClaimMeasure.FinalLoss).P);
    }

    [Theory]
    [InlineData("{\"schema\":\"saltern.result/1\"}", "saltern.result/1")]
    [InlineData("{}", "no verdict")]
    [InlineData("{\"schema\":\"saltern.verdict/1\",\"baseline\":3}", "no verdict")]
    [InlineData("[]", "no verdict")]
    public void WhatIsNoVerdict_IsRefused(string json, string word)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        DataFormatException error = Assert.Throws<DataFormatException>(() =>
            Judgement.Of(document.RootElement, "verdict.json")
        );
        Assert.Contains(word, error.Message, StringComparison.Ordinal);
    }

    // What no program of ours writes: taken as it stands, infinite differences would have p = 0.
    [Theory]
    [InlineData("1e999", "0.8", "final_loss_difference of pair 1 of SALT is 1e999")]
    [InlineData("-0.1", "0", "flops_ratio of pair 1 of SALT is 0")]
    [InlineData("-0.1", "-0.8", "flops_ratio of pair 1")]
    public void NumbersThatCannotBe_AreRefused(string difference, string ratio, string problem)
    {
        string pair = $$"""{ "final_loss_difference": {{difference}}, "flops_ratio": {{ratio}} }""";
        string arm =
            $$"""{ "label": "SALT", "paired": true, "seconds_comparable": false, "pairs": [{{pair}}, {{pair}}] }""";
        DataFormatException error = Assert.Throws<DataFormatException>(() => Judge(arm));
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheLeaderboard_HasTheLowestLossFirst_AndNamesTheFindings()
    {
        Judgement judged = Judge(
            Arm("WORSE", [0.01, -0.02, 0.03, 0.0, 0.02], flops: [1.2, 1.21, 1.19, 1.2, 1.22]),
            Arm("SALT|x", Five)
        );
        string page = JudgementText.Leaderboard([
            new LeaderboardTrack("2026-01-01-x", "2026-01-01-x", ["0123456789"], judged),
        ]);
        string[] rows = [.. page.Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal))];
        Assert.StartsWith(
            "| SALT\\|x | 5 / – / – | – / – | -0.100".Replace('-', '\u2212'),
            rows[2].Replace('-', '\u2212'),
            StringComparison.Ordinal
        );
        Assert.EndsWith("| finding: final loss |", rows[2], StringComparison.Ordinal);
        Assert.StartsWith("| WORSE", rows[3], StringComparison.Ordinal);
        Assert.EndsWith("| finding: FLOPs (dearer) |", rows[3], StringComparison.Ordinal);
        Assert.Contains("Program: 0123456789.", page, StringComparison.Ordinal);
        Assert.Contains(
            "2 of 3 claims against BASELINE are findings",
            JudgementText.Write(judged),
            StringComparison.Ordinal
        );
    }

    private static Claim Of(Judgement judged, string arm, ClaimMeasure measure) =>
        Assert.Single(judged.Claims, claim => claim.Arm == arm && claim.Measure == measure);

    private static Judgement Judge(params string[] arms)
    {
        using JsonDocument verdict = JsonDocument.Parse(
            $$"""
            {
              "schema": "saltern.verdict/1",
              "baseline": { "label": "BASELINE", "final_loss": 4.0, "steps": 1500, "flops": 1e12 },
              "runs": [{{string.Join(",", arms)}}]
            }
            """
        );
        return Judgement.Of(verdict.RootElement, "verdict.json");
    }

    private static string Arm(string name, double[] losses, bool paired = true, double?[]? flops = null)
    {
        IEnumerable<string> pairs = losses.Select(
            (loss, i) =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $$"""{ "final_loss_difference": {{loss}}, "flops_ratio": {{(flops?[i] is double ratio ? ratio : "null")}} }"""
                )
        );
        return $$"""
            { "label": "{{name}}", "paired": {{(
                paired ? "true" : "false"
            )}}, "seconds_comparable": false, "pairs": [{{string.Join(",", pairs)}}] }
            """;
    }
}
