// The road of one run, top to bottom: open → (step, log, evaluate, save)* → conclusion (RunConclusion.cs).
using System.Diagnostics;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Engine;
using Saltern.Evaluation;
using Saltern.Metrics;
using Saltern.Models;
using Saltern.Reporting;
using Saltern.Teachers;
using TorchSharp;

namespace Saltern.Training;

/// <summary>What a run is given besides its recipe.</summary>
public sealed record TrainingRunOptions
{
    /// <summary>Whether to go on from the newest good checkpoint.</summary>
    public bool Resume { get; init; }

    /// <summary>What <c>--set</c> gave; these keys may differ from a resumed run's recipe.</summary>
    public IReadOnlyCollection<RecipeOverride> Overrides { get; init; } = [];

    /// <summary>Whether to read every file of the data whole and compare checksums, even where that was done at an earlier start.</summary>
    public bool VerifyData { get; init; }

    /// <summary>Told what a person should know: one line each.</summary>
    public Action<string> Log { get; init; } = _ => { };

    /// <summary>Told how far the loading of weights is: initial ones, a teacher's, a checkpoint's.</summary>
    public IProgress<WeightProgress>? Loading { get; init; }

    /// <summary>Takes the figures beside the run folder's own files.</summary>
    public IReadOnlyList<IMetricsSink> Sinks { get; init; } = [];

    /// <summary>Told of every step.</summary>
    public Action<StepReport>? OnStep { get; init; }

    /// <summary>Threads where neither recipe nor resumed run says; null takes all cores.</summary>
    public int? DefaultThreads { get; init; }

    /// <summary>Speed of matrix products, FLOP/s; null measures it at the start.</summary>
    public double? MatmulPeak { get; init; }

    /// <summary>The ranks that train together, each with the same recipe and folder; owned by the caller. Rank 0 alone writes.</summary>
    public ICommunicator Ranks { get; init; } = new SingleProcess();

    /// <summary>Names of runs that advance in turns with this one in one process.</summary>
    public IReadOnlyList<string> InterleavedWith { get; init; } = [];
}

/// <summary>Why <see cref="TrainingRun.Continue"/> came back.</summary>
public enum RunStatus
{
    /// <summary>The step asked for is done.</summary>
    Reached,

    /// <summary>Cancelled between two steps; a checkpoint is written.</summary>
    Interrupted,
}

/// <summary>One run from recipe to result, in a folder of its own.</summary>
public sealed class TrainingRun : IDisposable
{
    private readonly TrainingRunOptions _options;
    private readonly RunParts _parts;
    private readonly Trainer _trainer;
    private readonly int[] _tokenBytes;
    private readonly MetricsLog? _metrics;
    private readonly TensorBoardLog? _events;
    private readonly OtherLoad? _otherLoad;
    private readonly RunLog _log;
    private readonly double _peak;
    private readonly TeacherValidation? _teacherValidation;
    private readonly BackgroundSaver _saver = new();
    private int _savedStep;

