using System.Diagnostics;
// What a step of each arm costs in seconds, measured in turns, so that whatever else the machine does meets all arms alike (docs/method.md, "Seconds").
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Files;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Studies;

/// <summary>Median seconds of an arm's steps.</summary>
/// <param name="Plain">A step of the student alone.</param>
/// <param name="Taught">A step with the teacher; null without one.</param>
/// <param name="TeacherTraining">A step of the teacher's own training; null where its run is not there.</param>
/// <param name="TeacherSteps">Steps that the teacher's training took.</param>
internal sealed record ArmStepTimes(double Plain, double? Taught, double? TeacherTraining, int? TeacherSteps)
{
    /// <summary>Steps of the smaller models that the student grew out of, in order; empty where it did not grow.</summary>
    public IReadOnlyList<StageStepTimes> Stages { get; init; } = [];

    /// <summary>Seconds of steps without a teacher.</summary>
    /// <param name="after">The step before the first of them.</param>
    /// <param name="last">The last of them.</param>
    public double PlainSeconds(int after, int last)
    {
        double seconds = 0;
        foreach (StageStepTimes stage in Stages)
        {
            int steps = Math.Max(0, Math.Min(last, stage.LastStep) - after);
            seconds += steps * stage.Seconds;
            after += steps;
        }

        return seconds + (Math.Max(0, last - after) * Plain);
    }
}

/// <summary>Median seconds of a step of a smaller model that a student grew out of.</summary>
/// <param name="LastStep">Last step of the stage.</param>
internal sealed record StageStepTimes(int LastStep, double Seconds);

/// <summary>The kinds of step that an arm takes, by their keys.</summary>
internal sealed record ArmKinds(string Plain, string? Taught, string? Teacher, int? TeacherSteps)
{
    /// <summary>Last step and kind of each smaller model's steps.</summary>
    public IReadOnlyList<(int LastStep, string Kind)> Stages { get; init; } = [];
}

/// <summary>Step times of a study's arms, of one measurement.</summary>
internal sealed record StepTimes
{
    /// <summary>Name of the file in a study's folder.</summary>
    public const string FileName = "step-times.json";

    // A turn is long enough for the caches to be the step's own, short enough for every kind to meet the same moments.
    private const int WarmupSteps = 2;
    private const int StepsPerTurn = 3;

    /// <summary>Where it was measured.</summary>
    public required RunMachine Machine { get; init; }

    /// <summary>Turns that every kind of step had.</summary>
    public required int Rounds { get; init; }

    /// <summary>Share of the time in which others took more than a tenth of the used cores; null where nothing was watched.</summary>
    public required double? LoadedShare { get; init; }

    /// <summary>By arm.</summary>
    public required IReadOnlyDictionary<string, ArmStepTimes> Arms { get; init; }

    /// <summary>What a reader has to know about seconds that come from here.</summary>
    [JsonIgnore]
    public string Note
    {
        get
        {
            string load = "";
            if (LoadedShare is double loaded)
            {
                load = string.Create(
                    CultureInfo.InvariantCulture,
                    $", with other load in {100 * loaded:0} % of the time"
                );
            }

            return string.Create(
                CultureInfo.InvariantCulture,
                $"Seconds are each arm's steps times the median of their kind, measured in {Rounds} turns "
                    + $"on {Machine.Threads} thread(s) of {Machine.Processor}{load}."
            );
        }
    }

