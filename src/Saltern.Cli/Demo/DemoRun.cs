// The whole road in one place: text → tokenizer → shards → teacher → BASELINE and SALT in turns → verdict → report.
using System.Diagnostics;
using System.Globalization;
using Saltern.Cli.Commands;
using Saltern.Cli.Terminal;
using Saltern.Files;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;
using Saltern.Verdicts;

namespace Saltern.Cli.Demo;

/// <summary>One demonstration.</summary>
internal sealed class DemoRun
{
    // The students advance in turns of a few steps, so that whatever else the machine does meets both alike.
    private const int StepsPerTurn = 5;

    // Below this, too little is left to train on once some text is kept for validation.
    private const long FewestBytes = 200_000;

    // A teacher of fewer steps knows nothing worth passing on.
    private const int FewestTeacherSteps = 50;

    private readonly Output _console;
    private readonly DemoPlan _plan;
    private readonly string _folder;
    private readonly int _seed;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly int _threads;

    /// <summary>Prepares a demonstration in a new folder.</summary>
    public DemoRun(Output console, DemoPlan plan, int threads, string folder, int seed) =>
        (_console, _plan, _threads, _folder, _seed) = (console, plan, threads, folder, seed);

    /// <summary>Runs it.</summary>
    /// <param name="compute">How the plan came to its type of products.</param>
    /// <param name="textPaths">The user's own text; empty for the default.</param>
    /// <param name="cancellation">Ends it with what there is.</param>
    /// <returns>Exit code.</returns>
    public int Run(ComputePlan compute, IReadOnlyList<string> textPaths, CancellationToken cancellation)
    {
        foreach (string remark in compute.Remarks())
        {
            _console.Line(remark);
        }

        string data = PrepareData(textPaths, cancellation);
        double peak = EngineSetup.KnownPeak ?? compute.MeasurePeak();
        string teacherFolder = Path.Combine(_folder, "teacher");
        if (!TrainTeacher(data, teacherFolder, peak, cancellation))
        {
            _console.Line("Interrupted before the students began, so there is nothing to compare.");
            return ExitCode.Interrupted;
        }

        if (!TrainStudents(data, teacherFolder, peak, cancellation))
        {
            _console.Line("Ended before the students' first step, so there is nothing to compare.");
            if (cancellation.IsCancellationRequested)
            {
                return ExitCode.Interrupted;
            }

            return ExitCode.Failed;
        }

        Conclude();
        if (cancellation.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }

        return ExitCode.Done;
    }

