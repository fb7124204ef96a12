using Saltern.RunFiles;

namespace Saltern.Tests.Verdicts;

/// <summary>Runs with curves of the usual shape whose verdict is known, because every number is set here.</summary>
internal static class FakeStudy
{
    public const int Steps = 1000;
    public const double TeacherShare = 0.12042;

    /// <summary>A run whose loss falls like a power of the step to its end value, one FLOP and half a second a student step.</summary>
    public static RunRecord Run(
        string arm,
        int seed,
        double finalLoss,
        int stage1End = 0,
        double lead = 0,
        double weight = 0.667,
        string? name = null
    )
    {
        MetricsTable metrics = new();
        for (int step = 0; step <= Steps; step += 50)
        {
            double share = (double)step / Steps;
            double noise = 0.004 * Math.Sin(step * 0.7 + seed);
            double loss =
                finalLoss
                + 4.2 * Math.Exp(-9 * share)
                + 0.35 * (1 - share)
                + (step == Steps ? 0 : noise)
                - lead * Math.Sin(Math.PI * share);
            double taught = Math.Min(step, stage1End) * TeacherShare;
            metrics.Add(
                step,
                Values(
                    ("valid/loss", loss),
                    ("valid/accuracy", 0.6 - 0.07 * loss),
                    ("seconds", 0.5 * (step + taught)),
                    ("cost/flops", 1e9 * (step + taught)),
                    ("train/weight", stage1End > 0 && step < stage1End ? weight : 0),
                    (
                        "train/learning_rate",
                        step < 100 ? 3e-3 * step / 100 : 1.5e-3 * (1.1 + 0.9 * Math.Cos(Math.PI * share))
                    )
                )
            );
        }

        bool taughtAtAll = stage1End > 0;
        return new RunRecord
        {
            Metrics = metrics,
            RecipeText =
                $"name: {arm}-{seed}\nseed: {seed}\noptimizer: {{ learning_rate: 3.0e-3 }}\n"
                + (taughtAtAll ? "distillation: { weight: 0.667, transition: step }\n" : ""),
            Documents =
            [
                .. Enumerable
                    .Range(0, 20)
                    .Select(i => new DocumentScore(
                        i % 2 == 0 ? "stories" : "wiki",
                        i,
                        1000,
                        1000 * finalLoss + 30 * Math.Sin(i + 50 * finalLoss)
                    )),
            ],
            Result = new RunResult
            {
                Name = name ?? $"{arm}-{seed}",
                Arm = arm,
                Seed = seed,
                Steps = Steps,
                PlannedSteps = Steps,
                Tokens = 4_096_000,
                Samples = 16_000,
                Seconds = 0.5 * Steps,
                Flops = 1e9 * Steps,
                StudentParameters = 1_300_000,
                DataFingerprint = "data-a1",
                OrderFingerprint = $"order-{seed}",
                InitialWeightsFingerprint = $"weights-{seed}",
                SecondsComparable = true,
                Stage1EndStep = taughtAtAll ? stage1End : null,
                Stage1EndReason = taughtAtAll ? "schedule" : null,
                Teacher = taughtAtAll
                    ? new RunTeacher
                    {
                        Name = "small",
                        Parameters = 300_000,
                        TrainingFlops = 361.26e9,
                        TrainingSeconds = 180.6,
                        FinalLoss = 3.9,
                        CurveLoss = 3.88,
                    }
                    : null,
                Final = new FinalScores
                {
                    Loss = finalLoss,
                    BitsPerByte = finalLoss / 2.7,
                    Accuracy = 0.6 - 0.07 * finalLoss,
                    Tokens = 20_000,
                    Domains = new Dictionary<string, DomainScores>
                    {
                        ["stories"] = new() { Loss = finalLoss - 0.4, Tokens = 10_000 },
                        ["wiki"] = new() { Loss = finalLoss + 0.4, Tokens = 10_000 },
                    },
                },
                Machine = new RunMachine
                {
                    Processor = "AMD EPYC",
                    Cores = 2,
                    Threads = 2,
                    MatmulPeakGflops = 163.2,
                },
                Versions = new Dictionary<string, string> { ["saltern"] = "0.1.0", ["libtorch"] = "2.10.0" },
                TextSamples = [new TextSample("Represents", $" a <b>collection</b> & more, by {arm} \u0001")],
            },
        };
    }

    /// <summary>A run with the given evaluations and one FLOP and one second a step.</summary>
    public static RunRecord WithCurve(string arm, int seed, params (int Step, double Loss)[] points)
    {
        RunRecord run = Run(arm, seed, points[^1].Loss);
        MetricsTable metrics = new();
        foreach ((int step, double loss) in points)
        {
            metrics.Add(
                step,
                Values(("valid/loss", loss), ("valid/accuracy", 1 / loss), ("seconds", step), ("cost/flops", step))
            );
        }

        return run with
        {
            Metrics = metrics,
        };
    }

    /// <summary>docs/method.md's worked study: the target 3.7150 is crossed between 3.7413 at 750 and 3.7121 at 800, after 250 steps with a live teacher.</summary>
    public static (RunRecord Baseline, RunRecord Salt) Worked()
    {
        RunRecord baseline = WithCurve("baseline", 1, (500, 4.0), (1000, 3.7150));
        RunRecord salt = WithCurve("salt", 1, (750, 3.7413), (800, 3.7121), (1000, 3.625));
        MetricsTable metrics = new();
        foreach ((int step, double loss) in new[] { (750, 3.7413), (800, 3.7121), (1000, 3.625) })
        {
            double cost = step + 250 * TeacherShare;
            metrics.Add(step, Values(("valid/loss", loss), ("seconds", cost), ("cost/flops", cost)));
        }

        RunTeacher teacher = new()
        {
            Name = "small",
            TrainingFlops = 361.26,
            TrainingSeconds = 361.26,
            FinalLoss = 3.9,
            CurveLoss = 3.88,
        };
        return (
            baseline,
            salt with
            {
                Metrics = metrics,
                Result = salt.Result with { Teacher = teacher, Stage1EndStep = 250 },
            }
        );
    }

    private static IEnumerable<KeyValuePair<string, double>> Values(params (string Name, double Value)[] values) =>
        values.Select(value => KeyValuePair.Create(value.Name, value.Value));
}
