using System.Text.Json;

namespace Saltern.RunFiles;

/// <summary>A run's <c>metrics.jsonl</c> as one row a step: lines of the same step are merged, and what a resume wrote again replaces what it repeats.</summary>
public sealed class MetricsTable
{
    private readonly SortedList<int, Dictionary<string, double>> _rows = [];

    /// <summary>Steps with at least one value, ascending.</summary>
    public IReadOnlyList<int> Steps => [.. _rows.Keys];

    /// <summary>Reads the lines of a metrics file.</summary>
    /// <param name="lines">One JSON object each; a last line that was torn by a crash is left out.</param>
    /// <param name="sourceName">Path to name in errors.</param>
    /// <exception cref="DataFormatException">A line other than the last is not an object with an integer <c>step</c>.</exception>
    internal static MetricsTable Parse(IEnumerable<string> lines, string sourceName)
    {
        ArgumentNullException.ThrowIfNull(lines);
        MetricsTable table = new();
        DataFormatException? doubtful = null;
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            if (doubtful is not null)
            {
                throw doubtful;
            }

            try
            {
                table.AddLine(line);
            }
            catch (DataFormatException problem)
            {
                // Only a line with another one after it is damage; the last one may have been cut by a crash.
                doubtful = new DataFormatException(
                    $"{sourceName}:{number}: {problem.Message}. Mend or remove that line.",
                    problem
                );
            }
        }

        return table;
    }

    /// <summary>Adds what one line of a metrics file says.</summary>
    /// <exception cref="DataFormatException">Not an object with an integer <c>step</c>; the message shows the line, not the file.</exception>
    internal void AddLine(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            if (
                document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty(MetricNames.Step, out JsonElement element)
            )
            {
                throw new FormatException("no step");
            }

            int step = element.GetInt32();
            if (step < 0)
            {
                throw new FormatException("negative step");
            }

            Add(
                step,
                document
                    .RootElement.EnumerateObject()
                    .Where(member => member.Value.ValueKind == JsonValueKind.Number && member.Name != MetricNames.Step)
                    .Select(member => KeyValuePair.Create(member.Name, member.Value.GetDouble()))
            );
        }
        catch (Exception problem) when (problem is JsonException or FormatException or InvalidOperationException)
        {
            throw new DataFormatException(
                $"a JSON object with an integer \"step\" was expected, found: {Shorten(line)}",
                problem
            );
        }
    }

    /// <summary>Adds values of a step; going back to an earlier step drops all later ones, as a resumed run will write them again.</summary>
    /// <param name="step">Steps done, 0 or more.</param>
    /// <param name="values">Values by the names of docs/run-format.md.</param>
    /// <exception cref="ArgumentOutOfRangeException">The step is negative.</exception>
    internal void Add(int step, IEnumerable<KeyValuePair<string, double>> values)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(values);
        while (_rows.Count > 0 && _rows.GetKeyAtIndex(_rows.Count - 1) > step)
        {
            _rows.RemoveAt(_rows.Count - 1);
        }

        if (!_rows.TryGetValue(step, out Dictionary<string, double>? row))
        {
            _rows.Add(step, row = []);
        }

        foreach ((string name, double value) in values)
        {
            row[name] = value;
        }
    }

    /// <summary>All values of a step.</summary>
    /// <param name="step">One of <see cref="Steps"/>.</param>
    public IEnumerable<KeyValuePair<string, double>> Row(int step) => _rows[step];

    /// <summary>All logged values of one name, by step; values that are not finite are left out.</summary>
    /// <param name="name">A name of docs/run-format.md, such as <c>train/weight</c>.</param>
    public IReadOnlyList<(int Step, double Value)> Series(string name) =>
        [
            .. _rows
                .Where(row => row.Value.TryGetValue(name, out double value) && double.IsFinite(value))
                .Select(row => (row.Key, row.Value[name])),
        ];

    /// <summary>A measure with the run's costs beside it.</summary>
    /// <param name="name">A name of docs/run-format.md, such as <c>valid/loss</c>.</param>
    /// <remarks>Where a cost was not logged at an evaluation's step it is interpolated between its neighbours; at step 0 it is 0.</remarks>
    public IReadOnlyList<CurvePoint> Curve(string name)
    {
        IReadOnlyList<(int Step, double Value)> seconds = Series(MetricNames.Seconds);
        IReadOnlyList<(int Step, double Value)> flops = Series(MetricNames.Flops);
        return
        [
            .. Series(name)
                .Select(point => new CurvePoint(
                    point.Step,
                    At(seconds, point.Step),
                    At(flops, point.Step),
                    point.Value
                )),
        ];
    }

    private static double? At(IReadOnlyList<(int Step, double Value)> series, int step)
    {
        int low = 0;
        int high = series.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (series[middle].Step < step)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (low < series.Count && series[low].Step == step)
        {
            return series[low].Value;
        }

        if (step == 0)
        {
            return 0.0;
        }

        if (low == series.Count)
        {
            return null;
        }

        (int Step, double Value) before = (0, 0.0);
        if (low > 0)
        {
            before = series[low - 1];
        }

        return before.Value
            + (series[low].Value - before.Value) * (step - before.Step) / (series[low].Step - before.Step);
    }

    private static string Shorten(string line) => line.Length <= 80 ? line : line[..80] + "…";
}
