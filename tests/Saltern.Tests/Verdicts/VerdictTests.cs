using System.Globalization;
using System.Text.Json;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class VerdictTests
{
    private static readonly int[] Seeds = [1, 2, 3];

    [Fact]
    public void Compute_IsTheWorkedExample()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();

        VerdictRun run = Verdict.Compute([baseline], [salt]).Runs[0];

        Assert.True(run.Reached);
        Assert.True(run.Held);
        Assert.Equal(795.03, run.StepsToBaseline!.Value, 2);
        Assert.Equal(0.7950, run.StepsRatio!.Value, 4);
        Assert.Equal(0.8251, run.FlopsRatio!.Value, 4);
        Assert.Equal(0.8251, run.FlopsRatioPasses!.Value, 4);
        Assert.Equal(1.1864, run.FlopsRatioTeacherCharged!.Value, 4);
        Assert.Equal(1.1864, run.SecondsRatioTeacherCharged!.Value, 4);
    }

    // Both ran 1,000 steps; the teacher was live for 250 at 0.12042 and cost 361.26 to train.
    [Fact]
    public void WholeRuns_AreComparedAtTheirOwnEnds()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();

        Verdict verdict = Verdict.Compute([baseline], [salt]);

        double free = 1 + (0.25 * 0.12042);
        Assert.Equal(free, verdict.Runs[0].WholeFlopsRatio!.Value, 1e-4);
        Assert.Equal(free + 0.36126, verdict.Runs[0].WholeFlopsRatioTeacherCharged!.Value, 1e-4);
        Assert.DoesNotContain("To their own ends", VerdictText.Write(verdict), StringComparison.Ordinal);

        // The other way round BASELINE is the cheaper one.
        VerdictRun turned = Verdict.Compute([salt], [baseline]).Runs[0];
        Assert.Equal(1 / (free + 0.36126), turned.WholeFlopsRatioTeacherCharged!.Value, 1e-4);
        Assert.Contains(
            $"everything charged, cost: {turned.Label} 0.719 of the FLOPs",
            VerdictText.Write(Verdict.Compute([salt], [baseline])),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Charged_IsSharedByTheStudents_AndPassesAreCountedApart()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        salt = salt with { Result = salt.Result with { Teacher = salt.Result.Teacher! with { PassFlops = 100 } } };

        VerdictRun run = Verdict.Compute([baseline], [salt], studentsServed: 4).Runs[0];

        Assert.Equal(0.8251, run.FlopsRatio!.Value, 4);
        Assert.Equal(0.8251 + 0.025, run.FlopsRatioPasses!.Value, 4);
        Assert.Equal(0.82514 + 0.025 + 0.09032, run.FlopsRatioTeacherCharged!.Value, 1e-4);
    }

    [Fact]
    public void BaselineThatRisesAtTheEnd_PaysItsOwnFirstCrossing()
    {
        // ℒ* = 3.6 is reached by the baseline itself halfway between 200 and 300.
        RunRecord baseline = FakeStudy.WithCurve("baseline", 1, (200, 3.7), (300, 3.5), (400, 3.6));
        RunRecord run = FakeStudy.WithCurve("plain", 1, (100, 3.7), (200, 3.5), (400, 3.5));
        Assert.Equal(150.0 / 250.0, Verdict.Compute([baseline], [run]).Runs[0].StepsRatio!.Value, 9);
    }

    [Fact]
    public void NotReached_HasNullRatios()
    {
        VerdictRun run = Verdict
            .Compute(
                [FakeStudy.WithCurve("baseline", 1, (1, 4), (2, 3))],
                [FakeStudy.WithCurve("other", 1, (1, 4), (2, 3.1))]
            )
            .Runs[0];
        Assert.False(run.Reached);
        Assert.Null(run.Held);
        Assert.Null(run.StepsRatio);
        Assert.Null(run.FlopsRatioTeacherCharged);
        Assert.Contains(
            "did not reach BASELINE's final validation loss (3.000 nats per token)",
            run.SentenceFree,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ReachedInSomeSeedsOnly_IsNotReached()
    {
        Verdict verdict = Verdict.Compute(
            [.. Seeds.Select(seed => FakeStudy.WithCurve("baseline", seed, (1, 4), (2, 3)))],
            [.. Seeds.Select(seed => FakeStudy.WithCurve("other", seed, (1, 3.9), (2, seed == 2 ? 3.1 : 2.9)))]
        );
        Assert.False(verdict.Runs[0].Reached);
        Assert.Contains("in 2 of 3 seeds", verdict.Runs[0].SentenceFree, StringComparison.Ordinal);
        Assert.Contains(verdict.Warnings, warning => warning.Contains("2 of 3 seeds only", StringComparison.Ordinal));
    }

    [Fact]
    public void WarningsThatSayTheSameOfSeveralArms_AreSaidOnce()
    {
        RunRecord[] others =
        [
            FakeStudy.Run("salt", 1, 3.5, 250),
            FakeStudy.Run("rkd", 1, 3.9, 1000),
            FakeStudy.Run("near", 1, 3.715, 250),
        ];
        others =
        [
            .. others.Select(
                (run, arm) =>
                    run with
                    {
                        Result = run.Result with { SecondsComparable = run.Result.Arm == "near" },

                        // Documents that differ by more (SALT) and even more (RKD) than what a standard error of 0.01 allows.
                        Documents =
                        [
                            .. run.Documents.Select(
                                (document, i) =>
                                    document with
                                    {
                                        Nll =
                                            document.Nll
                                            + (run.Result.Arm == "near" ? 0 : (arm + 1) * 100 * (1 - (i % 2 * 2))),
                                    }
                            ),
                        ],
                    }
            ),
        ];
        Verdict verdict = Verdict.Compute([FakeStudy.Run("baseline", 1, 3.715)], others);
        string[] errors =
        [
            .. verdict
                .Runs.Where(run => run.FinalLossDifferenceSe >= 0.01)
                .Select(run => run.FinalLossDifferenceSe!.Value.ToString("0.000", CultureInfo.InvariantCulture))
                .Order(StringComparer.Ordinal),
        ];
        Assert.Equal(2, errors.Distinct().Count());
        Assert.Equal(2, verdict.Warnings.Count);
        Assert.StartsWith("SALT, RKD: seconds do not compare", verdict.Warnings[0], StringComparison.Ordinal);
        Assert.StartsWith(
            $"SALT, RKD: the paired standard error of the final loss, {errors[0]} to {errors[1]} nats, is not below 0.01",
            verdict.Warnings[1],
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Pairs_AreMatchedBySeedWhateverTheirOrder()
    {
        RunRecord[] baselines = [.. Seeds.Select(seed => FakeStudy.WithCurve("baseline", seed, (0, 4), (100, 3)))];
        RunRecord[] others =
        [
            .. Seeds.Reverse().Select(seed => FakeStudy.WithCurve("other", seed, (0, 4), (seed * 20, 3), (100, 2.9))),
        ];

        VerdictRun run = Verdict.Compute(baselines, others).Runs[0];

        Assert.Equal([0.2, 0.4, 0.6], run.Pairs.Select(pair => Math.Round(pair.StepsRatio!.Value, 9)));
        Assert.Equal(Math.Pow(0.2 * 0.4 * 0.6, 1.0 / 3), run.StepsRatio!.Value, 9);
    }

    [Fact]
    public void OtherData_IsRefused()
    {
        RunRecord other = FakeStudy.Run("salt", 1, 3.6, 250);
        other = other with { Result = other.Result with { DataFingerprint = "data-b2" } };
        string message = Assert
            .Throws<DataFormatException>(() => Verdict.Compute([FakeStudy.Run("baseline", 1, 3.7)], [other]))
            .Message;
        Assert.Equal(
            "Run 'salt-1' was trained on data data-b2, its baseline 'baseline-1' on data-a1. "
                + "Only runs on the same data compare; train one of them again.",
            message
        );
    }

    [Fact]
    public void OtherInitialWeights_AreAWarning()
    {
        RunRecord other = FakeStudy.Run("salt", 1, 3.6, 250);
        other = other with { Result = other.Result with { InitialWeightsFingerprint = "elsewhere" } };
        Verdict verdict = Verdict.Compute([FakeStudy.Run("baseline", 1, 3.7)], [other]);
        Assert.False(verdict.Runs[0].Paired);
        Assert.Contains(
            verdict.Warnings,
            warning => warning.StartsWith("SALT is not paired", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void NoCommonSeed_SaysWhichThereAre()
    {
        string message = Assert
            .Throws<DataFormatException>(() =>
                Verdict.Compute(
                    [FakeStudy.Run("baseline", 1, 3.7), FakeStudy.Run("baseline", 3, 3.7)],
                    [FakeStudy.Run("salt", 2, 3.6), FakeStudy.Run("salt", 4, 3.6)]
                )
            )
            .Message;
        Assert.Equal(
            "SALT has seeds 2, 4, BASELINE has 1, 3. Only runs of the same seed compare; train one of these seeds.",
            message
        );
    }

    [Fact]
    public void AnotherNumberOfBaselinesThanOne_AndNothingBesideIt_AreRefused()
    {
        RunRecord baseline = FakeStudy.Run("baseline", 1, 3.7);
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6);
        Assert.StartsWith("2 baselines and 1 other runs", Refused([baseline, salt], [salt]), StringComparison.Ordinal);
        Assert.StartsWith("0 baselines and 1 other runs", Refused([], [salt]), StringComparison.Ordinal);
        Assert.Equal(
            "1 baselines and 0 other runs: a verdict needs one baseline (one run a seed) and at least one other run.",
            Refused([baseline], [])
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => Verdict.Compute([baseline], [salt], studentsServed: 0));

        static string Refused(RunRecord[] baselines, RunRecord[] others) =>
            Assert.Throws<DataFormatException>(() => Verdict.Compute(baselines, others)).Message;
    }

    [Fact]
    public void SameArmAndSeedTwice_AreTwoArmsByName_AndTheSameRunTwiceIsAnError()
    {
        RunRecord baseline = FakeStudy.Run("baseline", 1, 3.7);
        RunRecord step = FakeStudy.Run("salt", 1, 3.6, 250, name: "step");
        Assert.Equal(
            ["step", "cosine"],
            Verdict
                .Compute([baseline], [step, FakeStudy.Run("salt", 1, 3.6, 300, name: "cosine")])
                .Runs.Select(run => run.Label)
        );
        Assert.Contains(
            "Give each run once",
            Assert.Throws<DataFormatException>(() => Verdict.Compute([baseline], [step, step])).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(new string[0], new string[0], 2, true)]
    [InlineData(new[] { "salt-1" }, new[] { "baseline-1" }, 2, true)]
    [InlineData(new[] { "rkd-1" }, new string[0], 2, false)]
    [InlineData(new string[0], new string[0], 4, false)]
    public void Seconds_CompareAloneOrInTurnsOnOneMachine(
        string[] baselineWith,
        string[] saltWith,
        int threads,
        bool comparable
    )
    {
        RunRecord baseline = FakeStudy.Run("baseline", 1, 3.7);
        RunRecord salt = FakeStudy.Run("salt", 1, 3.6, 250);
        baseline = baseline with { Result = baseline.Result with { InterleavedWith = baselineWith } };
        salt = salt with
        {
            Result = salt.Result with
            {
                InterleavedWith = saltWith,
                Machine = salt.Result.Machine with { Threads = threads },
            },
        };
        Assert.Equal(comparable, Verdict.Compute([baseline], [salt]).SecondsComparable);
    }

    [Fact]
    public void ToJson_HasTheNamesOfTheDesign()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        using JsonDocument json = JsonDocument.Parse(Verdict.Compute([baseline], [salt]).ToJson());
        JsonElement root = json.RootElement;
        JsonElement run = root.GetProperty("runs")[0];

        Assert.Equal("saltern.verdict/1", root.GetProperty("schema").GetString());
        Assert.All(
            ["name", "final_loss", "steps", "seconds", "flops"],
            name => Assert.True(root.GetProperty("baseline").TryGetProperty(name, out _), name)
        );
        Assert.All(
            ["seeds", "seconds_comparable", "truncated", "students_served"],
            name => Assert.True(root.TryGetProperty(name, out _), name)
        );
        Assert.All(
            [
                "name",
                "final_loss",
                "reached",
                "held",
                "steps_to_baseline",
                "steps_ratio",
                "steps_ratio_interval",
                "seconds_ratio",
                "flops_ratio",
                "seconds_ratio_interval",
                "seconds_ratio_passes",
                "flops_ratio_passes",
                "seconds_ratio_teacher_charged",
                "flops_ratio_teacher_charged",
                "flops_ratio_teacher_charged_interval",
            ],
            name => Assert.True(run.TryGetProperty(name, out _), name)
        );
        Assert.Equal("loss", root.GetProperty("metric").GetString());
        Assert.Equal("reading", run.GetProperty("outcome_free").GetString());
        Assert.Equal(JsonValueKind.Null, run.GetProperty("steps_ratio_interval").ValueKind);
        Assert.Equal(0.8251, run.GetProperty("flops_ratio").GetDouble(), 4);
    }

    [Fact]
    public void ToJson_WritesIntervalsAsTwoNumbers()
    {
        using JsonDocument json = JsonDocument.Parse(Study(3.62, 250).ToJson());
        JsonElement run = json.RootElement.GetProperty("runs")[0];
        Assert.Equal(2, run.GetProperty("steps_ratio_interval").GetArrayLength());
        Assert.True(
            run.GetProperty("steps_ratio_interval")[0].GetDouble() < run.GetProperty("steps_ratio").GetDouble()
        );
        Assert.Equal([1, 2, 3], json.RootElement.GetProperty("seeds").EnumerateArray().Select(seed => seed.GetInt32()));
    }

    internal static Verdict Study(double finalLoss, int stage1End) =>
        Verdict.Compute(
            [.. Seeds.Select(seed => FakeStudy.Run("baseline", seed, 3.715 + 0.01 * seed))],
            [.. Seeds.Select(seed => FakeStudy.Run("salt", seed, finalLoss + 0.012 * seed, stage1End))]
        );
}
