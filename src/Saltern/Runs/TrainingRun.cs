// The road of one run, top to bottom: open → (step, log, evaluate, save)* → conclusion (RunConclusion.cs).
using System.Diagnostics;
using System.Globalization;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Evaluation;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.RunFiles;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>One run from recipe to result, in a folder of its own.</summary>
public sealed class TrainingRun : IDisposable
{
    private readonly RunContext _run;
    private readonly int[] _tokenBytes;
    private readonly RunMetrics _metrics;
    private readonly RunEvaluation _evaluation;
    private readonly RunSaver _saver;
    private readonly OtherLoad? _otherLoad;
    private readonly RunLog _log;
    private readonly double _peak;

    private TrainingRun(RunContext run, double peak, TeacherValidation? teacherLosses)
    {
        (_run, _peak) = (run, peak);
        _tokenBytes = ModelEvaluation.TokenBytes(run.Parts.Tokenizer);
        _log = new RunLog(run.Trainer, peak * Ranks.Size);
        if (Leads)
        {
            // The other ranks of this machine would count as other load, so it is watched in a run of one process alone.
            _otherLoad = Ranks.Size == 1 ? new OtherLoad(State.Threads) : null;
            run.Folder.Claim(run.Config.Training.Steps, run.Options.Log);
        }

        bool writes = Leads && run.Folder.Finished is null;
        _metrics = new RunMetrics(writes ? run.Folder : null, State, run.Config, run.Options.Sinks);
        _evaluation = new RunEvaluation(run, _log, _metrics, teacherLosses, _tokenBytes);
        _saver = new RunSaver(run, _metrics);
    }

    /// <summary>The recipe.</summary>
    public RunConfig Config => _run.Config;

    /// <summary>The run folder.</summary>
    public RunFolder Folder => _run.Folder;

    /// <summary>The model that is trained; owned by the run.</summary>
    public Transformer Student => Trainer.Student;

    /// <summary>Where the run stands.</summary>
    internal TrainState State => Trainer.State;

    /// <summary>Steps made so far, those of an earlier start included.</summary>
    public int Step => State.Step;

    /// <summary>Whether this is rank 0: the one that writes and finishes.</summary>
    public bool Leads => Ranks.Rank == 0;

    /// <summary>Domains of the data set.</summary>
    public IReadOnlyList<string> DomainNames => _run.Parts.Text.Domains;

    /// <summary>What the small model adds; active as long as stage 1 lasts.</summary>
    internal StageGuidance Guidance => Trainer.Guidance;

    /// <summary>The teacher that gives soft labels, while it is there.</summary>
    public Teacher? Teacher => Guidance.Teacher;

    private Trainer Trainer => _run.Trainer;

    private ICommunicator Ranks => _run.Options.Ranks;

    private RunConclusion Conclusion => new(_run, _tokenBytes);

    /// <summary>Lines that describe what was derived, for the start of a log.</summary>
    public IReadOnlyList<string> Description() => RunDescription.Of(_run, _peak);

    /// <summary>Opens a run; all mistakes in recipe and data end here, before any training and before anything is written but the lock of its folder.</summary>
    /// <exception cref="ConfigurationException">Something does not fit; every problem is listed.</exception>
    public static TrainingRun Open(RunConfig config, string folder, TrainingRunOptions options)
    {
        RunFolder run = RunFolder.Inspect(
            folder,
            config,
            options.Ranks.Rank == 0,
            options.Resume,
            options.Overrides,
            options.Log
        );
        return Open(config, run, options, () => RunParts.Open(config, run.ResumeState, options.VerifyData));
    }

    /// <summary>Opens a run in a folder that was inspected; takes the folder over.</summary>
    internal static TrainingRun Open(RunConfig config, RunFolder run, TrainingRunOptions options, Func<RunParts> open)
    {
        RunParts? parts = null;
        try
        {
            RankProblems.Refuse(config, options.Ranks);
            RefuseIgnored(config, options);
            // Every rank has looked before rank 0 writes anything.
            options.Ranks.RequireSame(
                "The checkpoint to go on from",
                $"step {run.ResumeStep ?? 0}",
                $"Is {run.Path} on a disk that all ranks share?"
            );
            parts = open();
            if (parts.Text.IsUnverified)
            {
                options.Log(
                    $"data: {config.Data.Path} was written by another program; "
                        + $"nothing proves that {config.Data.Tokenizer} made its tokens. "
                        + "Unverified, all ids within the vocabulary."
                );
            }

            SayShortWindow(config, options.Log);
            parts.Warn(options.Log);
            return Start(config, run, options, parts);
        }
        catch
        {
            parts?.Dispose();
            run.Dispose();
            throw;
        }
    }

