using System.Diagnostics.Metrics;
using System.Reflection;
using Saltern.Checkpoints;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>The same metrics as measurements of <see cref="System.Diagnostics.Metrics"/>, meter <c>Saltern</c>: for dotnet-counters, OpenTelemetry, or a <see cref="MeterListener"/>.</summary>
/// <remarks>
/// Every metric is a gauge, named <c>saltern.</c> and its name with dots for strokes; the tag <c>run</c> is the run's name. Losses by domain and difficulty and results of tasks are
/// tags of one gauge each. Beside them are a counter of tokens, and the seconds of a step as a histogram, a value a line of the log: the mean since the last one.
/// </remarks>
internal sealed class RunMeter : IMetricsSink
{
    /// <summary>Name of the meter.</summary>
    public const string Name = "Saltern";

    private const string Prefix = "saltern.";
    private const string StepDuration = Prefix + "step.duration";
    private const string TokensCounted = Prefix + "tokens.trained";
    private const string DomainLoss = Prefix + "valid.domain_loss";
    private const string BucketLoss = Prefix + "valid.bucket_loss";
    private const string TaskScore = Prefix + "valid.task";

    // Units in the notation of UCUM; other metrics are shares or counts.
    private static readonly Dictionary<string, string> Units = new(StringComparer.Ordinal)
    {
        [MetricNames.Seconds] = "s",
        [MetricNames.Tokens] = "{token}",
        [MetricNames.Samples] = "{sample}",
        [MetricNames.TokensPerSecond] = "{token}/s",
        [MetricNames.ResidentMib] = "MiBy",
        [MetricNames.Flops] = "{FLOP}",
        [MetricNames.TeacherFlops] = "{FLOP}",
        [MetricNames.ValidBitsPerByte] = "bit/By",
        [MetricNames.TrainLoss] = "{nat}",
        [MetricNames.StudentNll] = "{nat}",
        [MetricNames.TeacherNll] = "{nat}",
        [MetricNames.KlToTeacher] = "{nat}",
        [MetricNames.CrossEntropyToTeacher] = "{nat}",
        [MetricNames.TeacherEntropy] = "{nat}",
        [MetricNames.TrainGap] = "{nat}",
        [MetricNames.ValidLoss] = "{nat}",
        [MetricNames.ValidGap] = "{nat}",
        [MetricNames.ValidAverageLoss] = "{nat}",
    };

    // From a small model's step to a large one's, in steps of 1, 2, 5.
    private static readonly double[] StepBounds =
    [
        .. Enumerable.Range(-3, 6).SelectMany(power => new[] { 1, 2, 5 }.Select(first => first * Math.Pow(10, power))),
    ];

    private static readonly Meter Meter = new(
        Name,
        typeof(RunMeter).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
    );
    private static readonly Lock Making = new();
    private static readonly Dictionary<string, Gauge<double>> Gauges = new(StringComparer.Ordinal);
    private static readonly Histogram<double> Steps = Meter.CreateHistogram<double>(
        StepDuration,
        "s",
        "Mean seconds of a step since the last line of the log, evaluation and checkpoints left out.",
        tags: null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = StepBounds }
    );
    private static readonly Counter<long> Trained = Meter.CreateCounter<long>(
        TokensCounted,
        "{token}",
        "Tokens that runs of this process have trained on."
    );

    private readonly KeyValuePair<string, object?> _run;
    private int _lastStep;
    private double _lastTokens;

    /// <summary>Measures a run.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="from">Where it begins or goes on.</param>
    public RunMeter(string name, TrainState from) =>
        (_run, _lastStep, _lastTokens) = (new("run", name), from.Step, from.Tokens);

    /// <inheritdoc/>
    public void Write(MetricsLine line)
    {
        foreach ((string name, double value) in line.Values)
        {
            if (double.IsFinite(value))
            {
                Record(name, value);
            }
        }

        // Lines of evaluations have no speed: they repeat what was counted.
        if (line[MetricNames.TokensPerSecond] is double speed and > 0 && line[MetricNames.Tokens] is double tokens)
        {
            double trained = tokens - _lastTokens;
            Trained.Add((long)trained, _run);
            Steps.Record(trained / speed / Math.Max(1, line.Step - _lastStep), _run);
            (_lastStep, _lastTokens) = (line.Step, tokens);
        }
    }

    /// <inheritdoc/>
    public void Dispose() { }

    private void Record(string name, double value)
    {
        switch (name.Split('/'))
        {
            case ["valid", "task", var task, var metric]:
                Of(TaskScore, "").Record(value, _run, new("task", task), new("metric", metric));
                break;
            case ["valid", "bucket", var bucket, "loss"]:
                Of(BucketLoss, "{nat}").Record(value, _run, new("bucket", bucket));
                break;
            default:
                if (MetricNames.DomainOf(name) is string domain)
                {
                    Of(DomainLoss, "{nat}").Record(value, _run, new("domain", domain));
                    break;
                }

                Of(Prefix + name.Replace('/', '.'), Units.GetValueOrDefault(name, "")).Record(value, _run);
                break;
        }
    }

    private static Gauge<double> Of(string name, string unit)
    {
        lock (Making)
        {
            if (!Gauges.TryGetValue(name, out Gauge<double>? gauge))
            {
                gauge = Meter.CreateGauge<double>(name, unit);
                Gauges.Add(name, gauge);
            }

            return gauge;
        }
    }
}
