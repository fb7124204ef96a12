using System.Diagnostics;
using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Demo;

/// <summary>The students' validation losses as they come: a line for each evaluation, and a small chart on a terminal.</summary>
public sealed class DemoProgress
{
    private readonly StatusLine _status;
    private readonly int _steps;
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Student[] _students;
    private readonly bool _chart;

    /// <summary>Shows runs of some steps.</summary>
    /// <param name="names">Of the students, the one that the others are held against first; their first letters are their marks.</param>
    public DemoProgress(Output output, StatusLine status, int steps, IReadOnlyList<string> names)
    {
        (_status, _steps, _chart) = (status, steps, output.IsInteractive);
        _students = [.. names.Select(name => new Student(name))];
    }

    /// <summary>Takes the metrics of one of them.</summary>
    public IMetricsSink Of(string name) => new Sink(this, _students.Single(student => student.Name == name));

    /// <summary>Takes a step of any of them.</summary>
    public void Step(StepReport report) =>
        _status.Show(() =>
            $"{Duration.Bar(report.Step / (double)_steps)} students: step {report.Step}/{_steps}, {TimeLeft(report.Step)} left"
        );

    private string TimeLeft(int step) =>
        Duration.Text(Stopwatch.GetElapsedTime(_start).TotalSeconds / step * (_steps - step));

    private void Take(Student taken, MetricsLine line)
    {
        if (line[MetricNames.ValidLoss] is not double loss)
        {
            return;
        }

        taken.Curve[line.Step] = loss;
        if (!_students.All(student => student.Curve.ContainsKey(line.Step)))
        {
            return;
        }

        IEnumerable<string> losses = _students.Select(student =>
            string.Create(CultureInfo.InvariantCulture, $"{student.Name} {student.Curve[line.Step]:0.000}")
        );
        _status.Keep(
            $"step {Column.Right(line.Step, 5)}  validation loss  {string.Join("  ", losses)}  {TimeLeft(line.Step)} left"
        );
        if (_chart && _students[0].Curve.Count % 5 == 0)
        {
            _status.Keep(
                TextChart.Draw([.. _students.Select(student => (student.Mark, Points(student)))], _steps, 64, 10)
                    + "   "
                    + string.Join("  ", _students.Select(student => $"{student.Mark} {student.Name}"))
            );
        }
    }

    private static IReadOnlyList<(int, double)> Points(Student student) =>
        [.. student.Curve.Select(point => (point.Key, point.Value))];

    private sealed record Student(string Name)
    {
        public char Mark => Name[0];

        public SortedDictionary<int, double> Curve { get; } = [];
    }

    private sealed class Sink(DemoProgress owner, Student student) : IMetricsSink
    {
        public void Write(MetricsLine line) => owner.Take(student, line);

        public void Dispose() { }
    }
}
