using Saltern.RunFiles;

namespace Saltern.Samples;

/// <summary>A place for metrics of one's own: the validation losses of a run, with the teacher's weight beside each.</summary>
internal sealed class OwnSink : IMetricsSink
{
    private double _weight;

    // Names are those of docs/run-format.md; a line has what its step measured.
    public void Write(MetricsLine line)
    {
        _weight = line["train/weight"] ?? _weight;
        if (line["valid/loss"] is double loss)
        {
            Console.WriteLine($"after step {line.Step}: {loss:0.000} nats per token, weight {_weight:0.00}");
        }
    }

    public void Dispose() { }
}
