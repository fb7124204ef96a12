using System.Text.Json;
using Saltern.Models;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>Text that a run's model writes after the data set's prompts: always the same ones, so that one can see it learn.</summary>
internal sealed record RunSamples
{
    private const int MaxTokens = 96;

    /// <summary>Steps done when they were written.</summary>
    public required int Step { get; init; }

    /// <summary>One for each prompt.</summary>
    public required IReadOnlyList<TextSample> Samples { get; init; }

    /// <summary>Reads the file.</summary>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="DataFormatException">It is no such file.</exception>
    public static RunSamples Parse(string json, string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RunSamples>(json, ReportJson.Options)
                ?? throw new DataFormatException(
                    $"{path} is empty. Remove it; the run's next evaluation writes it anew."
                );
        }
        catch (JsonException problem)
        {
            throw new DataFormatException(
                $"{path} holds no samples of text: {problem.Message} Remove it; the run's next evaluation writes it anew.",
                problem
            );
        }
    }

    /// <summary>Lets the model write.</summary>
    internal static IReadOnlyList<TextSample> Of(RunParts parts, Transformer student, int seed) =>
        [
            .. parts.Text.Prompts.Select(prompt =>
            {
                var options = new SamplingOptions
                {
                    MaxTokens = MaxTokens,
                    Temperature = 0.7,
                    TopP = 0.95,
                    Seed = seed,
                };
                int[] added =
                [
                    .. TextGenerator.Generate(
                        student,
                        prompt,
                        parts.EndTokens,
                        parts.Tokenizer.VocabularySize,
                        options
                    ),
                ];
                return new TextSample(parts.Tokenizer.Decode(prompt), parts.Tokenizer.DecodeContinuation(added));
            }),
        ];

    /// <summary>Writes the file in one go.</summary>
    internal void Write(RunFolder folder) =>
        folder.WriteText(RunLayout.Samples, JsonSerializer.Serialize(this, ReportJson.Options) + "\n");
}
