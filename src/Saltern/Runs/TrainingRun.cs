// The road of one run, top to bottom: open → (step, log, evaluate, save)* → conclusion (RunConclusion.cs).
using System.Diagnostics;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Evaluation;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.RunFiles;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>One run from recipe to result, in a folder of its own.</summary>
public sealed class TrainingRun : IDisposable
{
    private readonly TrainingRunOptions _options;
    private readonly RunParts _parts;
    private readonly Trainer _trainer;
    private readonly int[] _tokenBytes;
    private readonly RunFigures _figures;
    private readonly RunEvaluation _evaluation;
    private readonly RunSaver _saver;
    private readonly OtherLoad? _otherLoad;
    private readonly RunLog _log;
    private readonly double _peak;

    private TrainingRun(RunConfig config, RunFolder folder, TrainingRunOptions options, RunParts parts)
    {
        (Config, Folder, _options, _parts) = (config, folder, options, parts);
        Ranks.Activity = "opening the run";
        int threads = EngineChoices.Threads(config, folder.ResumeState, options);
        torch.set_num_threads(threads);
        MatrixProduct.Use(EngineChoices.Products(config, folder.ResumeState, options));
        _peak = options.MatmulPeak ?? parts.Compute.MeasurePeak();
        DomainNames = parts.Text.Domains;
        _tokenBytes = ModelEvaluation.TokenBytes(parts.Tokenizer);
        Transformer student = parts.CreateStudent(config, folder.ResumeStep is not null, options.Loading);
        Teacher? teacher = null;
        AlignmentStage? alignment = null;
        try
        {
            long loading = Stopwatch.GetTimestamp();
            teacher = parts.CreateTeacher(config, options.Loading);
            alignment = parts.CreateAlignment(config, threads);
            double teacherSeconds = Stopwatch.GetElapsedTime(loading).TotalSeconds;
            _trainer = new Trainer(
                config,
                student,
                teacher,
                parts.Batches,
                parts.Tokenizer.VocabularySize,
                DomainNames,
                parts.Compute,
                threads,
                alignment,
                Ranks,
                options.Transition
            );
            if (options.Transition is not null)
            {
                options.Log(
                    $"transition: {_trainer.Transition!.GetType().Name}, which the caller gave, in place of the recipe's {config.Distillation!.Transition}"
                );
            }

            if (folder.ResumeStep is int resumeStep)
            {
                string checkpoint = folder.Checkpoints.PathOf(resumeStep);
                _trainer.Restore(
                    Checkpoint.Load(checkpoint, student, _trainer.Optimizer, options.Loading) with
                    {
                        Threads = threads,
                        Ranks = Ranks.Size,
                        Products = MatrixProduct.Library,
                    }
                );
                Checkpoint.LoadAlignment(checkpoint, _trainer.Alignment);
                using torch.Tensor random = torch.tensor(Convert.FromBase64String(State.RandomState));
                torch.set_rng_state(random);
            }
            else
            {
                string initialWeights = RunParts.WeightsFingerprint(student);
                _trainer.Note(state =>
                    state with
                    {
                        Ranks = Ranks.Size,
                        PlannedSamples = RunParts.PlannedSamples(config, null),
                        Selection = parts.Selection?.Sha256 ?? "",
                        Products = MatrixProduct.Library,
                        InitialWeights = initialWeights,
                        DataFingerprint = parts.Text.Fingerprint,
                        TeacherWeights = parts.TeacherWeights,
                        Teacher = parts.TeacherRecord,
                    }
                );
                torch.manual_seed(config.Seed);
            }

            Ranks.RequireSameWeights(student);
            TeacherValidation? teacherValidation = parts.ValidateTeacher(_trainer.Teacher, threads, options);
            _trainer.Note(state =>
                state with
                {
                    TeacherSeconds = state.TeacherSeconds + teacherSeconds,
                    Teacher =
                        teacherValidation is null || state.Teacher is null
                            ? state.Teacher
                            : state.Teacher with
                            {
                                CurveLoss = teacherValidation.MeanNll,
                            },
                }
            );
            _log = new RunLog(_trainer, _peak * Ranks.Size);
            if (Leads)
            {
                // The other ranks of this machine would count as other load, so it is watched in a run of one process alone.
                _otherLoad = Ranks.Size == 1 ? new OtherLoad(threads) : null;
                folder.Claim(config.Training.Steps, options.Log);
            }

            _figures = new RunFigures(Leads ? folder : null, State.Step, options.Sinks);
            _evaluation = new RunEvaluation(
                config,
                parts,
                _trainer,
                _log,
                _figures,
                teacherValidation,
                _tokenBytes,
                options,
                folder.Path
            );
            _saver = new RunSaver(
                _trainer,
                config,
                folder,
                parts.Text.TokenizerJson,
                _figures,
                options,
                folder.ResumeStep ?? 0
            );
        }
        catch
        {
            teacher?.Dispose();
            alignment?.Dispose();
            student.Dispose();
            throw;
        }
    }