    /// <summary>Reads the file of a study's folder; null where there is none.</summary>
    /// <exception cref="DataFormatException">The file is damaged.</exception>
    public static StepTimes? Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        try
        {
            if (!File.Exists(path))
            {
                return null;
            }

            byte[] file = Disk.Current.ReadAllBytes(path);
            SelfChecksum.Require(file, path, "Remove it; the study measures its steps again.");
            return JsonSerializer.Deserialize<StepTimes>(file, ReportJson.Options);
        }
        catch (JsonException e)
        {
            throw new DataFormatException(
                $"'{path}' is damaged: {e.Message} Remove it; the study measures its steps again.",
                e
            );
        }
    }

    /// <summary>Writes the file into a study's folder.</summary>
    public void Save(string folder) =>
        WholeFile.WriteText(
            Path.Combine(folder, FileName),
            SelfChecksum.Add(JsonSerializer.Serialize(this, ReportJson.Options))
        );

    /// <summary>Measures every kind of step that the arms take, in turns.</summary>
    /// <param name="arms">A recipe for each arm; data sets and teachers must be there.</param>
    /// <param name="threads">Threads where recipes give none.</param>
    /// <param name="rounds">Turns of a few steps for each kind.</param>
    /// <param name="log">Told what is measured.</param>
    /// <param name="cancellation">Ends it between two turns.</param>
    public static StepTimes Measure(
        IReadOnlyDictionary<string, RunConfig> arms,
        int threads,
        int rounds,
        Action<string> log,
        CancellationToken cancellation
    )
    {
        int used = arms.Values.First().Threads ?? threads;
        ComputePlan compute = ComputePlan.Of(arms.Values.First());
        torch.set_num_threads(used);
        MatrixProduct.Use(ComputePlan.ChooseProducts(arms.Values.First(), resumed: null));
        var load = new OtherLoad(used);
        load.Sample();
        var kinds = new Dictionary<string, TimedSteps>(StringComparer.Ordinal);
        try
        {
            Dictionary<string, ArmKinds> wanted = arms.ToDictionary(
                arm => arm.Key,
                arm => Kinds(kinds, arm.Value, used)
            );
            log($"{kinds.Count} kinds of step, {rounds} turns each");
            for (int round = 0; round < rounds; round++)
            {
                foreach (TimedSteps kind in kinds.Values)
                {
                    cancellation.ThrowIfCancellationRequested();
                    kind.Turn(StepsPerTurn);
                }
            }

            double peak = compute.MeasurePeak();
            (double watched, double loaded) = load.Sample();
            double? MedianOf(string? kind) => kind is null ? null : kinds[kind].Median;
            return new StepTimes
            {
                Machine = MachineDescription.Of(compute, used, MatrixProduct.Library, peak),
                Rounds = rounds,
                LoadedShare = watched > 0 ? loaded / watched : null,
                Arms = wanted.ToDictionary(
                    arm => arm.Key,
                    arm => new ArmStepTimes(
                        kinds[arm.Value.Plain].Median
                            ?? throw new UnreachableException("Plain steps are always timed."),
                        MedianOf(arm.Value.Taught),
                        MedianOf(arm.Value.Teacher),
                        arm.Value.TeacherSteps
                    )
                    {
                        Stages =
                        [
                            .. arm.Value.Stages.Select(stage => new StageStepTimes(
                                stage.LastStep,
                                MedianOf(stage.Kind) ?? throw new UnreachableException("Plain steps are always timed.")
                            )),
                        ],
                    }
                ),
            };
        }
        finally
        {
            foreach (TimedSteps kind in kinds.Values)
            {
                kind.Dispose();
            }
        }
    }

    /// <summary>A run with its seconds reckoned from these times: its steps with and without a teacher, each at the median of its kind.</summary>
    /// <param name="run">A run of one of the arms.</param>
    /// <returns>Where its arm, or its steps with a teacher, were not measured, the run as it is, its seconds marked as not comparable.</returns>
    public RunRecord Apply(RunRecord run)
    {
        bool wasGuided = run.Metrics.Series(MetricNames.TeacherWeight).Any(point => point.Value > 0);
        if (!Arms.TryGetValue(run.Result.Arm, out ArmStepTimes? times) || (wasGuided && times.Taught is null))
        {
            // Its own clock means nothing beside seconds that were reckoned.
            return run with { Result = run.Result with { SecondsComparable = false } };
        }

        int taughtSteps = 0;
        if (run.Result.Teacher is not null && times.Taught is not null)
        {
            taughtSteps = run.Result.Stage1EndStep ?? 0;
        }

        double SecondsAt(int step)
        {
            int withTeacher = Math.Min(step, taughtSteps);
            if (times.Stages.Count == 0)
            {
                return (times.Taught * withTeacher ?? 0) + times.PlainSeconds(withTeacher, step);
            }

            // What the teacher adds to a step does not depend on the student's size.
            return times.PlainSeconds(0, step) + ((times.Taught - times.Plain) * withTeacher ?? 0);
        }

        var metrics = new MetricsTable();
        foreach (int step in run.Metrics.Steps)
        {
            metrics.Add(step, run.Metrics.Row(step).Append(new(MetricNames.Seconds, SecondsAt(step))));
        }

        RunTeacher? teacher = run.Result.Teacher;
        if (teacher is not null && times.TeacherTraining * times.TeacherSteps is double cost)
        {
            // What came before its own run was timed by another clock.
            teacher = teacher with
            {
                TrainingSeconds = teacher.History.Count > 1 ? null : cost,
                History = [.. teacher.History.Select(each => each with { Seconds = null })],
            };
        }

        return run with
        {
            Metrics = metrics,
            Result = run.Result with
            {
                Seconds = SecondsAt(run.Result.Steps),
                Stages = [.. run.Result.Stages.Select(stage => stage with { Seconds = SecondsAt(stage.LastStep) })],
                // By another clock, which means nothing beside seconds that were reckoned.
                Origin = [.. run.Result.Origin.Select(each => each with { Seconds = null })],
                SecondsComparable = true,
                InterleavedWith = [],
                Machine = Machine,
                Teacher = teacher,
            },
        };
    }

    private static ArmKinds Kinds(Dictionary<string, TimedSteps> kinds, RunConfig recipe, int threads)
    {
        var stages = new List<(int LastStep, string Kind)>();
        if (recipe.Growth is { Count: > 0 })
        {
            GrowthPlan plan = RunParts.PlanStages(recipe);
            foreach (GrowthStage stage in plan.Stages.SkipLast(1))
            {
                RunConfig small = GuidanceKinds.Without(recipe.OfStage(stage)) with { Selection = null };
                stages.Add((stage.LastStep, Add(kinds, TimingRecipe(small), threads)));
            }

            recipe = recipe.OfStage(plan.Stages[^1]);
        }

        RunConfig plain = TimingRecipe(GuidanceKinds.Without(recipe) with { Selection = null });
        string? taught = null;
        string? teacher = null;
        int? teacherSteps = null;
        if (GuidanceKinds.Active(recipe) is GuidanceKind kind)
        {
            RunConfig guided = recipe;
            if (recipe.Teacher?.Cache is null)
            {
                // The weight stays where it begins: the teacher's cost does not depend on it.
                guided = kind.AtFullWeight(recipe) with
                {
                    Selection = null,
                };
            }

            taught = Add(kinds, TimingRecipe(guided), threads);
            if (
                recipe.Teacher?.Path is string path
                && Path.Combine(path, RunLayout.Recipe) is var described
                && File.Exists(described)
                && !RunConfig.IsOfFineTuning(described)
                && RecipeReader.Read<RunConfig>(described, []) is { Growth: null } own
            )
            {
                teacher = Add(kinds, TimingRecipe(GuidanceKinds.Without(own) with { Selection = null }), threads);
                string state = Path.Combine(ModelLocation.Resolve(path), Checkpoint.StateFile);
                teacherSteps = own.Training.Steps;
                if (File.Exists(state))
                {
                    teacherSteps = Checkpoint.LoadState(ModelLocation.Resolve(path)).Step;
                }
            }
        }

        return new ArmKinds(Add(kinds, plain, threads), taught, teacher, teacherSteps) { Stages = stages };
    }

    // What decides a step's time, and nothing else: arms that differ in schedule or seed share a kind. A cache fits one order of samples and one stage 1 alone.
    private static RunConfig TimingRecipe(RunConfig recipe)
    {
        if (recipe.Teacher?.Cache is not null)
        {
            return recipe with { Name = "step", Evaluation = null };
        }

        return recipe with
        {
            Name = "step",
            Seed = 1,
            Evaluation = null,
            Schedule = new(),
            Optimizer = recipe.Optimizer with { LearningRate = 1e-4 },
            Training = new TrainingConfig
            {
                Steps = 1_000_000,
                BatchSequences = recipe.Training.BatchSequences,
                MicroBatchSequences = recipe.Training.MicroBatchSequences,
                Recompute = recipe.Training.Recompute,
            },
        };
    }

    private static string Add(Dictionary<string, TimedSteps> kinds, RunConfig recipe, int threads)
    {
        string key = RecipeWriter.Write(recipe);
        if (!kinds.ContainsKey(key))
        {
            kinds.Add(key, new TimedSteps(recipe, threads));
        }

        return key;
    }

    /// <summary>A trainer that makes some steps at a time and remembers how long each took.</summary>
    private sealed class TimedSteps : IDisposable
    {
        private readonly RunParts _parts;
        private readonly Transformer _student;
        private readonly Trainer _trainer;
        private readonly List<double> _seconds = [];
        private readonly bool _wasGuided;

        public TimedSteps(RunConfig recipe, int threads)
        {
            _parts = RunParts.Open(recipe, resumed: null);
            _student = _parts.CreateStudent(recipe, resumedStep: null);
            StageGuidance guidance = _parts.CreateGuidance(recipe, threads);
            _trainer = new Trainer(recipe, _parts, _student, guidance, threads);
            _wasGuided = guidance.IsActive;
            for (int i = 0; i < WarmupSteps; i++)
            {
                _trainer.Step();
            }
        }

        public double? Median
        {
            get
            {
                if (_seconds.Count == 0)
                {
                    return null; // stage 1 was over before a step was timed
                }

                double[] sorted = [.. _seconds.Order()];
                return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
            }
        }

        public void Turn(int steps)
        {
            if (_wasGuided && !_trainer.Guidance.IsActive)
            {
                // Stage 1 of a cached run is over: what follows would be steps of another kind.
                return;
            }

            // The first step of a turn finds the caches full of another kind's data.
            _trainer.Step();
            for (int i = 0; i < steps && (!_wasGuided || _trainer.Guidance.IsActive); i++)
            {
                _seconds.Add(_trainer.Step().Seconds);
            }
        }

        public void Dispose()
        {
            _trainer.Dispose();
            _student.Dispose();
            _parts.Dispose();
        }
    }
}
