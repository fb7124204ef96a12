using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Saltern.Corpora;

/// <summary>What a record holds that a document needs.</summary>
/// <param name="Text">The text, valid UTF-8.</param>
/// <param name="Domain">The domain that the record names, or null.</param>
/// <param name="OddDomain">A field that may hold the domain and holds something else, and what; null where there is none.</param>
internal readonly record struct RecordFields(ReadOnlyMemory<byte> Text, string? Domain, string? OddDomain);

/// <summary>Takes the text and the domain out of one JSON record, without building the rest of it.</summary>
/// <remarks>What other fields hold is of no account: any depth, and Python's NaN and Infinity.</remarks>
internal sealed class JsonRecordParser(CorpusReaderOptions options)
{
    private const int MaxDomainBytes = 256;

    // Enough to recognise the right field by, for a message that is read in a terminal.
    private const int FieldsNamed = 8;

    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private readonly byte[][][] _textPaths = [.. options.TextFields.Select(Split)];
    private readonly IReadOnlyList<string> _domainFields = options.DomainNames;
    private readonly byte[][][] _domainPaths = [.. options.DomainNames.Select(Split)];

    private enum Found
    {
        Nothing,
        Null,
        Bare,
        NotText,
        Text,
    }

    /// <summary>Parses one record.</summary>
    /// <param name="record">The record in UTF-8.</param>
    /// <param name="fields">What it holds.</param>
    /// <returns>Null, or why the record is broken.</returns>
    public string? Parse(ReadOnlySpan<byte> record, out RecordFields fields)
    {
        fields = default;
        try
        {
            return Fields(record, out fields);
        }
        catch (JsonException e)
        {
            if (JsonNumbers.WithoutNonFinite(record) is { } repaired)
            {
                return Parse(repaired, out fields);
            }

            return $"is not a JSON object (at byte {e.BytePositionInLine})";
        }
        catch (InvalidOperationException)
        {
            return "holds text that is not valid Unicode";
        }
    }

    private string? Fields(ReadOnlySpan<byte> record, out RecordFields fields)
    {
        fields = default;
        Found found = Found.Nothing;
        ReadOnlyMemory<byte> text = default;
        int field = 0;
        for (; field < _textPaths.Length; field++)
        {
            found = Find(record, _textPaths[field], out text);
            if (found != Found.Nothing)
            {
                break;
            }
        }

        if (found == Found.Nothing)
        {
            return $"has no field {string.Join(" or ", options.TextFields.Select(name => $"'{name}'"))}, but {FieldNames(record)}";
        }

        if (found != Found.Text)
        {
            return $"field '{options.TextFields[field]}' is {(found == Found.Null ? "null" : "not a string")}";
        }

        fields = new RecordFields(text, null, null);
        for (int i = 0; i < _domainPaths.Length && fields.Domain is null; i++)
        {
            found = Find(record, _domainPaths[i], out ReadOnlyMemory<byte> name);
            bool isName = found is Found.Text || (found == Found.Bare && !options.IsDomainAutomatic);
            if (isName && name.Length is > 0 and <= MaxDomainBytes)
            {
                fields = fields with { Domain = Encoding.UTF8.GetString(name.Span) };
            }
            else if (found is Found.NotText or Found.Bare || name.Length > MaxDomainBytes)
            {
                fields = fields with
                {
                    OddDomain = $"field '{_domainFields[i]}' is not a string of at most {MaxDomainBytes} bytes",
                };
            }
        }

        return options.IsDomainAutomatic ? null : fields.OddDomain;
    }

    private static byte[][] Split(string path) => [.. path.Split('.').Select(Encoding.UTF8.GetBytes)];

    private static string FieldNames(ReadOnlySpan<byte> record)
    {
        List<string> names = [];
        Utf8JsonReader reader = new(record, AnyDepth);
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

    // Reads the record to its end even after a hit: the whole record must be JSON, and the last of doubled names counts, as in most readers.
    private static Found Find(ReadOnlySpan<byte> record, byte[][] path, out ReadOnlyMemory<byte> value)
    {
        value = default;
        Found found = Found.Nothing;
        Utf8JsonReader reader = new(record, AnyDepth);
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
        if (reader.TokenType is JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False)
        {
            value = reader.ValueSpan.ToArray();
            return Found.Bare;
        }

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