    /// <summary>The recipe.</summary>
    public RunConfig Config { get; }

    /// <summary>The run folder.</summary>
    public RunFolder Folder { get; }

    /// <summary>The model that is trained; owned by the run.</summary>
    public Transformer Student => _trainer.Student;

    /// <summary>Where the run stands.</summary>
    public TrainState State => _trainer.State;

    /// <summary>Whether this is rank 0: the one that writes and finishes.</summary>
    public bool Leads => Ranks.Rank == 0;

    /// <summary>Domains of the data set.</summary>
    public IReadOnlyList<string> DomainNames { get; }

    /// <summary>The teacher that gives soft labels, while it is in memory.</summary>
    public Teacher? Teacher => _trainer.Teacher;

    /// <summary>The alignment with a teacher's hidden states, while it lasts.</summary>
    public AlignmentStage? Alignment => _trainer.Alignment;

    /// <summary>Lines that describe what was derived, for the start of a log.</summary>
    public IReadOnlyList<string> Description() => RunDescription.Of(Config, _trainer, _parts, _peak);

    /// <summary>Opens a run; all mistakes in recipe and data end here, before any training and before anything is written.</summary>
    /// <exception cref="ConfigurationException">Something does not fit; every problem is listed.</exception>
    public static TrainingRun Open(RunConfig config, string folder, TrainingRunOptions options)
    {
        RunFolder run = RunFolder.Inspect(folder, config, options.Resume, options.Overrides, options.Log);
        return Open(config, run, options, () => RunParts.Open(config, run.ResumeState, options.VerifyData));
    }

    /// <summary>Opens a run in a folder that was inspected; takes the folder over.</summary>
    internal static TrainingRun Open(RunConfig config, RunFolder run, TrainingRunOptions options, Func<RunParts> open)
    {
        RunParts? parts = null;
        try
        {
            RankProblems.Refuse(config, options.Ranks);
            if (options.Transition is not null && !config.Distils)
            {
                throw new ConfigurationException(
                    "A transition was given, but the recipe distils nothing, so it would be ignored. Give the recipe the sections teacher and distillation, with a weight above 0."
                );
            }

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
                    $"data: {config.Data.Path} was written by another program; nothing proves that {config.Data.Tokenizer} made its tokens. Unverified, all ids within the vocabulary."
                );
            }

            if (
                (config.Distillation?.Schedule ?? config.Alignment?.Schedule)
                    is { Start: StepPoint start, End: StepPoint end } schedule
                && start.Resolve(config.Training.Steps) == end.Resolve(config.Training.Steps)
            )
            {
                options.Log(
                    $"{schedule.Section}.start = {start} and {schedule.Section}.end = {end} are the same step of {config.Training.Steps}: {(config.Aligns ? "λ" : "ω")} falls to 0 within one step."
                );
            }

