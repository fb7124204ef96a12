using Saltern.Configuration;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>The same metrics as TensorBoard events, in the run's folder, with the recipe's keys for HPARAMS and what the model writes for TEXT.</summary>
internal sealed class TensorBoardLog : IMetricsSink
{
    private readonly EventFile _events;

    /// <summary>Begins the folder's event file, or goes on with it.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="lastStep">Step that the run goes on from; 0 where it begins.</param>
    /// <param name="config">The recipe.</param>
    public TensorBoardLog(string folder, int lastStep, RunConfig config)
    {
        _events = new EventFile(folder, lastStep);
        if (lastStep == 0)
        {
            _events.WriteSettings(config.Name, RecipeDiff.ValuesOf(config));
            _events.WriteText(0, "recipe", [Fenced(RecipeWriter.Write(config))]);
            _events.Flush();
        }
    }

    /// <inheritdoc/>
    public void Write(MetricsLine line)
    {
        _events.WriteScalars(line.Step, line.Values.Where(metric => double.IsFinite(metric.Value)));
        _events.Flush();
    }

    /// <summary>Writes what the model makes of the prompts.</summary>
    public void Write(RunSamples samples)
    {
        _events.WriteText(
            samples.Step,
            "generated", // "samples" is a metric: a tag belongs to one plug-in
            [.. samples.Samples.Select(sample => $"**{Plain(sample.Prompt)}**{Plain(sample.Text)}")]
        );
        _events.Flush();
    }

    /// <summary>Says that the run has ended well.</summary>
    public void Finish()
    {
        _events.WriteEnd();
        _events.Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => _events.Dispose();

    private static string Fenced(string text) => $"```yaml\n{text}```";

    // What a model writes is no Markdown.
    private static string Plain(string text) =>
        string.Concat(
            text.Select(letter =>
                "\\`*_{}[]<>#+-!|~".Contains(letter, StringComparison.Ordinal) ? $"\\{letter}" : $"{letter}"
            )
        );
}
