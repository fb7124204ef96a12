using Saltern.Checkpoints;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>Where a run's metrics go: <c>metrics.jsonl</c> and TensorBoard events of its folder, the meter of this process, and what the caller gave.</summary>
/// <param name="folder">The run's folder; null on a rank that does not write.</param>
/// <param name="from">Where the run begins or goes on; later lines of an earlier life are dropped.</param>
/// <param name="sinks">Others, owned by who gave them.</param>
internal sealed class RunMetrics(
    RunFolder? folder,
    TrainState from,
    RunConfig config,
    IReadOnlyList<IMetricsSink> sinks
) : IDisposable
{
    private readonly MetricsLog? _metrics = Open(
        folder,
        run => new MetricsLog(run.PathOf(RunLayout.Metrics), from.Step)
    );
    private readonly TensorBoardLog? _events = Open(folder, run => new TensorBoardLog(run.Path, from.Step, config));
    private readonly RunMeter? _meter = folder is null ? null : new RunMeter(config.Name, from);

    /// <summary>Writes a line to all of them.</summary>
    /// <exception cref="CheckpointException">The folder cannot be written.</exception>
    public void Write(MetricsLine line)
    {
        ToFolder(() =>
        {
            _metrics?.Write(line);
            _events?.Write(line);
        });
        _meter?.Write(line);
        foreach (IMetricsSink sink in sinks)
        {
            sink.Write(line);
        }
    }

    /// <summary>Writes what the model makes of the prompts, for TensorBoard; the caller writes the file.</summary>
    /// <exception cref="CheckpointException">The folder cannot be written.</exception>
    public void Write(RunSamples samples) => ToFolder(() => _events?.Write(samples));

    /// <summary>Says that the run has ended, with what its model makes of the prompts.</summary>
    /// <exception cref="CheckpointException">The folder cannot be written.</exception>
    public void Finish(RunSamples samples) =>
        ToFolder(() =>
        {
            _events?.Write(samples);
            _events?.Finish();
        });

    /// <summary>Puts on the disk what was written: a checkpoint must not be ahead of its metrics.</summary>
    /// <exception cref="CheckpointException">The folder cannot be written.</exception>
    public void Flush() => ToFolder(() => _metrics?.Flush());

    /// <inheritdoc/>
    public void Dispose()
    {
        _metrics?.Dispose();
        _events?.Dispose();
    }

    private void ToFolder(Action write) => folder?.Write(NameOf(folder), write);

    // What is written at the beginning may not fit either.
    private static T? Open<T>(RunFolder? folder, Func<RunFolder, T> open)
        where T : class
    {
        T? log = null;
        folder?.Write(NameOf(folder), () => log = open(folder));
        return log;
    }

    private static string NameOf(RunFolder folder) => $"The log of the run in {folder.Path}";
}
