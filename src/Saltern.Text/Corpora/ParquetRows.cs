using System.Collections;
using System.Globalization;
using System.Text.Json;
using Parquet;
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
                yield return Json(row);
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

    private static byte[] Json(IDictionary<string, object> row)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            Write(json, row);
        }

        return bytes.ToArray();
    }

    private static void Write(Utf8JsonWriter json, object? value)
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
                foreach (DictionaryEntry field in structure)
                {
                    json.WritePropertyName(Convert.ToString(field.Key, CultureInfo.InvariantCulture) ?? "");
                    Write(json, field.Value);
                }

                json.WriteEndObject();
                break;
            case IEnumerable list:
                json.WriteStartArray();
                foreach (object? entry in list)
                {
                    Write(json, entry);
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
