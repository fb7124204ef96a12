using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Planning;
using Saltern.Runs;

namespace Saltern.Cli.Demo;

/// <summary>Sizes and steps of a demonstration. With the same steps, seed and type of products it gives the same numbers on every machine of a kind.</summary>
internal sealed record DemoPlan
{
    /// <summary>Shortest demonstration, minutes.</summary>
    public const double ShortestMinutes = 1;

    /// <summary>Longest demonstration, minutes.</summary>
    public const double LongestMinutes = 600;

    /// <summary>How much longer than planned it may take where other programs share the machine.</summary>
    public const double LoadedFactor = 1.6;

    /// <summary>Evaluations along a run, beside the one at its end.</summary>
    public const int Evaluations = 10;

    // A teacher that read twice as much as the student will: 0.74 of the steps instead of 0.80 (experiments/2026-11-25-salt-study).
    private const int TeacherStepsFactor = 2;

    // `auto` ends stage 1 by itself, at half of the run at the latest.
    private const double PlannedStage1Share = 0.5;

    // Tokenizer, shards, start of the engine, checkpoints, text samples and report, seconds.
    private const double SecondsAroundTraining = 25;

    // Fewer steps show nothing.
    private const int FewestSteps = 100;

    private DemoPlan(string student, string teacher, int vocabulary, int sequenceLength) =>
        (StudentPreset, TeacherPreset, Vocabulary, SequenceLength) = (student, teacher, vocabulary, sequenceLength);

    /// <summary>Type of all models' products, fp32 or bf16.</summary>
    public ComputePrecision Precision { get; init; } = ComputePrecision.Fp32;

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

    /// <summary>Steps of each student.</summary>
    public int Steps { get; init; } = 500;

    /// <summary>Steps of the teacher.</summary>
    public int TeacherSteps => TeacherStepsFactor * Steps;

    /// <summary>The sizes for a number of minutes.</summary>
    /// <param name="minutes">From 1 to 600.</param>
    /// <exception cref="ConfigurationException">The minutes are out of range.</exception>
    public static DemoPlan ForMinutes(double minutes) =>
        minutes switch
        {
            >= ShortestMinutes and < 20 => new DemoPlan("1m", "0.3m", 2_048, 128),
            >= 20 and <= LongestMinutes => new DemoPlan("3.5m", "1.3m", 4_096, 256),
            _ => throw new ConfigurationException(
                $"--minutes = {minutes} is outside [{ShortestMinutes}, {LongestMinutes}]."
            ),
        };

    /// <summary>The plan with as many steps as fit.</summary>
    /// <param name="minutes">On a machine that does nothing else; <see cref="LoadedFactor"/> of it at most on one that does.</param>
    /// <param name="spent">Seconds that are gone already.</param>
    /// <param name="speed">Measured here.</param>
    public DemoPlan Fitting(double minutes, double spent, DemoSpeed speed)
    {
        double quiet = Count((minutes * 60) - spent - SecondsAroundTraining, speed, speed.QuietShare);
        double loaded = Count((LoadedFactor * minutes * 60) - spent - SecondsAroundTraining, speed, 1);
        int steps = (int)Math.Min(quiet, loaded);
        return this with { Steps = Math.Max(FewestSteps, steps / 50 * 50) };
    }

    /// <summary>Seconds that teacher and students will take at a measured speed.</summary>
    public double Seconds(DemoSpeed speed) =>
        (Steps * PerStep(speed)) + EvaluationSeconds(speed) + SecondsAroundTraining;

    private static double Count(double seconds, DemoSpeed speed, double share) =>
        (seconds - (share * EvaluationSeconds(speed))) / (share * PerStep(speed));

    // All that one step of each student costs, the teacher's own training and its pass in stage 1 among it. A forward pass is a third of a step.
    private static double PerStep(DemoSpeed speed) =>
        (2 * speed.StudentStep)
        + speed.GrownStep
        + (TeacherStepsFactor * speed.TeacherStep)
        + (PlannedStage1Share * speed.TeacherStep / 3);

    // Along three students, and four times as much text at the end of each; the teacher's are cheaper and counted alike.
    private static double EvaluationSeconds(DemoSpeed speed) => 4 * (Evaluations + 4) * speed.Evaluation;

    /// <summary>Recipe of the teacher: plain training of the small shape, on another order of the samples than the students'.</summary>
    public RunConfig Teacher(string dataFolder, int seed) =>
        Run("teacher", dataFolder, seed + 1_000, TeacherPreset, TeacherSteps);

