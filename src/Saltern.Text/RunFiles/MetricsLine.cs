namespace Saltern.RunFiles;

/// <summary>Some metrics of one step, by the names that docs/run-format.md lists.</summary>
/// <param name="Step">Step that the metrics belong to.</param>
/// <param name="Values">Name and value, in the order they are written.</param>
public sealed record MetricsLine(int Step, IReadOnlyList<KeyValuePair<string, double>> Values)
{
    /// <summary>Value of a metric; null where the line has none.</summary>
    public double? this[string name]
    {
        get
        {
            foreach ((string key, double value) in Values)
            {
                if (key == name)
                {
                    return value;
                }
            }

            return null;
        }
    }
}

/// <summary>Takes a run's metrics as they come: a file, a dashboard, a progress bar.</summary>
public interface IMetricsSink : IDisposable
{
    /// <summary>Takes one line.</summary>
    void Write(MetricsLine line);
}
