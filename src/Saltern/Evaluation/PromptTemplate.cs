using System.Text;
using System.Text.Json;

namespace Saltern.Evaluation;

/// <summary>Text with places for fields: <c>Question: {question}\nAnswer:</c>. <c>{{</c> and <c>}}</c> are braces.</summary>
internal sealed class PromptTemplate
{
    private readonly List<(string Text, FieldPath? Field)> _parts = [];

    /// <summary>The fields, in order.</summary>
    public IEnumerable<FieldPath> Fields => _parts.Select(part => part.Field).OfType<FieldPath>();

    /// <summary>Reads a template.</summary>
    /// <exception cref="FormatException">A brace has no partner, or a field is malformed.</exception>
    public static PromptTemplate Parse(string text)
    {
        var template = new PromptTemplate();
        var plain = new StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is '{' or '}' && i + 1 < text.Length && text[i + 1] == text[i])
            {
                plain.Append(text[i++]);
            }
            else if (text[i] == '{' && text.IndexOf('}', i) is > 0 and int end)
            {
                template._parts.Add((plain.ToString(), FieldPath.Parse(text[(i + 1)..end])));
                plain.Clear();
                i = end;
            }
            else if (text[i] is '{' or '}')
            {
                throw new FormatException(
                    $"has the template '{text}' with a single '{text[i]}'. Write {{field}}, "
                        + $"or '{text[i]}{text[i]}' for the character itself."
                );
            }
            else
            {
                plain.Append(text[i]);
            }
        }

        template._parts.Add((plain.ToString(), null));
        return template;
    }

    /// <summary>The text for a record.</summary>
    /// <exception cref="DataFormatException">A field is missing or no text.</exception>
    public string Fill(JsonElement record) => string.Concat(_parts.Select(part => part.Text + part.Field?.One(record)));
}
