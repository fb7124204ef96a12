using System.Globalization;
using Saltern.Checkpoints;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Watch;

/// <summary>Reads one run's folder again and again; nothing in it is changed, created or locked.</summary>
internal sealed class LiveRun(string folder)
{
    // Steps over which the pace is measured, in log lines.
    private const int PaceLines = 20;
    private readonly MetricsTail _tail = new(Path.Combine(folder, RunLayout.Metrics));
    private IReadOnlyDictionary<string, string> _recipe = new Dictionary<string, string>();
    private Dictionary<string, IReadOnlyList<(int Step, double Value)>> _series = [];
    private IReadOnlyList<CurvePoint> _curve = [];
    private RunResult? _result;
    private RunSamples? _samples;
    private (DateTime Recipe, DateTime Result, DateTime Samples) _read;

    /// <summary>Looks at the folder.</summary>
    /// <returns>The run as it stands; what cannot be read is named in it and the last good state kept.</returns>
    public RunView Look(DateTime now)
    {
        string? problem = null;
        IReadOnlyList<CheckpointView> checkpoints = [];
        try
        {
            ReadDocuments();
            if (_tail.Poll())
            {
                _series = _tail
                    .Table.Steps.SelectMany(step => _tail.Table.Row(step).Select(value => value.Key))
                    .Distinct()
                    .ToDictionary(name => name, _tail.Table.Series);
                _curve = _tail.Table.Curve(VerdictMetric.Loss.Series);
            }

            checkpoints = Checkpoints();
        }
        catch (Exception e) when (e is SalternException or IOException or UnauthorizedAccessException)
        {
            problem = e.Message;
        }

        if (problem is null && _tail.BrokenLines > 0)
        {
            problem = $"{_tail.BrokenLines} lines of metrics.jsonl are damaged and left out.";
        }

        return View(now, checkpoints, problem);
    }