    /// <summary>Recipe of BASELINE: the student on its own.</summary>
    public RunConfig Baseline(string dataFolder, int seed) => Run("baseline", dataFolder, seed, StudentPreset, Steps);

    /// <summary>Recipe of SALT: the same student, same weights, same batches, with the teacher in stage 1.</summary>
    public RunConfig Salt(string dataFolder, string teacherFolder, int seed) =>
        Run("salt", dataFolder, seed, StudentPreset, Steps) with
        {
            Teacher = new TeacherConfig { Path = teacherFolder, Temperature = 1.0 },
            Distillation = new DistillationConfig { Weight = 0.667, Transition = TransitionKind.Auto },
        };

    /// <summary>Recipe of GROWN: the same batches; a model of fewer layers first, which grows into the student.</summary>
    public RunConfig Grown(string dataFolder, int seed)
    {
        RunConfig baseline = Run("grown", dataFolder, seed, StudentPreset, Steps);
        int layers = ModelPresets.Get(StudentPreset).NumHiddenLayers;
        return baseline with { Growth = SizeLaws.GrowthStages(layers, Steps) };
    }

    private RunConfig Run(string name, string dataFolder, int seed, string preset, int steps)
    {
        TransformerConfig shape = ModelPresets.Get(preset).Resolve(Vocabulary, SequenceLength);
        double weights = ModelFlops.Parameters(shape) - ((double)shape.VocabSize * shape.HiddenSize);
        return new RunConfig
        {
            Name = name,
            Seed = seed,
            Data = new DataConfig { Path = dataFolder, SequenceLength = SequenceLength },
            Model = new TransformerConfig { Preset = preset },
            Precision = Precision,
            Optimizer = new OptimizerConfig
            {
                Kind = OptimizerKind.Muon,
                LearningRate = SizeLaws.LearningRate(weights, (double)steps * BatchSequences * SequenceLength),
            },
            Schedule = new ScheduleConfig
            {
                Kind = ScheduleKind.Wsd,
                WarmupSteps = SizeLaws.WarmupSteps(steps),
                Decay = StepPoint.FromShare(SizeLaws.DecayShare),
                FinalShare = 0,
            },
            Training = new TrainingConfig
            {
                Steps = steps,
                BatchSequences = BatchSequences,
                EvaluateEvery = Math.Max(1, steps / Evaluations),
                CheckpointEvery = steps,
                EvaluationTokens = 16_384,
                FinalEvaluationTokens = 65_536,
            },
        };
    }
}

/// <summary>What this machine gives a demonstration's models, seconds.</summary>
/// <param name="StudentStep">A step of BASELINE.</param>
/// <param name="GrownStep">A step of GROWN, mean over the run.</param>
/// <param name="TeacherStep">A step of the teacher's training.</param>
/// <param name="Evaluation">One evaluation along a student's run.</param>
/// <param name="QuietShare">Share of these that they would take if no other program ran, in (0, 1].</param>
internal sealed record DemoSpeed(
    double StudentStep,
    double GrownStep,
    double TeacherStep,
    double Evaluation,
    double QuietShare
)
{
    // The two threads wait for each other now and then: this much of a core is the most that a quiet step takes of each.
    private const double BusyShare = 0.9;

    /// <summary>Measures steps of GROWN, which has those of BASELINE in it, and of the teacher. Writes nothing.</summary>
    /// <param name="plan">With any number of steps.</param>
    /// <param name="dataFolder">The prepared text.</param>
    /// <param name="threads">Threads of the runs.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    public static DemoSpeed Measure(DemoPlan plan, string dataFolder, int threads, CancellationToken cancellation)
    {
        BenchmarkResult student = Time(plan.Grown(dataFolder, 1), 5);
        BenchmarkResult teacher = Time(plan.Teacher(dataFolder, 1), 2);
        double whole = student.Plain.StepSeconds;
        double saved = student.SmallStages.Sum(stage => stage.Steps * (whole - stage.Phase.StepSeconds));
        double quiet = student.Plain.ProcessorSeconds / threads / BusyShare;
        return new DemoSpeed(
            whole,
            whole - (saved / plan.Steps),
            teacher.Plain.StepSeconds,
            student.EvaluationSeconds,
            Math.Clamp(quiet / whole, 0.05, 1)
        );

        BenchmarkResult Time(RunConfig recipe, double seconds) =>
            RecipeBenchmark.Run(recipe, threads, TimeSpan.FromSeconds(seconds), _ => { }, cancellation);
    }
}
