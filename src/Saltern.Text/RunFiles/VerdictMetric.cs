using System.Text.Json;
using System.Text.Json.Serialization;

namespace Saltern.RunFiles;

/// <summary>The measure that decides when a run has reached the baseline's quality: loss, accuracy, or a task that was run along the runs.</summary>
[JsonConverter(typeof(VerdictMetricJson))]
public sealed record VerdictMetric
{
    private VerdictMetric(string name, string series, bool lowerIsBetter, string noun, string title, string axis) =>
        (Name, Series, LowerIsBetter, Noun, Title, Axis) = (name, series, lowerIsBetter, noun, title, axis);

    /// <summary>Validation loss, nats per token; lower is better.</summary>
    public static VerdictMetric Loss { get; } =
        new(
            "loss",
            MetricNames.ValidLoss,
            true,
            "validation loss",
            "Validation loss",
            "validation loss, nats per token"
        );

    /// <summary>Next-token accuracy; higher is better.</summary>
    public static VerdictMetric Accuracy { get; } =
        new("accuracy", MetricNames.ValidAccuracy, false, "accuracy", "Next-token accuracy", "next-token accuracy");

    /// <summary>Name in options and files: <c>loss</c>, <c>accuracy</c>, or <c>task/metric</c>.</summary>
    public string Name { get; }

    /// <summary>Name in <c>metrics.jsonl</c>.</summary>
    internal string Series { get; }

    /// <summary>Whether less is better.</summary>
    internal bool LowerIsBetter { get; }

    /// <summary>+1 where less is better, −1 where more is: times a value, less is always better.</summary>
    internal double Sign => LowerIsBetter ? 1.0 : -1.0;

    /// <summary>Whether it is a share in [0, 1], told in per cent.</summary>
    internal bool IsShare => !LowerIsBetter;

    internal string Noun { get; }

    /// <summary>The noun where the text around it already speaks of validation.</summary>
    internal string ShortNoun
    {
        get
        {
            if (this == Loss)
            {
                return "loss";
            }

            return Noun;
        }
    }

    internal string Title { get; }

    internal string Axis { get; }

    /// <summary>Reads the text of <c>--metric</c>.</summary>
    /// <param name="text"><c>loss</c>, <c>accuracy</c>, or a task and one of its metrics such as <c>lastword/acc</c>.</param>
    /// <exception cref="ConfigurationException">It is none of these.</exception>
    public static VerdictMetric Parse(string text) =>
        text switch
        {
            "loss" => Loss,
            "accuracy" => Accuracy,
            _ when text.Split('/') is [{ Length: > 0 } task, { Length: > 0 } metric] => OfTask(task, metric),
            _ => throw new ConfigurationException(
                $"The metric {text} is none of loss, accuracy, or a task with one of its metrics such as lastword/acc."
            ),
        };

    private static VerdictMetric OfTask(string task, string metric)
    {
        bool lower =
            metric.Contains("perplexity", StringComparison.Ordinal)
            || metric.StartsWith("bits_per", StringComparison.Ordinal);
        string name = $"{task} {metric}";
        return new VerdictMetric($"{task}/{metric}", MetricNames.Task(task, metric), lower, name, name, name);
    }

    private sealed class VerdictMetricJson : JsonConverter<VerdictMetric>
    {
        public override VerdictMetric Read(
            ref Utf8JsonReader reader,
            Type typeToConvert,
            JsonSerializerOptions options
        ) => Parse(reader.GetString() ?? "");

        public override void Write(Utf8JsonWriter writer, VerdictMetric value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.Name);
    }
}
