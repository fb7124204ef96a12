using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Saltern.Corpora;

/// <summary>Takes the text and the domain out of one JSON line, without building the rest of the record.</summary>
internal sealed class JsonRecordParser(CorpusReaderOptions options)
{
    private const int MaxDomainBytes = 256;

    // Enough to recognise the right field by, for a message that is read in a terminal.
    private const int FieldsNamed = 8;

    private readonly byte[][][] _textPaths = [.. options.TextFields.Select(Split)];
    private readonly IReadOnlyList<string> _domainFields =
        options.DomainFields ?? CorpusReaderOptions.UsualDomainFields;
    private readonly byte[][][] _domainPaths =
    [
        .. (options.DomainFields ?? CorpusReaderOptions.UsualDomainFields).Select(Split),
    ];

    private enum Found
    {
        Nothing,
        Null,
        NotText,
        Text,
    }

    /// <summary>Parses one line.</summary>
    /// <param name="line">The record in UTF-8.</param>
    /// <param name="text">The text, valid UTF-8.</param>
    /// <param name="domain">The domain that the record names, or null.</param>
    /// <returns>Null, or why the line is broken.</returns>
    public string? Parse(ReadOnlySpan<byte> line, out ReadOnlyMemory<byte> text, out string? domain)
    {
        text = default;
        domain = null;
        try
        {
            Found found = Found.Nothing;
            int field = 0;
            for (; field < _textPaths.Length; field++)
            {
                found = Find(line, _textPaths[field], out text);
                if (found != Found.Nothing)
                {
                    break;
                }
            }

            if (found != Found.Text)
            {
                if (found == Found.Nothing)
                {
                    return $"has no field {string.Join(" or ", options.TextFields.Select(name => $"'{name}'"))}, but {FieldNames(line)}";
                }

                string what = found == Found.Null ? "null" : "not a string";
                return $"field '{options.TextFields[field]}' is {what}";
            }

            for (int i = 0; i < _domainPaths.Length && domain is null; i++)
            {
                found = Find(line, _domainPaths[i], out ReadOnlyMemory<byte> name);
                if (found == Found.NotText || name.Length > MaxDomainBytes)
                {
                    return $"field '{_domainFields[i]}' is not a string of at most {MaxDomainBytes} bytes";
                }

                if (name.Length > 0)
                {
                    domain = Encoding.UTF8.GetString(name.Span);
                }
            }

            return null;
        }
        catch (JsonException e)
        {
            return $"is not a JSON object (at byte {e.BytePositionInLine})";
        }
        catch (InvalidOperationException)
        {
            return "holds text that is not valid Unicode";
        }
    }

    private static byte[][] Split(string path) => [.. path.Split('.').Select(Encoding.UTF8.GetBytes)];

    private static string FieldNames(ReadOnlySpan<byte> line)
    {
        List<string> names = [];
        Utf8JsonReader reader = new(line);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            names.Add($"'{reader.GetString()}'");
            reader.Skip();
        }

        if (names.Count == 0)
        {
            return "is empty";
        }

        return string.Join(", ", names.Take(FieldsNamed)) + (names.Count > FieldsNamed ? ", …" : "");
    }

    // Reads the record to its end even after a hit: the whole line must be JSON, and the last of doubled names counts, as in most readers.
    private static Found Find(ReadOnlySpan<byte> line, byte[][] path, out ReadOnlyMemory<byte> value)
    {
        value = default;
        Found found = Found.Nothing;
        Utf8JsonReader reader = new(line);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException(null, null, 0, 0);
        }

        int matched = 0;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                matched = Math.Max(matched - 1, 0);
            }
            else if (reader.ValueTextEquals(path[matched]))
            {
                reader.Read();
                if (matched == path.Length - 1)
                {
                    found = Take(ref reader, out value);
                }
                else if (reader.TokenType == JsonTokenType.StartObject)
                {
                    matched++;
                }
                else
                {
                    reader.Skip();
                }
            }
            else
            {
                reader.Skip();
            }
        }

        return found;
    }

    private static Found Take(ref Utf8JsonReader reader, out ReadOnlyMemory<byte> value)
    {
        value = default;
        if (reader.TokenType != JsonTokenType.String)
        {
            Found other = reader.TokenType == JsonTokenType.Null ? Found.Null : Found.NotText;
            reader.Skip();
            return other;
        }

        // Unescaping only shortens, so the length as written is a bound.
        byte[] bytes = new byte[reader.ValueSpan.Length];
        value = bytes.AsMemory(0, reader.CopyString(bytes));
        if (Utf8.IsValid(value.Span))
        {
            return Found.Text;
        }

        throw new InvalidOperationException("invalid UTF-8");
    }
}
