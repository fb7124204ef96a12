using Saltern.Batches;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Runs;

namespace Saltern.Cli.Demo;

/// <summary>Sizes and steps of a demonstration: a pure function of the minutes it may take and the type of its products, so that the same seed gives the same numbers on every machine that takes the same type.</summary>
public sealed record DemoPlan
{
    /// <summary>Shortest demonstration, minutes.</summary>
    public const double ShortestMinutes = 1;

    /// <summary>Longest demonstration, minutes.</summary>
    public const double LongestMinutes = 600;

    // What two quiet cores of the reference machine (Zen 3, AVX2) do end to end at these sizes, with the teacher's and the evaluations' share;
    // only the planned number of steps depends on it, never a result.
    private const double PlannedFlopsPerSecond = 62e9;

    // Processors with bfloat16 products make at least twice as much of the time: they are the newer ones, too.
    private const double PlannedBFloat16FlopsPerSecond = 2 * PlannedFlopsPerSecond;

    // `auto` ends stage 1 by itself, at half of the run at the latest.
    private const double PlannedStage1Share = 0.5;

    // Corpus, tokenizer, shards, start of the engine, final evaluation and report, seconds.
    private const double SecondsAroundTraining = 25;

    // A busy machine may take this much longer before the students are stopped early.
    private const double LimitFactor = 1.5;

    // The best of 4e-3, 8e-3 and 1.4e-2 for BASELINE (experiments/2026-11-23-demo-settings); both students have it.
    private const double LearningRate = 8e-3;

    private DemoPlan(
        double minutes,
        ComputePrecision precision,
        string student,
        string teacher,
        int vocabulary,
        int sequenceLength
    )
    {
        Precision = precision;
        double speed = precision == ComputePrecision.Bf16 ? PlannedBFloat16FlopsPerSecond : PlannedFlopsPerSecond;
        (Minutes, StudentPreset, TeacherPreset, Vocabulary, SequenceLength) = (
            minutes,
            student,
            teacher,
            vocabulary,
            sequenceLength
        );
        double tokens = BatchSequences * SequenceLength;
        double studentStep = tokens * ModelFlops.TrainingPerToken(Shape(student), sequenceLength);
        double teacherForward = tokens * ModelFlops.ForwardPerToken(Shape(teacher), sequenceLength);
        double perStep = (2 * studentStep) + (3 * teacherForward) + (PlannedStage1Share * teacherForward);
        int steps = (int)(((minutes * 60) - SecondsAroundTraining) * speed / perStep);
        Steps = Math.Max(50, steps / 50 * 50);
    }

    /// <summary>Minutes it is planned for.</summary>
    public double Minutes { get; }

    /// <summary>Type of all three models' products, fp32 or bf16.</summary>
    public ComputePrecision Precision { get; }

    /// <summary>Time after which the students are stopped, both at the same step.</summary>
    public TimeSpan Limit => TimeSpan.FromMinutes(Minutes * LimitFactor);

    /// <summary>Time after which the teacher is taken as it is.</summary>
    public TimeSpan TeacherLimit => 0.35 * Limit;

    /// <summary>Shape of the students.</summary>
    public string StudentPreset { get; }

    /// <summary>Shape of the teacher.</summary>
    public string TeacherPreset { get; }

    /// <summary>Token ids.</summary>
    public int Vocabulary { get; }

    /// <summary>T, tokens.</summary>
    public int SequenceLength { get; }

    /// <summary>Sequences of a step.</summary>
    public static int BatchSequences => 16;

    /// <summary>Steps of each of the three models.</summary>
    public int Steps { get; }

    /// <summary>Steps between evaluations: a dozen along a run, which cost 6 % of its time.</summary>
    public int EvaluateEvery => Math.Max(1, Steps / 10);

    /// <summary>Refuses minutes that nothing is planned for.</summary>
    /// <exception cref="ConfigurationException">The minutes are out of range.</exception>
    public static void Check(double minutes) => ForMinutes(minutes);

    /// <summary>The plan for a number of minutes.</summary>
    /// <param name="minutes">From 1 to 600.</param>
    /// <param name="precision">fp32 or bf16.</param>
    /// <exception cref="ConfigurationException">The minutes are out of range.</exception>
    public static DemoPlan ForMinutes(double minutes, ComputePrecision precision = ComputePrecision.Fp32) =>
        minutes switch
        {
            >= ShortestMinutes and < 20 => new DemoPlan(minutes, precision, "1m", "0.3m", 2_048, 128),
            >= 20 and <= LongestMinutes => new DemoPlan(minutes, precision, "3.5m", "1.3m", 4_096, 256),
            _ => throw new ConfigurationException(
                $"--minutes = {minutes} is outside [{ShortestMinutes}, {LongestMinutes}]."
            ),
        };

    /// <summary>Recipe of the teacher: plain training of the small shape, on another order of the samples than the students'.</summary>
    public RunConfig Teacher(string dataFolder, int seed) => Run("teacher", dataFolder, seed + 1_000, TeacherPreset);

    /// <summary>Recipe of BASELINE: the student on its own.</summary>
    public RunConfig Baseline(string dataFolder, int seed) => Run("baseline", dataFolder, seed, StudentPreset);

    /// <summary>Recipe of SALT: the same student, same weights, same batches, with the teacher in stage 1.</summary>
    public RunConfig Salt(string dataFolder, string teacherFolder, int seed) =>
        Run("salt", dataFolder, seed, StudentPreset) with
        {
            Teacher = new TeacherConfig { Path = teacherFolder, Temperature = 1.0 },
            Distillation = new DistillationConfig { Weight = 0.667, Transition = TransitionKind.Auto },
        };

    private RunConfig Run(string name, string dataFolder, int seed, string preset) =>
        new()
        {
            Name = name,
            Seed = seed,
            Data = new DataConfig { Path = dataFolder, SequenceLength = SequenceLength },
            Model = new TransformerConfig { Preset = preset },
            Precision = Precision,
            Optimizer = new OptimizerConfig { LearningRate = LearningRate },
            Schedule = new ScheduleConfig { WarmupSteps = Math.Min(60, Steps / 10), FinalShare = 0.1 },
            Training = new TrainingConfig
            {
                Steps = Steps,
                BatchSequences = BatchSequences,
                EvaluateEvery = EvaluateEvery,
                CheckpointEvery = Steps,
                EvaluationTokens = 16_384,
                FinalEvaluationTokens = 65_536,
            },
        };

    private TransformerConfig Shape(string preset) => ModelPresets.Get(preset).Resolve(Vocabulary, SequenceLength);
}