    private RunView View(DateTime now, IReadOnlyList<CheckpointView> checkpoints, string? problem)
    {
        IReadOnlyList<int> steps = _tail.Table.Steps;
        int step = _result?.Steps ?? (steps.Count > 0 ? steps[^1] : 0);
        int planned = _result?.PlannedSteps ?? Number("training.steps");
        DateTime? written = null;
        if (steps.Count > 0)
        {
            written = File.GetLastWriteTimeUtc(Path.Combine(folder, RunLayout.Metrics));
        }

        double? secondsPerStep = SecondsPerStep();
        RunState state = State(now, written, secondsPerStep);
        bool startsFromAModel = _recipe.Keys.Any(key => key.StartsWith("init_from", StringComparison.Ordinal));
        return new RunView
        {
            Folder = folder,
            Name =
                _result?.Name
                ?? _recipe.GetValueOrDefault("name")
                ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))),
            Seed = _result?.Seed ?? Number("seed"),
            HadTeacher =
                _result?.Teacher is not null
                || _recipe.ContainsKey("teacher.path")
                || Any(MetricNames.TeacherWeight, value => value > 0),
            Grew = _recipe.Keys.Any(key =>
                key.StartsWith("growth", StringComparison.Ordinal)
                || key.StartsWith("init_from.grow", StringComparison.Ordinal)
            ),
            StartsFromAModel = startsFromAModel,
            GrowthSteps =
            [
                .. (_series.GetValueOrDefault(MetricNames.GrownAfter) ?? []).Select(point => (int)point.Value),
            ],
            State = state,
            Silence = now - written,
            Step = step,
            PlannedSteps = planned,
            TimeLeft = TimeLeft(state, secondsPerStep, planned - step),
            SwitchStep = _result?.Stage1EndStep ?? LoggedSwitch(),
            Series = _series,
            Curve = _curve,
            Checkpoints = checkpoints,
            Result = _result,
            Samples = LastSamples(),
            Problem = problem,
        };
    }

    private RunState State(DateTime now, DateTime? written, double? secondsPerStep)
    {
        if (_result is not null)
        {
            return RunState.Finished;
        }

        if (written is not { } last)
        {
            return RunState.Waiting;
        }

        return now - last < PatienceAfter(secondsPerStep) ? RunState.Running : RunState.Quiet;
    }

    private static TimeSpan? TimeLeft(RunState state, double? secondsPerStep, int steps)
    {
        if (state != RunState.Finished && secondsPerStep is { } pace && steps > 0)
        {
            return TimeSpan.FromSeconds(pace * steps);
        }

        return null;
    }

    private int? LoggedSwitch()
    {
        if (_series.GetValueOrDefault(MetricNames.Stage1End) is [.., var end])
        {
            return (int)end.Value;
        }

        return null;
    }

    private RunSamples? LastSamples()
    {
        if (_result is { TextSamples.Count: > 0 })
        {
            return new RunSamples { Step = _result.Steps, Samples = _result.TextSamples };
        }

        return _samples;
    }

    /// <summary>Twice the time between two log lines or evaluations, and never less than what an evaluation may take.</summary>
    private TimeSpan PatienceAfter(double? secondsPerStep) =>
        TimeSpan.FromSeconds(Math.Max(180, 2 * (secondsPerStep ?? 0) * Math.Max(1, Number("training.log_every"))));

    private double? SecondsPerStep()
    {
        IReadOnlyList<(int Step, double Value)> seconds = _series.GetValueOrDefault(MetricNames.Seconds) ?? [];
        if (seconds.Count < 2)
        {
            return null;
        }

        (int Step, double Value) from = seconds[Math.Max(0, seconds.Count - 1 - PaceLines)];
        return (seconds[^1].Value - from.Value) / (seconds[^1].Step - from.Step);
    }

    private void ReadDocuments()
    {
        string recipe = Path.Combine(folder, RunLayout.Recipe);
        string result = Path.Combine(folder, RunLayout.Result);
        string samples = Path.Combine(folder, RunLayout.Samples);
        (DateTime Recipe, DateTime Result, DateTime Samples) written = (
            File.GetLastWriteTimeUtc(recipe),
            File.GetLastWriteTimeUtc(result),
            File.GetLastWriteTimeUtc(samples)
        );
        if (written.Recipe != _read.Recipe)
        {
            _recipe = Parse(recipe, (yaml, _) => RecipeKeys.Flatten(yaml)) ?? new Dictionary<string, string>();
        }

        if (written.Result != _read.Result)
        {
            _result = Parse(result, RunResult.Parse);
        }

        if (written.Samples != _read.Samples)
        {
            _samples = Parse(samples, RunSamples.Parse);
        }

        _read = written;
    }

    // Null where there is no such file.
    private static T? Parse<T>(string path, Func<string, string, T> parse)
        where T : class
    {
        string? text = RunLayout.ReadDocument(path);
        if (text is null)
        {
            return null;
        }

        return parse(text, path);
    }

    private CheckpointView[] Checkpoints()
    {
        var store = new CheckpointStore(folder);
        return
        [
            .. store
                .Steps()
                .Select(step =>
                {
                    var checkpoint = new DirectoryInfo(store.PathOf(step));
                    // The manifest is written last: with it the checkpoint is whole. One may be removed while it is looked at.
                    var manifest = new FileInfo(Path.Combine(checkpoint.FullName, CheckpointManifest.FileName));
                    long bytes = checkpoint.Exists ? checkpoint.EnumerateFiles().Sum(file => file.Length) : 0;
                    return new CheckpointView(step, bytes, manifest.Exists ? manifest.LastWriteTimeUtc : null);
                }),
        ];
    }

    private bool Any(string name, Func<double, bool> holds) =>
        _series.TryGetValue(name, out var points) && points.Any(point => holds(point.Value));

    private int Number(string key)
    {
        if (
            int.TryParse(
                _recipe.GetValueOrDefault(key),
                NumberStyles.None,
                CultureInfo.InvariantCulture,
                out int number
            )
        )
        {
            return number;
        }

        return 0;
    }
}
