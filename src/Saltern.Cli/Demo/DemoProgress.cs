using System.Diagnostics;
using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Demo;

/// <summary>Both students' validation losses as they come: a line for each evaluation, and a small chart on a terminal.</summary>
public sealed class DemoProgress
{
    private readonly StatusLine _status;
    private readonly int _steps;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly SortedDictionary<int, double> _baseline = [];
    private readonly SortedDictionary<int, double> _salt = [];
    private readonly bool _chart;

    /// <summary>Shows two runs of some steps.</summary>
    public DemoProgress(Output output, StatusLine status, int steps) =>
        (_status, _steps, _chart) = (status, steps, output.IsInteractive);

    /// <summary>Takes BASELINE's metrics.</summary>
    public IMetricsSink Baseline => new Sink(this, _baseline);

    /// <summary>Takes SALT's metrics.</summary>
    public IMetricsSink Salt => new Sink(this, _salt);

    /// <summary>Takes a step of either.</summary>
    public void Step(StepReport report) =>
        _status.Show(() =>
            $"{Duration.Bar(report.Step / (double)_steps)} students: step {report.Step}/{_steps}, {TimeLeft(report.Step)} left"
        );

    private string TimeLeft(int step) =>
        Duration.Text(Stopwatch.GetElapsedTime(_start).TotalSeconds / step * (_steps - step));

    private void Take(SortedDictionary<int, double> curve, MetricsLine line)
    {
        if (line[MetricNames.ValidLoss] is not double loss)
        {
            return;
        }

        curve[line.Step] = loss;
        if (!_baseline.TryGetValue(line.Step, out double baseline) || !_salt.TryGetValue(line.Step, out double salt))
        {
            return;
        }

        _status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"step {Column.Right(line.Step, 5)}  validation loss  BASELINE {baseline:0.0000}  SALT {salt:0.0000}"
                    + $"  difference {salt - baseline:+0.0000;-0.0000}  {TimeLeft(line.Step)} left"
            )
        );
        if (_chart && _baseline.Count % 5 == 0)
        {
            _status.Keep(
                TextChart.Draw(
                    [
                        ('o', [.. _baseline.Select(p => (p.Key, p.Value))]),
                        ('*', [.. _salt.Select(p => (p.Key, p.Value))]),
                    ],
                    _steps,
                    64,
                    10
                ) + "   o BASELINE  * SALT"
            );
        }
    }

    private sealed class Sink(DemoProgress owner, SortedDictionary<int, double> curve) : IMetricsSink
    {
        public void Write(MetricsLine line) => owner.Take(curve, line);

        public void Dispose() { }
    }
}
