using System.Collections;
using System.Globalization;
using System.Text.Json;
using Parquet;
using Parquet.Schema;
using Parquet.Serialization;

namespace Saltern.Corpora;

/// <summary>Reads whole rows of a Parquet file as JSON objects, lists and structures included; one row group is held at a time.</summary>
internal static class ParquetRows
{
    /// <summary>Rows in the order of the file.</summary>
    /// <exception cref="UnreadableFileException">It is no Parquet file that can be read.</exception>
    public static IEnumerable<byte[]> Read(string path)
    {
        using FileStream stored = File.OpenRead(path);
        int groups = Guarded(() => Groups(stored));
        for (int group = 0; group < groups; group++)
        {
            int current = group;
            var rows = Guarded(() =>
                ParquetSerializer.DeserializeUntypedAsync(stored, null, current).GetAwaiter().GetResult()
            );
            foreach (IDictionary<string, object> row in rows.Data)
            {
                yield return Json(row, rows.Schema.Fields);
            }
        }
    }

    private static int Groups(FileStream stored)
    {
        ParquetCheck.CheckFooter(stored);
        ParquetReader reader = ParquetReader.CreateAsync(stored, leaveStreamOpen: true).GetAwaiter().GetResult();
        try
        {
            if (reader.RowGroups.Any(group => group.RowCount > ParquetCheck.MaxRowGroupRows))
            {
                throw new InvalidDataException($"has a row group of more than {ParquetCheck.MaxRowGroupRows} rows");
            }

            return reader.RowGroupCount;
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    // The library throws whatever its code meets in a damaged file.
    private static T Guarded<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is not (OutOfMemoryException or OperationCanceledException))
        {
            throw new UnreadableFileException($"is no Parquet file that can be read ({e.Message})", e);
        }
    }

    private static byte[] Json(IDictionary<string, object> row, IReadOnlyList<Field> fields)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            WriteStructure(json, row, fields);
        }

        return bytes.ToArray();
    }

    // The library leaves out what is null, and lists that are empty: it cannot be told which of the two a list was, and it is written as empty.
    private static void WriteStructure(Utf8JsonWriter json, object structure, IReadOnlyList<Field> fields)
    {
        json.WriteStartObject();
        foreach (Field field in fields)
        {
            json.WritePropertyName(field.Name);
            if (Get(structure, field.Name) is { } value)
            {
                Write(json, value, field);
            }
            else if (field is ListField or DataField { IsArray: true })
            {
                json.WriteStartArray();
                json.WriteEndArray();
            }
            else
            {
                json.WriteNullValue();
            }
        }

        json.WriteEndObject();
    }

    private static object? Get(object structure, string name) =>
        structure switch
        {
            IDictionary<string, object> named => named.TryGetValue(name, out object? value) ? value : null,
            IDictionary any => any[name],
            _ => null,
        };

    private static void Write(Utf8JsonWriter json, object? value, Field? field)
    {
        switch (value, field)
        {
            case (not null, StructField structure):
                WriteStructure(json, value, structure.Fields);
                break;
            case (string or ReadOnlyMemory<char>, _):
                WriteValue(json, value, null);
                break;
            case (IEnumerable list, ListField entries):
                json.WriteStartArray();
                foreach (object? entry in list)
                {
                    Write(json, entry, entries.Item);
                }

                json.WriteEndArray();
                break;
            default:
                WriteValue(json, value, field);
                break;
        }
    }

    private static void WriteValue(Utf8JsonWriter json, object? value, Field? field)
    {
        switch (value)
        {
            case null or byte[] or float.NaN or double.NaN:
                json.WriteNullValue();
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case ReadOnlyMemory<char> text:
                json.WriteStringValue(text.Span);
                break;
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            case IDictionary structure:
                json.WriteStartObject();
                foreach (DictionaryEntry entry in structure)
                {
                    json.WritePropertyName(Convert.ToString(entry.Key, CultureInfo.InvariantCulture) ?? "");
                    Write(json, entry.Value, (field as MapField)?.Value);
                }

                json.WriteEndObject();
                break;
            case IEnumerable list:
                json.WriteStartArray();
                foreach (object? entry in list)
                {
                    Write(json, entry, null);
                }

                json.WriteEndArray();
                break;
            case float number when float.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case sbyte or byte or short or ushort or int or uint or long or ulong or decimal:
                json.WriteNumberValue(Convert.ToDecimal(value, CultureInfo.InvariantCulture));
                break;
            default:
                json.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }
}
