// The road of one run, top to bottom: open → (step, log, evaluate, save)* → final evaluation → result.
using System.Diagnostics;
using System.Text.Json;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Data;
using Saltern.Engine;
using Saltern.Evaluation;
using Saltern.Losses;
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

    /// <summary>Told what a person should know: one line each.</summary>
    public Action<string> Log { get; init; } = _ => { };

    /// <summary>Takes the figures beside the run folder's own files.</summary>
    public IReadOnlyList<IMetricsSink> Sinks { get; init; } = [];

    /// <summary>Told of every step.</summary>
    public Action<StepReport>? OnStep { get; init; }

    /// <summary>Speed of matrix products, FLOP/s; null measures it at the start.</summary>
    public double? MatmulPeak { get; init; }

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
    // Evaluation along a run should not cost more than this share of its steps' time.
    private const double HighestEvaluationShare = 0.06;

    private readonly TrainingRunOptions _options;
    private readonly RunParts _parts;
    private readonly Trainer _trainer;
    private readonly BatchLoader _batches;
    private readonly ValidationSet _curveSet;
    private readonly int[] _tokenBytes;
    private readonly List<IMetricsSink> _sinks;
    private readonly OtherLoad _otherLoad;
    private readonly RunLog _log;
    private readonly double _peak;
    private readonly TeacherValidation? _teacherValidation;

    private TrainingRun(RunConfig config, RunFolder folder, TrainingRunOptions options, RunParts parts)
    {
        (Config, Folder, _options, _parts) = (config, folder, options, parts);
        TrainState? resumed = folder.ResumeStep is int step ? Checkpoint.LoadState(folder.Checkpoints.PathOf(step)) : null;
        int threads = ChooseThreads(config, resumed, options.Log);
        torch.set_num_threads(threads);
        _peak = options.MatmulPeak ?? MatmulPeak.Measure();
        Transformer student = parts.CreateStudent(config);
        string initialWeights = RunParts.WeightsFingerprint(student);
        long loading = Stopwatch.GetTimestamp();
        LiveTeacher? teacher = parts.CreateTeacher(config);
        double teacherSeconds = Stopwatch.GetElapsedTime(loading).TotalSeconds;
        IReadOnlyList<TokenShard?> training = [.. parts.Data.Domains.Select(domain => domain.Train)], validation = [.. parts.Data.Domains.Select(domain => domain.Valid)];
        _batches = new BatchLoader(training, config.Data.SequenceLength, config.Seed);
        _curveSet = ValidationSet.Create(validation, config.Data.SequenceLength, config.Training.EvaluationTokens, wholeDocuments: false, parts.Tokenizer.EndOfTextId);
        _tokenBytes = [.. Enumerable.Range(0, parts.Tokenizer.VocabularySize).Select(parts.Tokenizer.ByteLength)];
        DomainNames = [.. parts.Data.Domains.Select(domain => domain.Name)];
        _trainer = new Trainer(config, student, teacher, _batches, parts.Tokenizer.VocabularySize, DomainNames, threads);
        _trainer.Note(state => state with { InitialWeights = initialWeights, DataFingerprint = parts.Data.Fingerprint });
        if (folder.ResumeStep is int resumeStep)
        {
            CheckData(resumed!, parts.Data, folder);
            _trainer.Restore(Checkpoint.Load(folder.Checkpoints.PathOf(resumeStep), student, _trainer.Optimizer) with { Threads = threads });
            torch.set_rng_state(torch.tensor(Convert.FromBase64String(State.RandomState)));
        }
        else
        {
            torch.manual_seed(config.Seed);
        }

        _trainer.Note(state => state with { TeacherSeconds = state.TeacherSeconds + teacherSeconds });
        _teacherValidation = _trainer.Teacher is null ? null : TeacherValidation.Run(_trainer.Teacher, _curveSet, parts.Tokenizer.VocabularySize, threads);
        _otherLoad = new OtherLoad(threads);
        _log = new RunLog(_trainer, _peak);
        _sinks = [new MetricsLog(folder.PathOf(RunFolder.MetricsFile), State.Step), new TensorBoardLog(folder.Path), .. options.Sinks];
    }

    /// <summary>The recipe.</summary>
    public RunConfig Config { get; }

    /// <summary>The run folder.</summary>
    public RunFolder Folder { get; }

    /// <summary>The model that is trained; owned by the run.</summary>
    public Transformer Student => _trainer.Student;

    /// <summary>Where the run stands.</summary>
    public TrainState State => _trainer.State;

    /// <summary>Domains of the data set.</summary>
    public IReadOnlyList<string> DomainNames { get; }

    /// <summary>The teacher while it is in memory.</summary>
    public LiveTeacher? Teacher => _trainer.Teacher;

    /// <summary>Lines that describe what was derived, for the start of a log.</summary>
    public IReadOnlyList<string> Description()
    {
        TransformerConfig m = Student.Config;
        long batchTokens = (long)Config.Training.BatchSequences * Config.Data.SequenceLength;
        double perToken = ModelFlops.TrainingPerToken(m, Config.Data.SequenceLength);
        var lines = new List<string>
        {
            $"student: {Student.Parameters.Layout.ParameterCount / 1e6:0.00}M parameters ({m.NumHiddenLayers} layers, hidden {m.HiddenSize}, {m.NumAttentionHeads} heads, feed-forward {m.IntermediateSize}, vocabulary {m.VocabSize})",
            $"batch: {Config.Training.BatchSequences} x {Config.Data.SequenceLength} = {batchTokens} tokens in {Config.Training.BatchSequences / Config.Training.MicroBatch} micro-batches; {Config.Training.Steps} steps = {batchTokens * Config.Training.Steps / 1e6:0.0}M tokens = {(double)Config.Training.BatchSequences * Config.Training.Steps / _batches.EpochLength:0.00} epochs",
            $"compute: {perToken * batchTokens / 1e9:0.0} GFLOP a step; {State.Threads} threads; matrix products reach {_peak / 1e9:0} GFLOP/s",
            $"validation: {_curveSet.TargetCount} tokens every {Config.Training.EvaluateEvery} steps",
        };
        if (Config.Distils)
        {
            string teacher = _trainer.Teacher is null ? "already gone" : $"{_parts.TeacherRecord!.Parameters / 1e6:0.00}M parameters, temperature {Config.Teacher!.Temperature}";
            lines.Add($"teacher: {teacher}; ω₀ = {Config.Distillation!.Weight}, transition {Config.Distillation.Transition}");
        }

        return lines;
    }

    /// <summary>Opens a run; all mistakes in recipe and data end here, before any training.</summary>
    /// <exception cref="ConfigurationException">Something does not fit; every problem is listed.</exception>
    public static TrainingRun Open(RunConfig config, string folder, TrainingRunOptions options)
    {
        RunParts parts = RunParts.Open(config);
        try
        {
            if (config.Distillation is { Start: StepPoint start, End: StepPoint end } && start.Resolve(config.Training.Steps) == end.Resolve(config.Training.Steps))
            {
                options.Log($"distillation.start = {start} and distillation.end = {end} are the same step of {config.Training.Steps}: ω falls to 0 within one step.");
            }

            return new TrainingRun(config, RunFolder.Open(folder, config, options.Resume, options.Overrides, options.Log), options, parts);
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    /// <summary>Trains up to a step.</summary>
    /// <param name="untilStep">Last step to make; not beyond the run's steps.</param>
    /// <param name="cancellation">Ends the run between two steps, after a checkpoint.</param>
    /// <exception cref="TrainingException">Too many steps in a row had a non-finite loss or gradient.</exception>
    public RunStatus Continue(int untilStep, CancellationToken cancellation)
    {
        int last = Math.Min(untilStep, Config.Training.Steps);
        _otherLoad.Sample();
        while (State.Step < last)
        {
            if (cancellation.IsCancellationRequested)
            {
                if (_log.HasSteps)
                {
                    Write(_log.Line());
                }

                Save();
                return RunStatus.Interrupted;
            }

            bool hadTeacher = _trainer.Teacher is not null;
            StepReport report = _trainer.Step();
            if (hadTeacher && _trainer.Teacher is null)
            {
                SayStage1IsOver(report.Step);
            }

            WatchLoad();
            HandleSkipped(report);
            _log.Add(report);
            _options.OnStep?.Invoke(report);

            bool isLast = report.Step == Config.Training.Steps, saves = isLast || report.Step % Config.Training.CheckpointEvery == 0;

            // A line before every checkpoint: its means then never reach across a resume.
            if (saves || report.Step % Config.Training.LogEvery == 0)
            {
                Timed((state, seconds) => state with { LoggingSeconds = state.LoggingSeconds + seconds }, () => Write(_log.Line()));
            }

            if (isLast || report.Step % Config.Training.EvaluateEvery == 0)
            {
                Timed((state, seconds) => state with { EvaluationSeconds = state.EvaluationSeconds + seconds }, EvaluateCurve);
            }

            if (saves)
            {
                Save();
            }
        }

        return RunStatus.Reached;
    }

    /// <summary>Evaluates on the whole set and writes result and per-document losses.</summary>
    /// <param name="truncated">Whether the run ends before its planned steps.</param>
    public RunResult Finish(bool truncated = false)
    {
        if (truncated && State.Step % Config.Training.EvaluateEvery != 0)
        {
            EvaluateCurve();
        }

        if (truncated)
        {
            Save();
        }

        if (State.EvaluationSeconds > HighestEvaluationShare * State.Seconds && State.Step >= 100)
        {
            _options.Log($"Evaluation took {State.EvaluationSeconds / State.Seconds:0 %} of the steps' time. A larger training.evaluate_every or a smaller training.evaluation_tokens makes it cheaper.");
        }

        ValidationSet whole = ValidationSet.Create([.. _parts.Data.Domains.Select(domain => domain.Valid)], Config.Data.SequenceLength, Config.Training.FinalEvaluationTokens, wholeDocuments: true, _parts.Tokenizer.EndOfTextId);
        EvaluationResult scores = ModelEvaluation.Run(Student, _trainer.Head, whole, _tokenBytes, DomainNames.Count);
        WriteDocuments(scores);
        var result = new RunResult
        {
            Name = Config.Name,
            Arm = Config.Arm,
            Seed = Config.Seed,
            Steps = State.Step,
            PlannedSteps = Config.Training.Steps,
            Truncated = truncated,
            Samples = State.Samples,
            Tokens = State.Tokens,
            Seconds = State.Seconds,
            Flops = State.Flops,
            TeacherFlops = State.TeacherFlops,
            Stage1EndStep = Config.Distils ? (State.Stage1EndStep - 1) ?? State.Step : null,
            Stage1EndReason = State.Stage1EndStep is null ? null : Stage1EndReason,
            SecondsApart = new SecondsApart(State.EvaluationSeconds, State.CheckpointSeconds, State.LoggingSeconds, State.TeacherSeconds),
            StudentParameters = Student.Parameters.Layout.ParameterCount,
            DataFingerprint = _parts.Data.Fingerprint,
            OrderFingerprint = _batches.Fingerprint(_parts.Data.Fingerprint, Config.Training.BatchSequences),
            InitialWeightsFingerprint = State.InitialWeights,
            SecondsComparable = State.WatchedSeconds > 0 && State.LoadedSeconds <= 0.05 * State.WatchedSeconds,
            InterleavedWith = _options.InterleavedWith,
            Teacher = Config.Distils ? _parts.TeacherRecord : null,
            Final = RunScores.Of(scores, DomainNames),
            Machine = new RunMachine { Processor = MachineDescription.Processor(), Cores = Environment.ProcessorCount, Threads = State.Threads, MatmulPeakGflops = _peak / 1e9 },
            Versions = MachineDescription.Versions(),
            TextSamples = TextSamples(),
        };
        DurableFolder.WriteText(Folder.PathOf(RunFolder.ResultFile), result.ToJson());
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Sinks that were given belong to who gave them.
        foreach (IMetricsSink sink in _sinks.Take(2))
        {
            sink.Dispose();
        }

        _trainer.Student.Dispose();
        _trainer.Dispose();
        _parts.Dispose();
    }

    private static int ChooseThreads(RunConfig config, TrainState? resumed, Action<string> log)
    {
        int threads = config.Threads ?? resumed?.Threads ?? Environment.ProcessorCount;
        if (resumed is not null && threads != resumed.Threads)
        {
            log($"The run computed with {resumed.Threads} threads so far and goes on with {threads}: sums are rounded otherwise, so the result is no longer bit-exact.");
        }

        return threads;
    }

    private static void CheckData(TrainState resumed, TokenDataset data, RunFolder folder)
    {
        if (resumed.DataFingerprint.Length > 0 && resumed.DataFingerprint != data.Fingerprint)
        {
            throw new ConfigurationException($"The run {folder.Path} was trained on the data set {resumed.DataFingerprint}, but {data.Folder} is now {data.Fingerprint}. Put the old data set back, or start a new run.");
        }
    }

    private string Stage1EndReason => (_trainer.Transition as AutoTransition)?.End?.Reason ?? "schedule";

    private void SayStage1IsOver(int step)
    {
        _options.Log($"Stage 1 ended after step {step - 1} ({Stage1EndReason}); the student goes on alone.");
        Write(new MetricsLine(step, [new("event/stage1_end", step - 1)]));
    }

    private void HandleSkipped(StepReport report)
    {
        if (report.SkippedBecause is null)
        {
            return;
        }

        _options.Log(report.SkippedBecause);
        if (State.SkippedInARow > Config.Training.MaxSkippedSteps)
        {
            (int? good, _) = Folder.Checkpoints.NewestGood();
            throw new TrainingException(
                $"{report.SkippedBecause} {State.SkippedInARow} steps in a row were not applied (training.max_skipped_steps = {Config.Training.MaxSkippedSteps}), so the run stops. "
                + (good is int step ? $"The last good checkpoint is {Folder.Checkpoints.PathOf(step)}." : "There is no checkpoint yet.") + " A lower learning rate or a longer warm-up usually helps.");
        }
    }

    private void EvaluateCurve()
    {
        EvaluationResult scores = ModelEvaluation.Run(Student, _trainer.Head, _curveSet, _tokenBytes, DomainNames.Count);
        double? gap = _trainer.Teacher is null ? null : _teacherValidation?.Gap(scores, _log.LastWeight);
        if (gap is double valid && _teacherValidation!.BeginsToLookTooGood(_trainer.Transition!.Gap, valid, State.Step / (double)Config.Training.Steps))
        {
            _options.Log($"Step {State.Step}: the teacher is {_trainer.Transition.Gap:0.000} nats ahead on the training text but only {valid:0.000} on the validation text. If it was trained on these tokens more than once, it looks better than it is.");
        }

        Write(_log.ValidationLine(scores, DomainNames, gap));
    }

    private void Save()
    {
        Timed((state, seconds) => state with { CheckpointSeconds = state.CheckpointSeconds + seconds }, () =>
        {
            using torch.Tensor random = torch.get_rng_state();
            TrainState state = _trainer.Snapshot() with { RandomState = Convert.ToBase64String(random.data<byte>().ToArray()) };
            Checkpoint.Save(Folder.Checkpoints.PathOf(State.Step), Student, _trainer.Optimizer, state, _parts.Data.TokenizerPath);
            Folder.Checkpoints.Retain(Config.Training.KeepSteps?.ToHashSet() ?? [], Config.Training.KeepEvery);
        });
    }

    private void Write(MetricsLine line) => _sinks.ForEach(sink => sink.Write(line));

    private void Timed(Func<TrainState, double, TrainState> note, Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _trainer.Note(state => note(state, seconds));
    }

    private void WatchLoad()
    {
        (double watched, double loaded) = _otherLoad.Sample();
        if (watched > 0)
        {
            _trainer.Note(state => state with { WatchedSeconds = state.WatchedSeconds + watched, LoadedSeconds = state.LoadedSeconds + loaded });
        }
    }

    private void WriteDocuments(EvaluationResult scores)
    {
        string folder = Folder.PathOf("eval");
        Directory.CreateDirectory(folder);
        DurableFolder.WriteText(Path.Combine(folder, "documents.jsonl"), string.Concat(scores.Documents.Select(d =>
            JsonSerializer.Serialize(new { domain = DomainNames[d.Document.Domain], document = d.Document.Document, tokens = d.Document.TargetCount, nll = d.Nll }) + "\n")));
    }

    // The beginnings of two validation documents, and how the model goes on.
    private IReadOnlyList<TextSample> TextSamples() => [.. _curveSet.Documents.Where(document => document.TargetCount > 48).Take(2).Select(document =>
    {
        int[] prompt = [.. _curveSet.Inputs.AsSpan((int)document.FirstTarget + 1, 24).ToArray().Select(id => (int)id)];
        var options = new SamplingOptions { MaxTokens = 96, Temperature = 0.7, TopP = 0.95, Seed = Config.Seed };
        int[] added = [.. TextGenerator.Generate(Student, prompt, _parts.Tokenizer.EndOfTextId, _parts.Tokenizer.VocabularySize, options)];
        return new TextSample(_parts.Tokenizer.Decode(prompt), _parts.Tokenizer.Decode(added));
    })];
}
