using System.Text.RegularExpressions;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>A message of a conversation.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
internal sealed record ChatMessage(string Role, string Content);

/// <summary>Turns a conversation into text of which the replies count.</summary>
internal sealed partial class ChatTemplate
{
    /// <summary>Place of a message in a template's text.</summary>
    public const string Content = "{content}";

    private static readonly Dictionary<string, ChatTemplateConfig> Known = new(StringComparer.Ordinal)
    {
        // No special tokens but end-of-text, so any tokenizer will do. Texts end in line breaks, because a blank at the end of a prompt would not be the beginning of the next token.
        ["turns"] = new()
        {
            System = "{content}\n\n",
            User = "User:\n{content}\n\n",
            Assistant = "Assistant:\n",
            Separator = "\n",
        },

        // OpenAI's markup, as Qwen and many others use it.
        ["chatml"] = new()
        {
            System = "<|im_start|>system\n{content}<|im_end|>\n",
            User = "<|im_start|>user\n{content}<|im_end|>\n",
            Assistant = "<|im_start|>assistant\n",
            EndOfTurn = "<|im_end|>",
            Separator = "\n",
        },
    };

    private readonly ChatTemplateConfig _texts;

    private ChatTemplate(ChatTemplateConfig texts) => _texts = texts;

    /// <summary>Templates that a recipe can name.</summary>
    public static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>Roles that a message can have.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["system", "user", "assistant"];

    /// <summary>Prepares a template.</summary>
    /// <param name="config">A name or texts.</param>
    /// <param name="tokenizer">Must have the special tokens that the texts spell out.</param>
    /// <exception cref="ConfigurationException">It has not.</exception>
    public static ChatTemplate Create(ChatTemplateConfig config, BpeTokenizer tokenizer)
    {
        ChatTemplateConfig texts = config.Name is null ? config : Known[config.Name];
        string all = string.Concat(texts.System, texts.User, texts.Assistant, texts.EndOfTurn, texts.Separator);
        string[] missing =
        [
            .. Special()
                .Matches(all)
                .Select(match => match.Value)
                .Distinct()
                .Where(name => !tokenizer.Definition.AddedTokens.Any(token => token.Content == name)),
        ];
        if (missing.Length == 0)
        {
            return new ChatTemplate(texts);
        }

        string key = config.Name is null ? "data.template" : $"data.template.name = {config.Name}";
        throw new ConfigurationException(
            $"{key} spells out {string.Join(", ", missing)}, which the model's tokenizer does not have as "
                + "tokens of their own, so the model has never met them. Use 'template: { name: "
                + "turns }', or texts without them."
        );
    }

    /// <summary>The conversation as text; replies and what ends them count.</summary>
    /// <exception cref="DataFormatException">A role is unknown or out of place, a message is empty, or no reply ends the conversation.</exception>
    public IReadOnlyList<TextPiece> Render(IReadOnlyList<ChatMessage> messages)
    {
        if (messages.Count == 0)
        {
            throw new DataFormatException("has no messages");
        }

        if (messages[^1].Role != "assistant")
        {
            throw new DataFormatException(
                $"ends with a message of the {messages[^1].Role}; the last one must be the assistant's, because it is what is learned"
            );
        }

        var pieces = new List<TextPiece>();
        for (int i = 0; i < messages.Count; i++)
        {
            (string role, string content) = messages[i];
            if (string.IsNullOrWhiteSpace(content))
            {
                throw new DataFormatException($"message {i + 1} (role {role}) is empty");
            }

            switch (role)
            {
                case "assistant":
                    pieces.AddRange([
                        TextPiece.Markup(_texts.Assistant!),
                        new TextPiece(content, Counts: true),
                        EndOfTurn,
                    ]);
                    pieces.Add(i < messages.Count - 1 ? TextPiece.Markup(_texts.Separator ?? "") : TextPiece.End);
                    break;
                case "system" when i > 0:
                    throw new DataFormatException($"message {i + 1} is a system message; only the first can be one");
                case "system" when _texts.System is null:
                    throw new DataFormatException(
                        "has a system message, but the template has no text for one. Add template.system"
                    );
                default:
                    string[] around = (role == "system" ? _texts.System! : _texts.User!).Split(Content);
                    pieces.AddRange([TextPiece.Markup(around[0]), new TextPiece(content), TextPiece.Markup(around[1])]);
                    break;
            }
        }

        // Where the end of a turn is end-of-text already, no second one follows.
        if (_texts.EndOfTurn is null)
        {
            pieces.RemoveAt(pieces.Count - 1);
        }

        return pieces;
    }

    private TextPiece EndOfTurn
    {
        get
        {
            if (_texts.EndOfTurn is null)
            {
                return TextPiece.End;
            }

            return TextPiece.Markup(_texts.EndOfTurn, counts: true);
        }
    }

    [GeneratedRegex(@"<\|[^|<>\s]+\|>")]
    private static partial Regex Special();
}
