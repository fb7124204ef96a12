using System.Text.RegularExpressions;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>A message of a conversation.</summary>
/// <param name="Role"><c>system</c>, <c>user</c>, <c>assistant</c> or <c>tool</c>.</param>
/// <param name="IsLearned">Whether a reply is a target, not only read.</param>
internal sealed record ChatMessage(string Role, string Content, bool IsLearned = true);

/// <summary>Turns a conversation into text of which the replies count.</summary>
internal sealed partial class ChatTemplate
{
    /// <summary>The role of instructions that stand before all else.</summary>
    public const string System = "system";

    /// <summary>The role of who asks.</summary>
    public const string User = "user";

    /// <summary>The role of who answers, and is learned from.</summary>
    public const string Assistant = "assistant";

    /// <summary>The role of what a tool gave back.</summary>
    public const string Tool = "tool";

    /// <summary>Place of a message in a template's text.</summary>
    public const string Content = "{content}";

    private static readonly Dictionary<string, ChatTemplateConfig> Known = new(StringComparer.Ordinal)
    {
        // No special tokens but end-of-text, so any tokenizer will do. Texts end in line breaks, because a blank at the end of a prompt would not be the beginning of the next token.
        ["turns"] = new()
        {
            System = "{content}\n\n",
            User = "User:\n{content}\n\n",
            Tool = "Tool:\n{content}\n\n",
            Assistant = "Assistant:\n",
            Separator = "\n",
        },

        // OpenAI's markup, as Qwen and many others use it.
        ["chatml"] = new()
        {
            System = "<|im_start|>system\n{content}<|im_end|>\n",
            User = "<|im_start|>user\n{content}<|im_end|>\n",
            Tool = "<|im_start|>tool\n{content}<|im_end|>\n",
            Assistant = "<|im_start|>assistant\n",
            EndOfTurn = "<|im_end|>",
            Separator = "\n",
        },

        // Stanford Alpaca's wording without an input, as ExampleReader writes it.
        ["alpaca"] = new()
        {
            User = ExampleReader.AlpacaInstruction + "### Instruction:\n{content}\n\n### Response:\n",
            Assistant = "",
            Separator = "\n\n",
        },
    };

    private readonly ChatTemplateConfig _texts;

    private ChatTemplate(ChatTemplateConfig texts) => _texts = texts;

    /// <summary>Templates that a recipe can name.</summary>
    public static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>Roles that a message can have.</summary>
    public static IReadOnlyList<string> Roles { get; } = [System, User, Assistant, Tool];

    /// <summary>Prepares a template.</summary>
    /// <param name="config">A name or texts.</param>
    /// <param name="tokenizer">Must have the special tokens that the texts spell out.</param>
    /// <exception cref="ConfigurationException">It has not.</exception>
    public static ChatTemplate Create(ChatTemplateConfig config, BpeTokenizer tokenizer)
    {
        ChatTemplateConfig texts = TextsOf(config);
        string all = string.Concat(
            texts.System,
            texts.User,
            texts.Tool,
            texts.Assistant,
            texts.EndOfTurn,
            texts.Separator
        );
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

        if (messages[^1].Role != Assistant)
        {
            throw new DataFormatException(
                $"ends with a message of the {messages[^1].Role}; the last one must be the assistant's, because it is what is learned"
            );
        }

        var pieces = new List<TextPiece>();
        for (int i = 0; i < messages.Count; i++)
        {
            ChatMessage message = messages[i];
            if (string.IsNullOrWhiteSpace(message.Content))
            {
                throw new DataFormatException($"message {i + 1} (role {message.Role}) is empty");
            }

            if (message.Role == Assistant)
            {
                bool isLast = i == messages.Count - 1;
                pieces.AddRange([
                    TextPiece.Markup(_texts.Assistant!),
                    TextPiece.Reply(message.Content, message.IsLearned),
                    EndOfTurn(message.IsLearned),
                    isLast ? TextPiece.EndOf(message.IsLearned) : TextPiece.Markup(_texts.Separator ?? ""),
                ]);
            }
            else
            {
                pieces.AddRange(Read(message, i));
            }
        }

        // Where the end of a turn is end-of-text already, no second one follows.
        if (_texts.EndOfTurn is null)
        {
            pieces.RemoveAt(pieces.Count - 1);
        }

        return pieces;
    }

    /// <summary>The conversation as the model reads it before it answers; nothing counts.</summary>
    /// <exception cref="DataFormatException">A role is unknown or out of place, a message is empty, or the last one is a reply already.</exception>
    public IReadOnlyList<TextPiece> RenderPrompt(IReadOnlyList<ChatMessage> messages)
    {
        if (messages.Count == 0 || messages[^1].Role == Assistant)
        {
            throw new DataFormatException("has no message that waits for an answer");
        }

        var pieces = new List<TextPiece>();
        for (int i = 0; i < messages.Count; i++)
        {
            ChatMessage message = messages[i];
            if (message.Role == Assistant)
            {
                pieces.AddRange([
                    TextPiece.Markup(_texts.Assistant!),
                    TextPiece.Reply(message.Content, isLearned: false),
                    EndOfTurn(isLearned: false),
                    TextPiece.Markup(_texts.Separator ?? ""),
                ]);
            }
            else
            {
                pieces.AddRange(Read(message, i));
            }
        }

        pieces.Add(TextPiece.Markup(_texts.Assistant!));
        return pieces;
    }

    /// <summary>The texts of a template; those of a named one.</summary>
    public static ChatTemplateConfig TextsOf(ChatTemplateConfig config) =>
        config.Name is null ? config : Known[config.Name];

    /// <summary>The same for programs that read Jinja.</summary>
    public string ToJinja(BpeTokenizer tokenizer) => JinjaTemplate.Write(_texts, tokenizer);

    /// <summary>The token that ends a reply; null where the end-of-text token does, or several tokens together do.</summary>
    public int? EndOfReplyId(BpeTokenizer tokenizer) =>
        tokenizer.Definition.AddedTokens.FirstOrDefault(token => token.Content == _texts.EndOfTurn)?.Id;

    private IEnumerable<TextPiece> Read(ChatMessage message, int index)
    {
        string[] around = Around(message.Role, index).Split(Content);
        return [TextPiece.Markup(around[0]), new TextPiece(message.Content), TextPiece.Markup(around[1])];
    }

    private string Around(string role, int index)
    {
        if (role == System && index > 0)
        {
            throw new DataFormatException($"message {index + 1} is a system message; only the first can be one");
        }

        string? text = role switch
        {
            System => _texts.System,
            Tool => _texts.Tool,
            _ => _texts.User,
        };
        if (text is not null)
        {
            return text;
        }

        string article = role == System ? "a system message" : "what a tool gave back";
        throw new DataFormatException($"has {article}, but the template has no text for one. Add template.{role}");
    }

    private TextPiece EndOfTurn(bool isLearned)
    {
        if (_texts.EndOfTurn is null)
        {
            return TextPiece.EndOf(isLearned);
        }

        return TextPiece.Markup(_texts.EndOfTurn, counts: isLearned);
    }

    [GeneratedRegex(@"<\|[^|<>\s]+\|>")]
    private static partial Regex Special();
}