    // From here on the run computes: student, guidance and state, fresh or from a checkpoint.
    private static TrainingRun Start(RunConfig config, RunFolder folder, TrainingRunOptions options, RunParts parts)
    {
        options.Ranks.Activity = "opening the run";
        int threads = EngineChoices.Threads(config, folder.ResumeState, options);
        torch.set_num_threads(threads);
        MatrixProduct.Use(EngineChoices.Products(config, folder.ResumeState, options));
        parts.Compute = parts.Compute.AgreeOn(options.Ranks);
        double peak = options.MatmulPeak ?? parts.Compute.MeasurePeak();
        RunLimits.Require(
            parts.Stages.Stages[^1].Model,
            config.Device == ComputeDevice.Cpu,
            SystemLimits.FileBytes,
            SystemLimits.Memory()
        );
        Transformer student = parts.CreateStudent(config, folder.ResumeStep, options.Loading);
        StageGuidance? guidance = null;
        try
        {
            long loading = Stopwatch.GetTimestamp();
            Transition? own = OwnTransition(config, options, parts.Text.Domains.Count);
            guidance = parts.CreateGuidance(
                config,
                threads,
                new GuidanceOptions
                {
                    Transition = own,
                    Teacher = options.Teacher,
                    Loading = options.Loading,
                }
            );
            double teacherSeconds = Stopwatch.GetElapsedTime(loading).TotalSeconds;
            var trainer = new Trainer(config, parts, student, guidance, threads, options.Ranks);
            if (own is not null)
            {
                options.Log(
                    $"transition: {own.GetType().Name}, which the caller gave, in place of the recipe's {config.Distillation?.Transition}"
                );
            }

            if (options.Teacher is not null && guidance.Teacher is Teacher teacher)
            {
                options.Log($"teacher: {teacher.GetType().Name}, which the caller gave, around the recipe's");
            }

            if (folder.ResumeStep is int step)
            {
                Resume(trainer, parts.Compute, folder.Checkpoints.PathOf(step), threads, options);
            }
            else
            {
                trainer.Restore(parts.FreshState(config, student, threads, options.Ranks.Size));
                parts.FillState(trainer.Optimizer, student);
                torch.manual_seed(config.Seed);
            }

            options.Ranks.RequireSameWeights(student);
            TeacherValidation? losses = parts.ValidateTeacher(config, guidance.Teacher, threads, options);
            trainer.Note(state => WithTeacher(state, teacherSeconds, losses));
            return new TrainingRun(new RunContext(config, folder, options, parts, trainer), peak, losses);
        }
        catch
        {
            guidance?.Dispose();
            student.Dispose();
            throw;
        }
    }

    // Weights, moments, state and libtorch's random numbers, as the checkpoint has them.
    private static void Resume(
        Trainer trainer,
        ComputePlan compute,
        string checkpoint,
        int threads,
        TrainingRunOptions options
    )
    {
        TrainState state = Checkpoint.Load(checkpoint, trainer.Student, trainer.Optimizer, options.Loading);
        trainer.Restore(
            state with
            {
                Threads = threads,
                Ranks = options.Ranks.Size,
                Products = MatrixProduct.Library,
                Precision = compute.FoundPrecision,
            }
        );
        if (state.AveragedUpdates > 0)
        {
            Checkpoint.LoadAverage(checkpoint, trainer.Student, trainer.RestoreAverage(state.AveragedUpdates));
        }

        Checkpoint.LoadStage(checkpoint, new StageTensors(trainer.Guidance.Section, trainer.Guidance.State));
        trainer.Guidance.Resume(state.Updates);
        using torch.Tensor random = torch.tensor(Convert.FromBase64String(state.RandomState));
        torch.set_rng_state(random);
    }