    private TrainingRun(RunConfig config, RunFolder folder, TrainingRunOptions options, RunParts parts)
    {
        (Config, Folder, _options, _parts) = (config, folder, options, parts);
        Ranks.Activity = "opening the run";
        int threads = ChooseThreads(config, folder.ResumeState, options);
        torch.set_num_threads(threads);
        MatrixProduct.Use(ChooseProducts(config, folder.ResumeState, options));
        _peak = options.MatmulPeak ?? MatmulPeak.Measure();
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
            _trainer = new Trainer(config, student, teacher, parts.Batches, parts.Tokenizer.VocabularySize, DomainNames, parts.Compute, threads, alignment, Ranks);
            if (folder.ResumeStep is int resumeStep)
            {
                string checkpoint = folder.Checkpoints.PathOf(resumeStep);
                _trainer.Restore(Checkpoint.Load(checkpoint, student, _trainer.Optimizer, options.Loading) with { Threads = threads, Ranks = Ranks.Size, Products = MatrixProduct.Library });
                Checkpoint.LoadAlignment(checkpoint, _trainer.Alignment);
                using torch.Tensor random = torch.tensor(Convert.FromBase64String(State.RandomState));
                torch.set_rng_state(random);
                _savedStep = resumeStep;
            }
            else
            {
                string initialWeights = RunParts.WeightsFingerprint(student);
                _trainer.Note(state => state with { Ranks = Ranks.Size, PlannedSamples = RunParts.PlannedSamples(config, null), Selection = parts.Selection?.Sha256 ?? "", Products = MatrixProduct.Library, InitialWeights = initialWeights, DataFingerprint = parts.Text.Fingerprint, TeacherWeights = parts.TeacherWeights, Teacher = parts.TeacherRecord });
                torch.manual_seed(config.Seed);
            }

            RequireSameWeights();
            _teacherValidation = !Leads ? null : parts.ValidateTeacher(_trainer.Teacher, threads, options.Log);
            _trainer.Note(state => state with
            {
                TeacherSeconds = state.TeacherSeconds + teacherSeconds,
                Teacher = _teacherValidation is null || state.Teacher is null ? state.Teacher : state.Teacher with { CurveLoss = _teacherValidation.MeanNll },
            });
            _log = new RunLog(_trainer, _peak * Ranks.Size);
            if (Leads)
            {
                // The other ranks of this machine would count as other load, so it is watched in a run of one process alone.
                _otherLoad = Ranks.Size == 1 ? new OtherLoad(threads) : null;
                folder.Claim(config.Training.Steps, options.Log);
                _metrics = new MetricsLog(folder.PathOf(RunFolder.MetricsFile), State.Step);
                _events = new TensorBoardLog(folder.Path);
            }
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

    /// <summary>Whether this is rank 0: the one that writes, evaluates and finishes.</summary>
    public bool Leads => Ranks.Rank == 0;

    /// <summary>Domains of the data set.</summary>
    public IReadOnlyList<string> DomainNames { get; }

    /// <summary>The teacher that gives soft labels, while it is in memory.</summary>
    public Teacher? Teacher => _trainer.Teacher;

    /// <summary>The alignment with a teacher's hidden states, while it lasts.</summary>
    public AlignmentStage? Alignment => _trainer.Alignment;

    /// <summary>Lines that describe what was derived, for the start of a log.</summary>
    public IReadOnlyList<string> Description() => RunDescription.Of(Config, Student, State, _parts, _peak, _trainer.HasTeacher);

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

            // Every rank has looked before rank 0 writes anything.
            options.Ranks.RequireSame("The checkpoint to go on from", $"step {run.ResumeStep ?? 0}", $"Is {run.Path} on a disk that all ranks share?");
            parts = open();
            if (parts.Text.IsUnverified)
            {
                options.Log($"data: {config.Data.Path} was written by another program; nothing proves that {config.Data.Tokenizer} made its tokens. Unverified, all ids within the vocabulary.");
            }

            if ((config.Distillation?.Schedule ?? config.Alignment?.Schedule) is { Start: StepPoint start, End: StepPoint end } schedule && start.Resolve(config.Training.Steps) == end.Resolve(config.Training.Steps))
            {
                options.Log($"{schedule.Section}.start = {start} and {schedule.Section}.end = {end} are the same step of {config.Training.Steps}: {(config.Aligns ? "λ" : "ω")} falls to 0 within one step.");
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
        WaitForSaver();
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
                    Write(_log.Line());
                }

                Save();
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
            bool isLast = report.Step == Config.Training.Steps, saves = isLast || report.Step % Config.Training.CheckpointEvery == 0;
            bool evaluates = isLast || report.Step % Config.Training.EvaluateEvery == 0;

            // A line before every checkpoint: its means then never reach across a resume.
            if (saves || (evaluates && Config.Training.KeepBest) || report.Step % Config.Training.LogEvery == 0)
            {
                Timed((state, seconds) => state with { LoggingSeconds = state.LoggingSeconds + seconds }, () => Write(_log.Line()));
            }

            if (evaluates)
            {
                double loss = EvaluateCurve();
                saves |= Config.Training.KeepBest && IsBest(loss);
            }

            if (Leads && _parts.Instruments?.RunsTasksAfter(report.Step, Config.Training) == true)
            {
                EvaluateTasks();
            }

            if (saves)
            {
                Save();
            }
        }

