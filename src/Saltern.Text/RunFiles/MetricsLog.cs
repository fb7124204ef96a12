using System.Text.Json;
using Saltern.Files;

namespace Saltern.RunFiles;

/// <summary><c>metrics.jsonl</c>: one JSON object a line, flushed line by line, so that a reader may follow and a kill costs at most a torn line.</summary>
internal sealed class MetricsLog : IMetricsSink
{
    private readonly FileStream _file;

    /// <summary>Opens a log to resume after a step; lines of later steps, left by a run that was killed, are dropped.</summary>
    /// <param name="lastStep">Last step to keep; 0 starts anew.</param>
    public MetricsLog(string path, int lastStep)
    {
        string[] kept =
            lastStep > 0 && File.Exists(path)
                ? [.. Lines(path).Where(line => StepOf(line) is int step && step <= lastStep)]
                : [];
        WholeFile.WriteText(path, string.Concat(kept.Select(line => line + '\n')));
        _file = Disk.Current.Open(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferBytes: 0);
    }

    /// <inheritdoc/>
    public void Write(MetricsLine line)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber(MetricNames.Step, line.Step);
            foreach ((string name, double value) in line.Values)
            {
                // JSON has no NaN: a metric that is not a number is left out.
                if (double.IsFinite(value))
                {
                    json.WriteNumber(name, value);
                }
            }

            json.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        _file.Write(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>Brings all lines to the disk, before a checkpoint that counts on them.</summary>
    public void Flush() => _file.Flush(flushToDisk: true);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static IEnumerable<string> Lines(string path)
    {
        using var reader = new StreamReader(Disk.Current.OpenRead(path));
        while (reader.ReadLine() is string line)
        {
            yield return line;
        }
    }

    private static int? StepOf(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.GetProperty(MetricNames.Step).GetInt32();
        }
        catch (Exception e)
            when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }
}