            parts.Warn(options.Log);
            return new TrainingRun(config, run, options, parts);
        }
        catch
        {
            parts?.Dispose();
            run.Dispose();
            throw;
        }
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

    private RunStatus RunSteps(int untilStep, CancellationToken cancellation)
    {
        int last = Math.Min(untilStep, Config.Training.Steps);
        _otherLoad?.Sample();
        while (State.Step < last)
        {
            // A signal may reach one rank alone: all end after the same step.
            if (Ranks.Any(cancellation.IsCancellationRequested))
            {
                if (_log.HasSteps)
                {
                    _figures.Write(_log.Line());
                }

                _saver.Save();
                return RunStatus.Interrupted;
            }

            bool hadTeacher = _trainer.HasTeacher;
            StepReport report = _trainer.Step();
            WatchLoad();
            _log.Add(report);
            _options.OnStep?.Invoke(report);
            if (hadTeacher && !_trainer.HasTeacher)
            {
                SayStage1IsOver(report.Step);
            }

            HandleSkipped(report);
            bool isLast = report.Step == Config.Training.Steps;
            bool saves = Config.Training.SavesAfter(report.Step);
            bool evaluates = isLast || report.Step % Config.Training.EvaluateEvery == 0;

            // A line before every checkpoint: its means then never reach across a resume.
            if (saves || (evaluates && Config.Training.KeepBest) || report.Step % Config.Training.LogEvery == 0)
            {
                _trainer.Timed(
                    Ranks,
                    (state, seconds) => state with { LoggingSeconds = state.LoggingSeconds + seconds },
                    () => _figures.Write(_log.Line())
                );
            }

            if (evaluates)
            {
                double loss = _evaluation.EvaluateCurve();
                saves |= Config.Training.KeepBest && _evaluation.IsBest(loss);
            }

            if (_parts.Instruments?.RunsTasksAfter(report.Step, Config.Training) == true)
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

        return Conclusion.Write(Config, truncated, _peak, _options, fineTuning);
    }

    /// <summary>What ranks other than the first do while that one finishes: their share of the last evaluation.</summary>
    public void Assist() => Conclusion.Measure(Config, _options);

    /// <inheritdoc/>
    public void Dispose()
    {
        _saver.Dispose();

        _figures.Dispose();
        _trainer.Student.Dispose();
        _trainer.Dispose();
        _parts.Dispose();
        Folder.Dispose();
    }

    private ICommunicator Ranks => _options.Ranks;

    private RunConclusion Conclusion => new(_parts, _trainer, Folder, _tokenBytes, DomainNames);

    private void SayStage1IsOver(int step)
    {
        _options.Log($"Stage 1 ended after step {step - 1} ({_trainer.Stage1EndReason}); the student goes on alone.");
        _figures.Write(new MetricsLine(step, [new(MetricNames.Stage1End, step - 1)]));
    }

    private void HandleSkipped(StepReport report)
    {
        if (report.SkippedBecause is null)
        {
            return;
        }

        _options.Log(report.SkippedBecause);
        _figures.Write(new MetricsLine(report.Step, [new(MetricNames.Skipped, State.SkippedInARow)]));
        if (State.SkippedInARow >= Config.Training.MaxSkippedSteps)
        {
            throw new TrainingException(
                $"{report.SkippedBecause} {State.SkippedInARow} steps in a row were not applied (training.max_skipped_steps = {Config.Training.MaxSkippedSteps}), so the run stops. "
                    + $"{_saver.LastGood()} A lower learning rate or a longer warm-up usually helps."
            );
        }
    }

    private void WatchLoad()
    {
        (double watched, double loaded) = _otherLoad?.Sample() ?? (0, 0);
        if (watched > 0)
        {
            _trainer.Note(state =>
                state with
                {
                    WatchedSeconds = state.WatchedSeconds + watched,
                    LoadedSeconds = state.LoadedSeconds + loaded,
                }
            );
        }
    }
}