    /// <summary>Trains up to a step; when it returns, no checkpoint is still being written.</summary>
    /// <param name="untilStep">Last step to make; not beyond the run's steps.</param>
    /// <param name="cancellation">Ends the run between two steps, after a checkpoint.</param>
    /// <exception cref="TrainingException">Too many steps in a row had a non-finite loss or gradient.</exception>
    /// <exception cref="CheckpointException">A checkpoint cannot be written; the one before it is intact.</exception>
    public RunStatus Continue(int untilStep, CancellationToken cancellation)
    {
        RunStatus status = RunSteps(untilStep, cancellation);
        _saver.Wait();
        return status;
    }

    /// <summary>Writes a checkpoint of the present step, for a run that is left here; all ranks must come here.</summary>
    /// <exception cref="CheckpointException">It cannot be written; the one before it is intact.</exception>
    internal void Leave()
    {
        SaveBeforeTheEnd();
        _saver.Wait();
    }

    private void SaveBeforeTheEnd()
    {
        if (_log.HasSteps)
        {
            _metrics.Write(_log.Line());
        }

        _saver.Save();
    }

    private RunStatus RunSteps(int untilStep, CancellationToken cancellation)
    {
        int last = Math.Min(untilStep, Config.Training.Steps);
        _otherLoad?.Sample();
        while (State.Step < last)
        {
            // A signal may reach one rank alone: all end after the same step.
            if (Ranks.Any(cancellation.IsCancellationRequested))
            {
                SaveBeforeTheEnd();
                return RunStatus.Interrupted;
            }

            bool wasGuided = Guidance.IsActive;
            StepReport report = Trainer.Step();
            WatchLoad();
            _log.Add(report);
            _run.Options.OnStep?.Invoke(report);
            if (wasGuided && !Guidance.IsActive)
            {
                SayStage1IsOver(report.Step);
            }

            if (report.Grown is RunStage stage)
            {
                SayGrown(report.Step, stage);
            }

            HandleSkipped(report);
            bool isLast = report.Step == Config.Training.Steps;
            bool saves = Config.Training.SavesAfter(report.Step) || _run.Parts.Stages.EndsAfter(report.Step);
            bool evaluates = isLast || report.Step % Config.Training.EvaluateEvery == 0;

            // A line before every checkpoint: its means then never reach across a resume.
            if (saves || (evaluates && Config.Training.KeepBest) || report.Step % Config.Training.LogEvery == 0)
            {
                Trainer.Timed(
                    (state, seconds) => state with { LoggingSeconds = state.LoggingSeconds + seconds },
                    () => _metrics.Write(_log.Line())
                );
            }

            if (evaluates)
            {
                double loss = _evaluation.EvaluateCurve();
                saves |= Config.Training.KeepBest && _evaluation.IsBest(loss);
            }

            if (_run.Parts.Instruments?.RunsTasksAfter(report.Step, Config.Training) == true)
            {
                _evaluation.EvaluateTasks();
            }

            if (saves)
            {
                _saver.Save();
            }
        }

        return RunStatus.Reached;
    }

    /// <summary>Evaluates on the whole set and writes result and per-document losses: on rank 0, while the others <see cref="Assist"/>.</summary>
    /// <param name="truncated">Whether the run ends before its planned steps.</param>
    public RunResult Finish(bool truncated = false) => Finish(truncated, fineTuning: null);

    /// <summary>As the other, with what fine-tuning adds to the result.</summary>
    internal RunResult Finish(bool truncated, FineTuningOutcome? fineTuning)
    {
        if (!Leads || (truncated && Ranks.Size > 1))
        {
            throw new InvalidOperationException(
                "Rank 0 alone finishes a run, and of several ranks only one that made all its steps."
            );
        }

        if (truncated)
        {
            if (State.Step % Config.Training.EvaluateEvery != 0)
            {
                _evaluation.EvaluateCurve();
            }

            _saver.Save();
            _saver.Wait();
        }

        RunResult result = Conclusion.Write(truncated, _peak, fineTuning);
        _metrics.Finish(new RunSamples { Step = State.Step, Samples = result.TextSamples });
        return result;
    }

    /// <summary>What ranks other than the first do while that one finishes: their share of the last evaluation.</summary>
    public void Assist() => Conclusion.Measure();

    /// <inheritdoc/>
    public void Dispose()
    {
        _saver.Dispose();

        _metrics.Dispose();
        Trainer.Student.Dispose();
        Trainer.Dispose();
        _run.Parts.Dispose();
        Folder.Dispose();
    }

