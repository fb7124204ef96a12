using System.Diagnostics;
using System.Globalization;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Terminal;

/// <summary>A run's progress for a person: a status line between evaluations, a line that stays for each.</summary>
public sealed class TrainingProgress : IMetricsSink
{
    private readonly StatusLine _status;
    private MetricsLine? _train;
    private long _start;
    private int? _firstStep;
    private int _steps;

    /// <summary>Shows a run.</summary>
    public TrainingProgress(StatusLine status) => _status = status;

    /// <summary>Starts the clock for the time that is left.</summary>
    /// <param name="steps">Steps of the whole run.</param>
    public void Start(int steps) => (_firstStep, _steps) = (null, steps);

    /// <summary>Takes a step.</summary>
    public void Step(StepReport report)
    {
        // The first step compiles, looks for the faster library and touches all memory: many times one of the others.
        if (_firstStep is null)
        {
            (_start, _firstStep) = (Stopwatch.GetTimestamp(), report.Step);
        }

        _status.Show(() =>
        {
            double loss = report.Sums.StudentNll / report.Sums.Positions;
            return string.Create(
                CultureInfo.InvariantCulture,
                $"{Duration.Bar(report.Step / (double)_steps)} step {report.Step}/{_steps} loss {loss:0.000}"
                    + $"{Weight(report)}{Speed()}{Left(report.Step)}"
            );
        });
    }

    private string Left(int step)
    {
        int timed = step - (_firstStep ?? step);
        if (timed == 0)
        {
            return "";
        }

        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds / timed * (_steps - step);
        return $", {Duration.Text(seconds)} left";
    }

    /// <inheritdoc/>
    public void Write(MetricsLine line)
    {
        if (line[MetricNames.ValidLoss] is not double loss)
        {
            _train = line;
            return;
        }

        _status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"step {Column.Right(line.Step, 6)}  valid {loss:0.0000}{Training(_train)}{Guidance(_train)}"
            )
        );
    }

    /// <inheritdoc/>
    public void Dispose() { }

    private static string Weight(StepReport report)
    {
        if (!report.Weights.TeacherRuns)
        {
            return "";
        }

        return $" {report.WeightSymbol} {report.Weights.Global:0.000}";
    }

    private string Speed()
    {
        if (_train?[MetricNames.TokensPerSecond] is double tokens)
        {
            return $" {tokens:0} tokens/s";
        }

        return "";
    }

    private static string Training(MetricsLine? train)
    {
        if (train is null)
        {
            return "";
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"  train {train[MetricNames.StudentNll]:0.0000}  rate {train[MetricNames.LearningRate]:0.00000}"
                + $"  {train[MetricNames.TokensPerSecond]:0} tokens/s  {train[MetricNames.Mfu] * 100:0} % of peak"
        );
    }

    private static string Guidance(MetricsLine? train)
    {
        if (train?[MetricNames.AlignmentDistance] is double distance)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"  alignment {distance:0.0000}  λ {train[MetricNames.TeacherWeight]:0.000}"
            );
        }

        if (train?[MetricNames.TeacherNll] is double nll)
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"  teacher {nll:0.0000}  ω {train[MetricNames.TeacherWeight]:0.000}"
            );
        }

        return "";
    }
}
