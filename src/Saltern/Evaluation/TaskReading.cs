using System.Text.Json;

namespace Saltern.Evaluation;

/// <summary>What a record's fields are made into before it is read.</summary>
internal enum TaskDerivation
{
    /// <summary><c>article</c> and <c>problems</c> of EleutherAI/race: <c>earlier</c> questions with their answers, and <c>question</c>, <c>options</c> and <c>answer</c> of the last.</summary>
    RaceArticle,
}

/// <summary>How one release's records are read. Texts are templates with <c>{field}</c>; see <see cref="PromptTemplate"/>.</summary>
internal sealed record TaskReading
{
    /// <summary>What stands before the choice or answer; of kind <c>perplexity</c> the text itself.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>Filters that the prompt goes through when its fields are filled in, as <c>without_brackets</c>.</summary>
    public IReadOnlyList<string> PromptFilters { get; init; } = [];

    /// <summary>Of kind <c>perplexity</c> the text whose bytes and words the metrics are per; null for the prompt.</summary>
    public string? Counted { get; init; }

    /// <summary>Other fields made of the record's before it is read; null for its own.</summary>
    public TaskDerivation? Derive { get; init; }

    /// <summary>Makes one item of several records; null where each is one.</summary>
    public TaskJoin? Join { get; init; }

    /// <summary>The choices (or whole texts of a pair), each a template.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>A field that lists the choices, as <c>choices.text[]</c>.</summary>
    public string? ChoicesFrom { get; init; }

    /// <summary>The contexts of a context choice, each a template.</summary>
    public IReadOnlyList<string> Contexts { get; init; } = [];

    /// <summary>A field that lists the contexts.</summary>
    public string? ContextsFrom { get; init; }

    /// <summary>The field that says which choice is right: its index from 0, or one of <see cref="GoldLabels"/>; null only for pairs, whose first text is the good one.</summary>
    public string? Gold { get; init; }

    /// <summary>What the gold field may hold, in the order of the choices; <c>0|false</c> is either.</summary>
    public IReadOnlyList<string> GoldLabels { get; init; } = [];

    /// <summary>A field that lists the labels of the item's choices.</summary>
    public string? GoldLabelsFrom { get; init; }

    /// <summary>The answer of a context choice or the last word, a template.</summary>
    public string? Answer { get; init; }

    /// <summary>Fields with reference answers of a generated text, each a text or a list; only the first must be there.</summary>
    public IReadOnlyList<string> Answers { get; init; } = [];

    /// <summary>What counts as the answer where the record lists none.</summary>
    public string? NoAnswer { get; init; }

    /// <summary>What an example shows as the answer, a template; the right choice, the answer or the first reference by default.</summary>
    public string? Example { get; init; }

    /// <summary>What is missing for a kind of task; null where all is well.</summary>
    internal string? ProblemFor(TaskKind kind)
    {
        bool hasChoices = Choices.Count > 0 || ChoicesFrom is not null;
        bool hasContexts = Contexts.Count > 0 || ContextsFrom is not null;
        string? missing = kind switch
        {
            TaskKind.Choice when !hasChoices || Gold is null => "needs choices or choices_from, and gold",
            TaskKind.ContextChoice when !hasContexts || Gold is null || Answer is null =>
                "needs contexts or contexts_from, answer and gold",
            TaskKind.Pair when !hasChoices => "needs choices or choices_from",
            TaskKind.LastWord when Prompt.Length == 0 || Answer is null => "needs prompt and answer",
            TaskKind.Generate when Prompt.Length == 0 || Answers.Count == 0 => "needs prompt and answers",
            TaskKind.Perplexity when Prompt.Length == 0 => "needs prompt: the text",
            _ => null,
        };
        if (missing is not null)
        {
            return missing + ".";
        }

        if (kind != TaskKind.Perplexity && (Counted is not null || Join is not null))
        {
            return "has counted or join, which kind perplexity alone uses.";
        }

        try
        {
            _ = RequiredFields();
            _ = PromptFilters.Select(TextFilter.Parse).ToArray();
            return Join?.Problem();
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    /// <summary>Fields that a record must have to be read this way.</summary>
    /// <exception cref="FormatException">A template or field is malformed.</exception>
    internal IReadOnlyList<FieldPath> RequiredFields() =>
        [
            .. new[] { Prompt, Answer, Example, Counted }
                .OfType<string>()
                .Concat(Choices)
                .Concat(Contexts)
                .SelectMany(text => PromptTemplate.Parse(text).Fields),
            .. new[] { ChoicesFrom, ContextsFrom, Gold, GoldLabelsFrom }
                .OfType<string>()
                .Concat(Answers.Take(1))
                .Select(FieldPath.Parse),
        ];

    /// <summary>The prompt of a record.</summary>
    /// <exception cref="DataFormatException">A field is missing or no text.</exception>
    internal string FillPrompt(JsonElement record) =>
        PromptFilters
            .Select(TextFilter.Parse)
            .Aggregate(PromptTemplate.Parse(Prompt).Fill(record), (text, filter) => filter.Apply(text));

    /// <summary>Whether a record has the fields.</summary>
    internal bool Fits(JsonElement record) =>
        Fields(record) is { } fields && RequiredFields().All(field => field.Exists(fields));

    /// <summary>What of a record is read; null where the fields that it is made of are not there.</summary>
    /// <exception cref="DataFormatException">They are there and cannot be read.</exception>
    internal JsonElement? Fields(JsonElement record) =>
        Derive == TaskDerivation.RaceArticle ? RaceArticle.Of(record) : record;
}
