using Saltern.Configuration;

namespace Saltern.FineTuning;

/// <summary>The text around the messages of a conversation: a name, or texts of one's own.</summary>
internal sealed record ChatTemplateConfig : IValidated
{
    /// <summary>A template that is known by name; null where the texts are given.</summary>
    public string? Name { get; init; }

    /// <summary>A system message, with <c>{content}</c> in it; null where there are none.</summary>
    public string? System { get; init; }

    /// <summary>A user's message, with <c>{content}</c> in it.</summary>
    public string? User { get; init; }

    /// <summary>What a tool gave back, with <c>{content}</c> in it; null where there is no such message.</summary>
    public string? Tool { get; init; }

    /// <summary>What stands before a reply.</summary>
    public string? Assistant { get; init; }

    /// <summary>What ends a reply; it counts as the reply's own. Null takes the end-of-text token.</summary>
    public string? EndOfTurn { get; init; }

    /// <summary>What stands between an ended reply and the next message; null for nothing.</summary>
    public string? Separator { get; init; }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        bool hasTexts = (System ?? User ?? Tool ?? Assistant ?? EndOfTurn ?? Separator) is not null;
        if (Name is not null)
        {
            if (hasTexts)
            {
                yield return new ConfigurationProblem("name", "goes without texts. Remove the name, or the texts.");
            }
            else if (!ChatTemplate.Names.Contains(Name))
            {
                yield return new ConfigurationProblem(
                    "name",
                    $"= {Name} is none of {string.Join(", ", ChatTemplate.Names)}. Use one of them, "
                        + "or give texts: user, assistant, and perhaps system, tool, end_of_turn, separator."
                );
            }

            yield break;
        }

        if (User is null || Assistant is null)
        {
            yield return new ConfigurationProblem(
                User is null ? "user" : "assistant",
                "is missing. Give the texts user and assistant, or a name."
            );
        }

        foreach ((string key, string? text) in new[] { ("system", System), ("user", User), ("tool", Tool) })
        {
            if (text is not null && text.Split(ChatTemplate.Content).Length != 2)
            {
                yield return new ConfigurationProblem(
                    key,
                    $"= '{text}' has not just one {ChatTemplate.Content}, the place of the message."
                );
            }
        }

        if (Assistant?.Contains(ChatTemplate.Content, StringComparison.Ordinal) == true)
        {
            yield return new ConfigurationProblem(
                "assistant",
                $"has {ChatTemplate.Content}, but is what stands before a reply. What ends it is end_of_turn."
            );
        }
    }
}