    private TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    private string PrepareData(IReadOnlyList<string> textPaths, CancellationToken cancellation)
    {
        DemoCorpus corpus = DemoCorpus.Read(textPaths, cancellation);
        corpus.Check(FewestBytes);
        Say($"text: {corpus.Description}: {corpus.Documents.Count:N0} documents, {corpus.Bytes / 1e6:0.0} MB");
        BpeTokenizer tokenizer = BpeTrainer.Train(
            corpus.Documents.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = _plan.Vocabulary },
            progress: null,
            cancellation
        );
        string data = Path.Combine(_folder, "data");
        PrepareSummary summary = DatasetBuilder.Build(
            corpus.Documents,
            valid: null,
            tokenizer,
            data,
            new DatasetBuilderOptions { ValidPercent = corpus.ValidPercent(65_536) },
            progress: null,
            cancellation
        );
        PrepareCommand.Report(_console, summary, data);
        return data;
    }

    private bool TrainTeacher(string data, string folder, double peak, CancellationToken cancellation)
    {
        RunConfig config = _plan.Teacher(data, _seed);
        using var status = new StatusLine(_console);
        var progress = new TrainingProgress(status);
        using TrainingRun run = TrainingRun.Open(
            config,
            folder,
            new TrainingRunOptions
            {
                DefaultThreads = _threads,
                Log = status.Keep,
                OnStep = progress.Step,
                MatmulPeak = peak,
            }
        );
        Say("teacher:");
        Describe(run);
        progress.Start(0, config.Training.Steps);
        while (
            run.State.Step < config.Training.Steps
            && (Elapsed < _plan.TeacherLimit || run.State.Step < FewestTeacherSteps)
        )
        {
            if (run.Continue(run.State.Step + StepsPerTurn, cancellation) == RunStatus.Interrupted)
            {
                return false;
            }
        }

        bool truncated = run.State.Step < config.Training.Steps;
        if (truncated)
        {
            status.Keep(
                $"  This machine is slow or busy: the teacher ends after step {run.State.Step} of {config.Training.Steps}."
            );
        }

        RunResult result = run.Finish(truncated);
        status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"  final loss {result.Final!.Loss:0.0000} after {result.Seconds:0} s"
            )
        );
        return true;
    }

    // BASELINE and SALT from the same weights over the same batches. False where there was no time for a single step.
    private bool TrainStudents(string data, string teacherFolder, double peak, CancellationToken cancellation)
    {
        using var status = new StatusLine(_console);
        var progress = new DemoProgress(_console, status, _plan.Steps);
        var options = new TrainingRunOptions
        {
            DefaultThreads = _threads,
            Log = status.Keep,
            OnStep = progress.Step,
            MatmulPeak = peak,
        };
        using TrainingRun baseline = TrainingRun.Open(
            _plan.Baseline(data, _seed),
            Path.Combine(_folder, "baseline"),
            options with
            {
                Sinks = [progress.Baseline],
                InterleavedWith = ["salt"],
            }
        );
        using TrainingRun salt = TrainingRun.Open(
            _plan.Salt(data, teacherFolder, _seed),
            Path.Combine(_folder, "salt"),
            options with
            {
                Sinks = [progress.Salt],
                InterleavedWith = ["baseline"],
            }
        );
        Say("students, in turns of a few steps, from the same weights over the same batches:");
        Describe(salt);
        bool baselineFirst = true;
        while (baseline.State.Step < _plan.Steps && !cancellation.IsCancellationRequested && Elapsed < _plan.Limit)
        {
            int until = baseline.State.Step + StepsPerTurn;
            (TrainingRun first, TrainingRun second) = baselineFirst ? (baseline, salt) : (salt, baseline);
            first.Continue(until, CancellationToken.None);
            second.Continue(until, CancellationToken.None);
            baselineFirst = !baselineFirst;
        }

        bool truncated = baseline.State.Step < _plan.Steps;
        if (truncated)
        {
            status.Keep(
                $"Ended early after step {baseline.State.Step} of {_plan.Steps}, both students at the same step."
            );
        }

        if (baseline.State.Step == 0)
        {
            return false;
        }

        baseline.Finish(truncated);
        salt.Finish(truncated);
        return true;
    }

    private void Conclude()
    {
        RunRecord baseline = RunRecord.Load(Path.Combine(_folder, "baseline"));
        RunRecord salt = RunRecord.Load(Path.Combine(_folder, "salt"));
        Verdict verdict = Verdict.Compute([baseline], [salt]);
        string report = Path.Combine(_folder, VerdictFiles.Report);
        ReportPage.Write(report, verdict, [baseline], [salt]);
        WholeFile.WriteText(Path.Combine(_folder, VerdictFiles.Verdict), verdict.ToJson());
        _console.Line();
        foreach (RunRecord run in new[] { RunRecord.Load(Path.Combine(_folder, "teacher")), baseline, salt })
        {
            if (run.Result.TextSamples is [TextSample sample, ..])
            {
                _console.Line($"{run.Result.Name} goes on after «{OneLine(sample.Prompt)}»:\n  {OneLine(sample.Text)}");
            }
        }

        _console.Line();
        _console.Lines.Write(VerdictText.Write(verdict));
        if (_console.IsJson)
        {
            Output.Json(verdict.ToJson());
        }

        _console.Line();
        Say($"report: {Path.GetFullPath(report)}");
    }

    private void Describe(TrainingRun run)
    {
        foreach (string line in run.Description())
        {
            _console.Line("  " + line);
        }
    }

    private void Say(string text) => _console.Line($"[{Duration.Text(Elapsed.TotalSeconds)}] {text}");

    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
