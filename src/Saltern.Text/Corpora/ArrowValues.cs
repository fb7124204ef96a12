using System.Text.Json;
using Apache.Arrow;

namespace Saltern.Corpora;

/// <summary>Values of Arrow's arrays, by row.</summary>
internal static class ArrowValues
{
    /// <summary>A text as bytes; null where there is none.</summary>
    public static byte[]? Bytes(IArrowArray array, int row)
    {
        if (array.IsNull(row))
        {
            return null;
        }

        return array switch
        {
            BinaryArray texts => texts.GetBytes(row).ToArray(),
            LargeBinaryArray texts => texts.GetBytes(row).ToArray(),
            BinaryViewArray texts => texts.GetBytes(row).ToArray(),
            DictionaryArray entries => Bytes(entries.Dictionary, Index(entries.Indices, row)),
            _ => throw new InvalidDataException($"holds {array.Data.DataType.Name}, where a text is needed"),
        };
    }

    /// <summary>A row of a batch as a JSON object; values of types that JSON has no word for are left out.</summary>
    public static byte[] Row(RecordBatch batch, int row)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            for (int i = 0; i < batch.ColumnCount; i++)
            {
                json.WritePropertyName(batch.Schema.GetFieldByIndex(i).Name);
                Write(json, batch.Column(i), row);
            }

            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static void Write(Utf8JsonWriter json, IArrowArray array, int row)
    {
        if (array.IsNull(row))
        {
            json.WriteNullValue();
            return;
        }

        switch (array)
        {
            case BooleanArray values:
                json.WriteBooleanValue(values.GetValue(row) ?? false);
                break;
            case StringArray or LargeStringArray or StringViewArray or DictionaryArray:
                json.WriteStringValue(Bytes(array, row));
                break;
            case Int8Array or Int16Array or Int32Array or Int64Array or UInt8Array or UInt16Array or UInt32Array:
                json.WriteNumberValue(Integer(array, row));
                break;
            case FloatArray values when float.IsFinite(values.GetValue(row) ?? float.NaN):
                json.WriteNumberValue(values.GetValue(row)!.Value);
                break;
            case DoubleArray values when double.IsFinite(values.GetValue(row) ?? double.NaN):
                json.WriteNumberValue(values.GetValue(row)!.Value);
                break;
            case ListArray list:
                WriteList(json, list.Values, list.ValueOffsets[row], list.ValueOffsets[row + 1]);
                break;
            case LargeListArray list:
                WriteList(
                    json,
                    list.Values,
                    checked((int)list.ValueOffsets[row]),
                    checked((int)list.ValueOffsets[row + 1])
                );
                break;
            case StructArray structure:
                json.WriteStartObject();
                var type = (Apache.Arrow.Types.StructType)structure.Data.DataType;
                for (int i = 0; i < type.Fields.Count; i++)
                {
                    json.WritePropertyName(type.Fields[i].Name);
                    Write(json, structure.Fields[i], row);
                }

                json.WriteEndObject();
                break;
            default:
                json.WriteNullValue();
                break;
        }
    }

    private static void WriteList(Utf8JsonWriter json, IArrowArray values, int start, int end)
    {
        json.WriteStartArray();
        for (int i = start; i < end; i++)
        {
            Write(json, values, i);
        }

        json.WriteEndArray();
    }

    private static int Index(IArrowArray indices, int row) => checked((int)Integer(indices, row));

    private static long Integer(IArrowArray array, int row) =>
        array switch
        {
            Int8Array values => values.GetValue(row)!.Value,
            Int16Array values => values.GetValue(row)!.Value,
            Int32Array values => values.GetValue(row)!.Value,
            Int64Array values => values.GetValue(row)!.Value,
            UInt8Array values => values.GetValue(row)!.Value,
            UInt16Array values => values.GetValue(row)!.Value,
            UInt32Array values => values.GetValue(row)!.Value,
            _ => throw new InvalidDataException($"holds {array.Data.DataType.Name}, where a whole number is needed"),
        };
}
