// The whole road in one place: text → tokenizer → shards → measurement → teacher → BASELINE, SALT and GROWN in turns → verdict → report.
using System.Diagnostics;
using System.Globalization;
using Saltern.Cli.Commands;
using Saltern.Cli.Terminal;
using Saltern.Corpora;
using Saltern.Files;
using Saltern.Hosting;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;
using Saltern.Verdicts;

namespace Saltern.Cli.Demo;

/// <summary>One demonstration.</summary>
internal sealed class DemoRun
{
    // The students advance in turns of a few steps, so that whatever else the machine does meets all alike.
    private const int StepsPerTurn = 5;

    // Below this, too little is left to train on once some text is kept for validation.
    private const long FewestBytes = 200_000;

    // BASELINE first: the others are held against it.
    private static readonly string[] Students = ["baseline", "salt", "grown"];

    private readonly Output _console;
    private readonly DemoOptions _options;
    private readonly EngineSetup _engine;
    private readonly long _start = Stopwatch.GetTimestamp();
    private DemoPlan _plan;

    /// <summary>Prepares a demonstration in a new folder.</summary>
    public DemoRun(Output console, DemoPlan plan, DemoOptions options, EngineSetup engine) =>
        (_console, _plan, _options, _engine) = (console, plan, options, engine);

    /// <summary>Runs it.</summary>
    /// <param name="compute">How the plan came to its type of products.</param>
    /// <param name="cancellation">Ends it with what there is.</param>
    /// <returns>Exit code.</returns>
    public int Run(ComputePlan compute, CancellationToken cancellation)
    {
        if (_options.Verbose)
        {
            _console.Line("runtime: " + _engine.Description);
            foreach (string remark in compute.Remarks())
            {
                _console.Line(remark);
            }
        }

        string data = PrepareData(cancellation);
        double peak = EngineSetup.KnownPeak ?? compute.MeasurePeak();
        Plan(data, cancellation);
        string teacherFolder = Path.Combine(_options.Folder, "teacher");
        if (!TrainTeacher(data, teacherFolder, peak, cancellation))
        {
            _console.Line("Interrupted before the students began, so there is nothing to compare.");
            return ExitCode.Interrupted;
        }

        if (!TrainStudents(data, teacherFolder, peak, cancellation))
        {
            _console.Line("Interrupted before the students' first step, so there is nothing to compare.");
            return ExitCode.Interrupted;
        }

        Conclude();
        if (cancellation.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }

        return ExitCode.Done;
    }

    private TimeSpan Elapsed => Stopwatch.GetElapsedTime(_start);

    private string Folder(string name) => Path.Combine(_options.Folder, name);

    private string PrepareData(CancellationToken cancellation)
    {
        DemoCorpus corpus = DemoCorpus.Read(_options.TextPaths, cancellation);
        if (corpus.Reader is CorpusReader reader)
        {
            CommonOptions.ReportReading(_console, reader);
        }

        corpus.Check(FewestBytes);
        Say($"text: {corpus.Description}: {corpus.Documents.Count:N0} documents, {corpus.Bytes / 1e6:0.0} MB");
        BpeTokenizer tokenizer = BpeTrainer.Train(
            corpus.Documents.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = _plan.Vocabulary },
            progress: null,
            cancellation
        );
        string data = Folder("data");
        PrepareSummary summary = DatasetBuilder.Build(
            corpus.Documents,
            valid: null,
            tokenizer,
            data,
            new DatasetBuilderOptions { ValidPercent = corpus.ValidPercent(65_536) },
            progress: null,
            cancellation
        );
        if (_options.Verbose)
        {
            PrepareCommand.Report(_console, summary, data);
        }