    private static void SayShortWindow(RunConfig config, Action<string> log)
    {
        if (
            GuidanceKinds.Named(config) is GuidanceKind kind
            && kind.ScheduleOf(config) is { Start: StepPoint start, End: StepPoint end }
            && start.Resolve(config.Training.Steps) == end.Resolve(config.Training.Steps)
        )
        {
            log(
                $"{kind.Section}.start = {start} and {kind.Section}.end = {end} are the same step of {config.Training.Steps}: "
                    + $"{kind.Symbol} falls to 0 within one step."
            );
        }
    }

    private static TrainState WithTeacher(TrainState state, double seconds, TeacherValidation? losses)
    {
        TrainState counted = state with { TeacherSeconds = state.TeacherSeconds + seconds };
        if (losses is null || state.Teacher is null)
        {
            return counted;
        }

        return counted with
        {
            Teacher = state.Teacher with { CurveLoss = losses.MeanNll },
        };
    }

    private static Transition? OwnTransition(RunConfig config, TrainingRunOptions options, int domainCount)
    {
        if (config.Distillation is not DistillationConfig distillation)
        {
            return null;
        }

        return options.Transition?.Invoke(
            new TransitionContext(distillation, config.Training.Steps, config.Schedule.WarmupSteps, domainCount)
        );
    }

    private static void RefuseIgnored(RunConfig config, TrainingRunOptions options)
    {
        if (config.Distils || options is { Transition: null, Teacher: null })
        {
            return;
        }

        string given = options.Transition is null ? "teacher" : "transition";
        throw new ConfigurationException(
            $"A {given} was given, but the recipe distils nothing, so it would be ignored. "
                + "Give the recipe the sections teacher and distillation, with a weight above 0."
        );
    }

    private void SayStage1IsOver(int step)
    {
        // Found while this step began: the last one with the small model is the one before.
        string nothing = "";
        if (Guidance.EndReason == AutoTransition.NoGap)
        {
            nothing = " The teacher is not ahead of the student, so there is nothing to learn from it.";
        }

        _run.Options.Log(
            $"Stage 1 ended after step {step - 1} ({Guidance.EndReason}); the student goes on alone.{nothing}"
        );
        _metrics.Write(new MetricsLine(step, [new(MetricNames.Stage1End, step - 1)]));
    }

    private void SayGrown(int step, RunStage stage)
    {
        long parameters = Student.Parameters.Layout.ParameterCount;
        _run.Options.Log(
            string.Create(
                CultureInfo.InvariantCulture,
                $"The model grew after step {stage.LastStep}: {stage.Layers} to {Student.Config.NumHiddenLayers} layers, "
                    + $"hidden {stage.HiddenSize} to {Student.Config.HiddenSize}, "
                    + $"{stage.Parameters / 1e6:0.00}M to {parameters / 1e6:0.00}M parameters."
            )
        );
        _metrics.Write(
            new MetricsLine(
                step,
                [new(MetricNames.GrownAfter, stage.LastStep), new(MetricNames.GrownParameters, parameters)]
            )
        );
    }

    private void HandleSkipped(StepReport report)
    {
        if (report.SkippedBecause is null)
        {
            return;
        }

        _run.Options.Log(report.SkippedBecause);
        _metrics.Write(new MetricsLine(report.Step, [new(MetricNames.Skipped, State.SkippedInARow)]));
        if (State.SkippedInARow >= Config.Training.MaxSkippedSteps)
        {
            throw new TrainingException(
                $"{report.SkippedBecause} {State.SkippedInARow} steps in a row were not applied "
                    + $"(training.max_skipped_steps = {Config.Training.MaxSkippedSteps}), so the run stops. "
                    + $"{_run.Folder.LastGood()} A lower learning rate or a longer warm-up usually helps."
            );
        }
    }

    private void WatchLoad()
    {
        (double watched, double loaded) = _otherLoad?.Sample() ?? (0, 0);
        if (watched > 0)
        {
            Trainer.Note(state =>
                state with
                {
                    WatchedSeconds = state.WatchedSeconds + watched,
                    LoadedSeconds = state.LoadedSeconds + loaded,
                }
            );
        }
    }
}
