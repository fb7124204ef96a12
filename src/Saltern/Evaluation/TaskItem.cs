using System.Text.Json;

namespace Saltern.Evaluation;

/// <summary>One item of a task, its templates filled in.</summary>
internal sealed record TaskItem
{
    /// <summary>The record's <c>id</c>, else its line number.</summary>
    public required string Id { get; init; }

    /// <summary>Place in the file, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>The record as it stands in the file.</summary>
    public required JsonElement Record { get; init; }

    /// <summary>What stands before the choice or answer; the text itself of kind <c>perplexity</c>.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>The text whose bytes and words a perplexity is per; null for the prompt.</summary>
    public string? Counted { get; init; }

    /// <summary>Ids of the tokens that come twice, of kind <c>induction</c>.</summary>
    public IReadOnlyList<int> Stretch { get; init; } = [];

    /// <summary>Choices, or the texts of a pair.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>Contexts of a context choice.</summary>
    public IReadOnlyList<string> Contexts { get; init; } = [];

    /// <summary>Index of the right choice or context.</summary>
    public int Gold { get; init; }

    /// <summary>What follows a context, or the last word.</summary>
    public string Answer { get; init; } = "";

    /// <summary>Reference answers of a generated text.</summary>
    public IReadOnlyList<string> Answers { get; init; } = [];

    /// <summary>What an example made of the item shows as its answer.</summary>
    public string Example { get; init; } = "";
}