        return data;
    }

    // The steps are fixed before the first of them: a machine that gets busier makes the demonstration longer, not shorter.
    private void Plan(string data, CancellationToken cancellation)
    {
        if (_options.Minutes is not double minutes)
        {
            Say($"{_plan.Steps} steps of each student, as --steps says");
            return;
        }

        var speed = DemoSpeed.Measure(_plan, data, _engine.Threads, cancellation);
        _plan = _plan.Fitting(minutes, Elapsed.TotalSeconds, speed);
        string load = "";
        if (speed.QuietShare < 0.8)
        {
            load = "; other programs take part of this machine, so it plans for less and takes longer";
        }

        string time = Duration.Text(_plan.Seconds(speed));
        Say(
            $"plan: {_plan.Steps} steps of each student, {_plan.TeacherSteps} of the teacher, about {time} from here{load}"
        );
    }

    private bool TrainTeacher(string data, string folder, double peak, CancellationToken cancellation)
    {
        RunConfig config = _plan.Teacher(data, _options.Seed);
        using var status = new StatusLine(_console);
        var progress = new TrainingProgress(status);
        using TrainingRun run = TrainingRun.Open(
            config,
            folder,
            new TrainingRunOptions
            {
                DefaultThreads = _engine.Threads,
                Log = status.Keep,
                OnStep = progress.Step,
                MatmulPeak = peak,
            }
        );
        Say($"teacher: the small model, {Parameters(run) / 1e6:0.00}M parameters");
        Describe(run);
        progress.Start(config.Training.Steps);
        if (run.Continue(config.Training.Steps, cancellation) == RunStatus.Interrupted)
        {
            return false;
        }

        RunResult result = run.Finish();
        status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"  final loss {result.Final!.Loss:0.000} after {result.Seconds:0} s"
            )
        );
        return true;
    }

    // All from the same data in the same order, BASELINE and SALT from the same weights. False where there was no time for a single step.
    private bool TrainStudents(string data, string teacherFolder, double peak, CancellationToken cancellation)
    {
        using var status = new StatusLine(_console);
        var progress = new DemoProgress(_console, status, _plan.Steps, ["BASELINE", "SALT", "GROWN"]);
        RunConfig[] recipes =
        [
            _plan.Baseline(data, _options.Seed),
            _plan.Salt(data, teacherFolder, _options.Seed),
            _plan.Grown(data, _options.Seed),
        ];
        var runs = new List<TrainingRun>();
        try
        {
            foreach (RunConfig recipe in recipes)
            {
                runs.Add(
                    TrainingRun.Open(
                        recipe,
                        Folder(recipe.Name),
                        new TrainingRunOptions
                        {
                            DefaultThreads = _engine.Threads,
                            Log = status.Keep,
                            OnStep = progress.Step,
                            MatmulPeak = peak,
                            Sinks = [progress.Of(recipe.Name.ToUpperInvariant())],
                            InterleavedWith = [.. Students.Where(name => name != recipe.Name)],
                        }
                    )
                );
            }

            Say(
                $"students, {Parameters(runs[0]) / 1e6:0.00}M parameters each, in turns of a few steps over the same batches:"
            );
            Describe(runs[1]);
            return InTurns(runs, status, cancellation);
        }
        finally
        {
            runs.ForEach(run => run.Dispose());
        }
    }

    private bool InTurns(List<TrainingRun> runs, StatusLine status, CancellationToken cancellation)
    {
        int turn = 0;
        while (runs[0].State.Step < _plan.Steps && !cancellation.IsCancellationRequested)
        {
            int until = Math.Min(runs[0].State.Step + StepsPerTurn, _plan.Steps);
            for (int i = 0; i < runs.Count; i++)
            {
                // Whole turns: all are always at the same step.
                runs[(turn + i) % runs.Count].Continue(until, CancellationToken.None);
            }

            turn++;
        }

        int done = runs[0].State.Step;
        if (done == 0)
        {
            return false;
        }

        bool truncated = done < _plan.Steps;
        if (truncated)
        {
            status.Keep($"Ended early after step {done} of {_plan.Steps}, all students at the same step.");
        }

        runs.ForEach(run => run.Finish(truncated));
        return true;
    }

    private void Conclude()
    {
        RunRecord[] runs = [.. Students.Select(name => RunRecord.Load(Folder(name)))];
        Verdict verdict = Verdict.Compute([runs[0]], [.. runs.Skip(1)]);
        string report = Folder(VerdictFiles.Report);
        ReportPage.Write(report, verdict, [runs[0]], [.. runs.Skip(1)]);
        WholeFile.WriteText(Folder(VerdictFiles.Verdict), verdict.ToJson());
        _console.Line();
        if (_options.Verbose)
        {
            foreach (RunRecord run in runs.Prepend(RunRecord.Load(Folder("teacher"))))
            {
                if (run.Result.TextSamples is [TextSample sample, ..])
                {
                    _console.Line(
                        $"{run.Result.Name} goes on after «{OneLine(sample.Prompt)}»:\n  {OneLine(sample.Text)}"
                    );
                }
            }

            _console.Line();
            _console.Write(verdict);
            _console.Line();
        }

        _console.Lines.Write(DemoEnding.Finding(verdict));
        if (_console.IsJson)
        {
            Output.Json(verdict.ToJson());
        }

        string text = string.Concat(_options.TextPaths.Select(path => $" --text {Quoted(path)}"));
        _console.Line();
        if (verdict.Truncated)
        {
            _console.Line("It was ended early: this is not what the whole run would have shown.");
        }

        _console.Line("One seed of a small model is an example, not a finding; README has the studies.");
        _console.Line($"report  {Path.GetFullPath(report)}");
        _console.Line($"curves  saltern watch {Quoted(_options.Folder)}");
        _console.Line($"again   saltern demo --steps {_plan.Steps} --seed {_options.Seed}{text}");
        _console.Line("yours   saltern demo --text PATH…, then docs/own-corpus.md");
        Say($"done");
    }

    private void Describe(TrainingRun run)
    {
        if (!_options.Verbose)
        {
            return;
        }

        foreach (string line in run.Description())
        {
            _console.Line("  " + line);
        }
    }

    private static long Parameters(TrainingRun run) => run.Student.Parameters.Layout.ParameterCount;

    private void Say(FormattableString text) =>
        _console.Line($"[{Duration.Text(Elapsed.TotalSeconds)}] {text.ToString(CultureInfo.InvariantCulture)}");

    private static string Quoted(string path) => path.Any(char.IsWhiteSpace) ? $"\"{path}\"" : path;

    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
