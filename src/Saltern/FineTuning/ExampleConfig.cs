using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;
using Saltern.Corpora;
using Saltern.Evaluation;

namespace Saltern.FineTuning;

/// <summary>How a record of examples is laid out.</summary>
internal enum ExampleFormat
{
    /// <summary>A prompt and a response, each a text template over the record's fields.</summary>
    PromptResponse,

    /// <summary>A conversation: a list of messages with role and content.</summary>
    Messages,

    /// <summary>Stanford Alpaca's <c>instruction</c>, <c>input</c> and <c>output</c>, with its wording around them.</summary>
    Alpaca,
}

/// <summary>What becomes of examples that are longer than a row.</summary>
internal enum TooLongExamples
{
    /// <summary>They are left out whole.</summary>
    LeaveOut,

    /// <summary>The beginning of the prompt is cut off, as it is where the model answers; one whose last reply does not fit is left out.</summary>
    CutPrompt,
}

/// <summary>What a fine-tuning run reads: the section <c>data</c> of its recipe.</summary>
internal sealed record ExampleConfig : IValidated
{
    private static readonly Dictionary<ExampleFormat, string[]> FieldNames = new()
    {
        [ExampleFormat.PromptResponse] = [],
        [ExampleFormat.Messages] = ["messages", "role", "content", "system"],
        [ExampleFormat.Alpaca] = ["instruction", "input", "output"],
    };

    /// <summary>Examples: JSON lines or a list (.jsonl, .ndjson, .json, plain or compressed), .parquet or .arrow; a file, or a folder or glob of shards.</summary>
    [MinLength(1)]
    [NamesInput]
    public required string Path { get; init; }

    /// <summary>Encoding of JSON without a byte order mark, by its IANA name such as <c>windows-1252</c>; null for UTF-8.</summary>
    public string? Encoding { get; init; }

    /// <summary>Validation examples of the same layout; null splits a share off.</summary>
    public string? ValidPath { get; init; }

    /// <summary>Percent of the examples that are split off for validation where no file of their own is named; null means 2.</summary>
    [Range(0.01, 50.0)]
    public double? ValidPercent { get; init; }

    /// <summary>A text template over the record's fields: examples for which it gives the same text fall on the same side of the split. Null takes the whole prompt; of a conversation all that is not a reply.</summary>
    public string? SplitBy { get; init; }

    /// <summary>How records are laid out.</summary>
    public ExampleFormat Format { get; init; }

    /// <summary><c>prompt_response</c>: template of the prompt; null means <c>{prompt}</c>.</summary>
    public string? Prompt { get; init; }

    /// <summary><c>prompt_response</c>: template of the response; null means <c>{response}</c>.</summary>
    public string? Response { get; init; }

    /// <summary>Other names of the fields of <c>messages</c> (messages, role, content, system) and <c>alpaca</c> (instruction, input, output); null for none.</summary>
    public IReadOnlyDictionary<string, string>? Fields { get; init; }

    /// <summary><c>messages</c>: other names of the roles system, user, assistant and tool, as <c>{ visitor: user }</c>; null for those in use (human, gpt, developer, function, …).</summary>
    public IReadOnlyDictionary<string, string>? Roles { get; init; }

    /// <summary><c>messages</c>: the text around messages.</summary>
    public ChatTemplateConfig? Template { get; init; }

    /// <summary>The texts around the messages of a conversation, as the examples have them; null of prompts and responses, which are none.</summary>
    internal ChatTemplateConfig? ChatTexts
    {
        get
        {
            if (Format == ExampleFormat.Alpaca)
            {
                return ChatTemplate.TextsOf(new ChatTemplateConfig { Name = "alpaca" });
            }

            return Template is null ? null : ChatTemplate.TextsOf(Template);
        }
    }

    /// <summary>T, tokens of a packed row.</summary>
    [Range(8, 1_048_576)]
    public int SequenceLength { get; init; } = 512;

    /// <summary>What becomes of longer examples; null leaves them out, and cuts their prompts where more than half of all are longer.</summary>
    public TooLongExamples? TooLong { get; init; }

    /// <summary>A field's name in the records.</summary>
    internal string Field(string name) => Fields?.GetValueOrDefault(name) ?? name;

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (ValidPath is not null && (ValidPercent ?? 0) > 0)
        {
            yield return new ConfigurationProblem(
                "valid_percent",
                "is not used where valid_path names validation examples. Remove one of them."
            );
        }

        if (ValidPath is not null && SplitBy is not null)
        {
            yield return new ConfigurationProblem(
                "split_by",
                "is not used where valid_path names validation examples. Remove one of them."
            );
        }

        if (Encoding is not null && TextDecoding.ProblemOf(Encoding) is string unknown)
        {
            yield return new ConfigurationProblem("encoding", unknown);
        }

        bool isChat = Format == ExampleFormat.Messages;
        bool isPlain = Format == ExampleFormat.PromptResponse;
        foreach (
            (string key, bool given, bool used, string user) in new[]
            {
                ("prompt", Prompt is not null, isPlain, "prompt_response"),
                ("response", Response is not null, isPlain, "prompt_response"),
                ("roles", Roles is not null, isChat, "messages"),
                ("template", Template is not null, isChat, "messages"),
            }
        )
        {
            if (given && !used)
            {
                yield return new ConfigurationProblem(key, $"is used by 'format: {user}' only. Remove it.");
            }
        }

        if (isChat && Template is null)
        {
            yield return new ConfigurationProblem(
                "template",
                "is missing: a conversation needs text around its messages. "
                    + $"Name one of {string.Join(", ", ChatTemplate.Names)} (template: {{ name: "
                    + "turns }), or give texts of your own."
            );
        }

        foreach (string unused in (Fields?.Keys ?? []).Except(FieldNames[Format]))
        {
            string allowed = "Name fields in the templates: prompt: \"{question}\".";
            if (FieldNames[Format].Length > 0)
            {
                allowed = $"Allowed are {string.Join(", ", FieldNames[Format])}.";
            }

            yield return new ConfigurationProblem(
                "fields",
                $"has '{unused}', which 'format: {Word(Format)}' does not use. {allowed}"
            );
        }

        foreach (string role in (Roles?.Values ?? []).Except(ChatTemplate.Roles))
        {
            yield return new ConfigurationProblem(
                "roles",
                $"has the role '{role}'. Allowed are {string.Join(", ", ChatTemplate.Roles)}."
            );
        }

        foreach (
            (string key, string? template) in new[]
            {
                ("prompt", Prompt),
                ("response", Response),
                ("split_by", SplitBy),
            }
        )
        {
            if (template is not null && ProblemOf(template) is string problem)
            {
                yield return new ConfigurationProblem(key, problem);
            }
        }
    }

    private static string Word(ExampleFormat format) =>
        System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(format.ToString());

    private static string? ProblemOf(string template)
    {
        try
        {
            if (PromptTemplate.Parse(template).Fields.Any())
            {
                return null;
            }

            return "names no field. Write {field} where a field's text belongs.";
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }
}