        return RunStatus.Reached;
    }

    /// <summary>Evaluates on the whole set and writes result and per-document losses. Rank 0 alone does so.</summary>
    /// <param name="truncated">Whether the run ends before its planned steps.</param>
    public RunResult Finish(bool truncated = false) => Finish(truncated, fineTuning: null);

    /// <summary>As the other, with what fine-tuning adds to the result.</summary>
    internal RunResult Finish(bool truncated, FineTuningOutcome? fineTuning)
    {
        if (!Leads || (truncated && Ranks.Size > 1))
        {
            throw new InvalidOperationException("Rank 0 alone finishes a run, and of several ranks only one that made all its steps.");
        }

        if (truncated)
        {
            if (State.Step % Config.Training.EvaluateEvery != 0)
            {
                EvaluateCurve();
            }

            Save();
            WaitForSaver();
        }

        return new RunConclusion(_parts, _trainer, Folder, _tokenBytes, DomainNames).Write(Config, truncated, _peak, _options, fineTuning);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _saver.Dispose();

        // Sinks that were given belong to who gave them.
        _metrics?.Dispose();
        _events?.Dispose();
        _trainer.Student.Dispose();
        _trainer.Dispose();
        _parts.Dispose();
        Folder.Dispose();
    }

    private ICommunicator Ranks => _options.Ranks;

    private static int ChooseThreads(RunConfig config, TrainState? resumed, TrainingRunOptions options)
    {
        Action<string> log = options.Log;
        int ranks = options.Ranks.Size;
        bool sameRanks = resumed?.Ranks == ranks;
        int threads = config.Threads ?? (sameRanks ? resumed?.Threads : null) ?? options.DefaultThreads ?? Environment.ProcessorCount;
        if (resumed is not null && !sameRanks)
        {
            log($"The run was computed by {resumed.Ranks} ranks so far and goes on with {ranks}, {threads} threads each: the samples stay the same, but sums are rounded otherwise, so the result is no longer bit-exact.");
        }
        else if (resumed is not null && threads != resumed.Threads)
        {
            log($"The run computed with {resumed.Threads} threads so far and goes on with {threads}: sums are rounded otherwise, so the result is no longer bit-exact.");
        }

        return threads;
    }

    // The library of a run's first life is kept, because the two round differently; the ranks take what rank 0 found the faster.
    private static ProductLibrary ChooseProducts(RunConfig config, TrainState? resumed, TrainingRunOptions options)
    {
        Action<string> log = options.Log;
        ProductLibrary first = (ProductLibrary)options.Ranks.FromFirst((double)ComputePlan.ChooseProducts(config, resumed?.Products));
        ProductLibrary chosen = MatrixProduct.OneDnnIsThere ? first : ProductLibrary.Blas;
        if (resumed is not null && chosen != resumed.Products)
        {
            log($"The run's products came from {resumed.Products} so far and come from {chosen} now: sums are rounded otherwise, so the result is no longer bit-exact.");
        }

        return chosen;
    }

    private void SayStage1IsOver(int step)
    {
        _options.Log($"Stage 1 ended after step {step - 1} ({_trainer.Stage1EndReason}); the student goes on alone.");
        Write(new MetricsLine(step, [new("event/stage1_end", step - 1)]));
    }

    private void HandleSkipped(StepReport report)
    {
        if (report.SkippedBecause is null)
        {
            return;
        }

        _options.Log(report.SkippedBecause);
        Write(new MetricsLine(report.Step, [new("event/skipped", State.SkippedInARow)]));
        if (State.SkippedInARow >= Config.Training.MaxSkippedSteps)
        {
            throw new TrainingException(
                $"{report.SkippedBecause} {State.SkippedInARow} steps in a row were not applied (training.max_skipped_steps = {Config.Training.MaxSkippedSteps}), so the run stops. "
                + $"{LastGoodCheckpoint()} A lower learning rate or a longer warm-up usually helps.");
        }
    }

    private string LastGoodCheckpoint() =>
        Folder.Checkpoints.NewestGood().Step is int step ? $"The last good checkpoint is {Folder.Checkpoints.PathOf(step)}." : "There is no checkpoint yet.";

    private double EvaluateCurve()
    {
        double loss = double.NaN;
        Ranks.Activity = $"step {State.Step}: evaluation on rank 0";
        Timed((state, seconds) => state with { EvaluationSeconds = state.EvaluationSeconds + seconds }, () =>
        {
            if (!Leads)
            {
                return;
            }

            EvaluationResult scores = ModelEvaluation.Run(Student, _trainer.Head, _parts.Text.CurveSet, _tokenBytes, DomainNames.Count);
            loss = scores.Total.Loss;
            double? gap = _trainer.Teacher is null ? null : _teacherValidation?.Gap(scores, _log.LastWeight);
            if (gap is double valid && _teacherValidation!.BeginsToLookTooGood(_trainer.Transition!.Gap, valid, State.Step / (double)Config.Training.Steps))
            {
                _options.Log($"Step {State.Step}: the teacher is {_trainer.Transition.Gap:0.000} nats ahead on the training text but only {valid:0.000} on the validation text. If it was trained on these tokens more than once, it looks better than it is.");
            }

            Write(_log.ValidationLine(scores, DomainNames, gap, _parts.Instruments?.Buckets(_parts.Text.CurveSet, scores) ?? []));
        });
        return Ranks.FromFirst(loss);
    }

    // The first of equal losses is kept; one that is no number never is.
    private bool IsBest(double loss)
    {
        bool isBest = double.IsFinite(loss) && !(State.BestLoss <= loss);
        if (isBest)
        {
            _trainer.Note(state => state with { BestStep = state.Step, BestLoss = loss });
        }

        return isBest;
    }

    // On rank 0; the others wait for it in the next step.
    private void EvaluateTasks() => Timed((state, seconds) => state with { EvaluationSeconds = state.EvaluationSeconds + seconds }, () =>
        Write(_log.TaskLine(_parts.Instruments!.RunTasks(Config.Name, Student, _parts.Tokenizer, Config.Data.SequenceLength))));

    // Nothing is saved twice, before the first step, or once the weights are beyond use: the checkpoints before stay.
    private void Save()
    {
        if (State.Step == _savedStep)
        {
            return;
        }

        Ranks.Activity = $"step {State.Step}: checkpoint";
        RequireSameWeights();
        if (!_trainer.Optimizer.WeightsAreFinite())
        {
            _options.Log($"Step {State.Step} is not saved: some weights are not finite.");
            return;
        }

        _savedStep = State.Step;
        if (!Leads)
        {
            return;
        }

        Timed((state, seconds) => state with { CheckpointSeconds = state.CheckpointSeconds + seconds }, () =>
        {
            using torch.Tensor random = torch.get_rng_state();
            TrainState state = _trainer.Snapshot() with { RandomState = Convert.ToBase64String(random.data<byte>().ToArray()) };
            _metrics!.Flush();
            if (Config.Training.CheckpointInBackground)
            {
                // Before the copy is made: there is never more than one.
                _saver.Wait();
                CheckpointContent copy = CheckpointContent.CopyOf(Student, _trainer.Optimizer, state, _trainer.Alignment);
                _saver.Start(() => WriteCheckpoint(copy));
            }
            else
            {
                WriteCheckpoint(CheckpointContent.Of(Student, _trainer.Optimizer, state, _trainer.Alignment));
            }
        });
    }

    // On the background thread or on the run's own; uses no tensor where the content is a copy.
    private void WriteCheckpoint(CheckpointContent content)
    {
        using CheckpointContent disposed = content;
        string path = Folder.Checkpoints.PathOf(content.State.Step);
        try
        {
            Checkpoint.Save(path, content, _parts.Text.TokenizerJson);
            Folder.Checkpoints.Retain([.. Config.Training.KeepSteps ?? [], content.State.BestStep ?? 0], Config.Training.KeepEvery);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"The checkpoint {path} cannot be written: {e.Message} {LastGoodCheckpoint()} Make room or change the permissions, then go on with --resume.", e);
        }
    }

    private void WaitForSaver() => Timed((state, seconds) => state with { CheckpointSeconds = state.CheckpointSeconds + seconds }, _saver.Wait);

    private void Write(MetricsLine line)
    {
        _metrics?.Write(line);
        _events?.Write(line);
        foreach (IMetricsSink sink in _options.Sinks)
        {
            sink.Write(line);
        }
    }

    private void Timed(Func<TrainState, double, TrainState> note, Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _trainer.Note(state => note(state, seconds));
    }

    // Ranks whose weights differ train no common model: better an end than a checkpoint.
    private void RequireSameWeights()
    {
        if (Ranks.Size > 1)
        {
            Ranks.RequireSame("The fingerprint of the weights", RunParts.WeightsFingerprint(Student), "Are the ranks of one build, on machines of one kind, with the same model files? Go on from the last checkpoint with --resume.");
        }
    }

    private void WatchLoad()
    {
        (double watched, double loaded) = _otherLoad?.Sample() ?? (0, 0);
        if (watched > 0)
        {
            _trainer.Note(state => state with { WatchedSeconds = state.WatchedSeconds + watched, LoadedSeconds = state.LoadedSeconds + loaded });
        }
    }
}
