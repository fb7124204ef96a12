using Saltern.RunFiles;
using TorchSharp;
using TorchSharp.Modules;

namespace Saltern.Runs;

/// <summary>The same metrics as TensorBoard events, in the run folder.</summary>
internal sealed class TensorBoardLog : IMetricsSink
{
    private readonly SummaryWriter _writer;

    /// <summary>Starts a new events file in a folder.</summary>
    public TensorBoardLog(string folder) => _writer = torch.utils.tensorboard.SummaryWriter(folder);

    /// <inheritdoc/>
    public void Write(MetricsLine line)
    {
        foreach ((string name, double value) in line.Values.Where(metric => double.IsFinite(metric.Value)))
        {
            _writer.add_scalar(name, (float)value, line.Step);
        }
    }

    /// <inheritdoc/>
    public void Dispose() { }
}
