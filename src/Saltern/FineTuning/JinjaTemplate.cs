using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>A chat template as other programs read it: Jinja, as in Hugging Face's <c>chat_template</c> and GGUF's <c>tokenizer.chat_template</c>.</summary>
/// <remarks>Jinja is written here, never read: a comment at the head of what this writes holds the texts themselves, by which it is known again.</remarks>
internal static class JinjaTemplate
{
    private const string Head = "{#- saltern: ";
    private const string HeadEnd = " -#}";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>The template that gives the text of <see cref="ChatTemplate.Render"/>, and with <c>add_generation_prompt</c> that of <see cref="ChatTemplate.RenderPrompt"/>.</summary>
    /// <param name="texts">Texts, not a name.</param>
    /// <param name="tokenizer">Whose token ends a text, and, where it puts one before each text, begins it.</param>
    public static string Write(ChatTemplateConfig texts, BpeTokenizer tokenizer)
    {
        string endOfText = tokenizer.Decode([tokenizer.EndOfTextId]);
        string begin = tokenizer.BeginOfText.Count > 0 ? tokenizer.Decode([.. tokenizer.BeginOfText]) : "";
        string endOfConversation = texts.EndOfTurn is null ? "" : endOfText;
        var jinja = new StringBuilder();

        // '#' would end the comment where '}' follows.
        string known = JsonSerializer.Serialize(texts, Json).Replace("#", "\\u0023", StringComparison.Ordinal);
        jinja.Append(Head).Append(known).Append(HeadEnd).Append('\n');
        if (begin.Length > 0)
        {
            jinja.Append("{{- ").Append(Literal(begin)).Append(" -}}\n");
        }

        jinja.Append("{%- for message in messages -%}\n");
        jinja.Append("{%- if message['role'] == 'assistant' -%}\n");
        jinja.Append("{{- ").Append(Literal(texts.Assistant ?? "")).Append(" + message['content'] + ");
        jinja.Append(Literal(texts.EndOfTurn ?? endOfText)).Append(" -}}\n");
        jinja.Append("{{- ").Append(Literal(endOfConversation)).Append(" if loop.last else ");
        jinja.Append(Literal(texts.Separator ?? "")).Append(" -}}\n");
        Read(jinja, "message['role'] == 'user'", texts.User);
        Read(jinja, "message['role'] == 'tool'", texts.Tool);
        Read(jinja, "message['role'] in ['system', 'developer'] and loop.first", texts.System);
        jinja.Append("{%- else -%}\n");
        jinja.Append(
            "{{- raise_exception('The model was not trained on a message of the role ' + message['role'] + ' here.') -}}\n"
        );
        jinja.Append("{%- endif -%}\n{%- endfor -%}\n");
        jinja.Append("{%- if add_generation_prompt -%}\n");
        jinja.Append("{{- ").Append(Literal(texts.Assistant ?? "")).Append(" -}}\n{%- endif -%}\n");
        return jinja.ToString();
    }

    /// <summary>The texts of a template that <see cref="Write"/> has made; null for any other.</summary>
    public static ChatTemplateConfig? Texts(string? jinja)
    {
        if (jinja?.StartsWith(Head, StringComparison.Ordinal) != true)
        {
            return null;
        }

        int end = jinja.IndexOf(HeadEnd, StringComparison.Ordinal);
        if (end < 0)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<ChatTemplateConfig>(jinja[Head.Length..end], Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void Read(StringBuilder jinja, string condition, string? text)
    {
        if (text is null)
        {
            return;
        }

        string[] around = text.Split(ChatTemplate.Content);
        jinja.Append("{%- elif ").Append(condition).Append(" -%}\n");
        jinja.Append("{{- ").Append(Literal(around[0])).Append(" + message['content'] + ");
        jinja.Append(Literal(around[1])).Append(" -}}\n");
    }

    private static string Literal(string text) =>
        "'"
        + text.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("'", "\\'", StringComparison.Ordinal)
            .Replace("\r", "\\r", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal)
            .Replace("\t", "\\t", StringComparison.Ordinal)
        + "'";
}
