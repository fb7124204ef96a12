using System.Text.Json;

namespace Saltern.ModelFiles;

/// <summary>Checks a safetensors header: what it says must describe exactly the bytes that follow it.</summary>
internal static class SafeTensorsHeader
{
    private const string Metadata = "__metadata__";
    private static readonly string[] EntryKeys = ["dtype", "shape", "data_offsets"];

    // Bytes of an element.
    private static readonly Dictionary<string, int> TypeSizes = new()
    {
        ["F64"] = 8,
        ["F32"] = 4,
        ["F16"] = 2,
        ["BF16"] = 2,
        ["F8_E4M3"] = 1,
        ["F8_E5M2"] = 1,
        ["I64"] = 8,
        ["I32"] = 4,
        ["I16"] = 2,
        ["I8"] = 1,
        ["U64"] = 8,
        ["U32"] = 4,
        ["U16"] = 2,
        ["U8"] = 1,
        ["BOOL"] = 1,
    };

    // Names are objects of three keys, and their lists hold numbers: nothing valid nests deeper.
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 4, AllowDuplicateProperties = false };

    /// <summary>The tensors of a header.</summary>
    /// <param name="header">JSON, padded with blanks.</param>
    /// <param name="dataStart">First byte after the header.</param>
    /// <param name="fileLength">Bytes of the whole file.</param>
    /// <exception cref="DataFormatException">The header is damaged, or its tensors overlap, leave a hole or do not fill the file.</exception>
    public static IReadOnlyList<SafeTensorsEntry> Parse(
        string path,
        ReadOnlyMemory<byte> header,
        long dataStart,
        long fileLength
    )
    {
        try
        {
            // The format asks for it, so that no other kind of file passes for safetensors.
            if (header.Length == 0 || header.Span[0] != (byte)'{')
            {
                throw new DataFormatException(
                    $"{path}: the safetensors header does not begin with '{{'. It is damaged or not safetensors."
                );
            }

            using var json = JsonDocument.Parse(header, Options);
            var entries = new List<SafeTensorsEntry>();
            foreach (JsonProperty property in json.RootElement.EnumerateObject())
            {
                if (property.Name == Metadata)
                {
                    CheckMetadata(path, property.Value);
                }
                else
                {
                    entries.Add(Entry(path, property, dataStart));
                }
            }

            CheckCoverage(path, entries, dataStart, fileLength);
            return entries;
        }
        catch (Exception e)
            when (e
                    is JsonException
                        or InvalidOperationException
                        or FormatException
                        or KeyNotFoundException
                        or OverflowException
            )
        {
            throw new DataFormatException($"{path}: the safetensors header is damaged ({e.Message}).", e);
        }
    }

    private static void CheckMetadata(string path, JsonElement metadata)
    {
        if (
            metadata.ValueKind != JsonValueKind.Object
            || metadata.EnumerateObject().Any(text => text.Value.ValueKind != JsonValueKind.String)
        )
        {
            throw new DataFormatException(
                $"{path}: {Metadata} is damaged: it holds something else than texts by name."
            );
        }
    }

    private static SafeTensorsEntry Entry(string path, JsonProperty property, long dataStart)
    {
        if (
            property.Value.EnumerateObject().FirstOrDefault(key => !EntryKeys.Contains(key.Name)) is
            { Value.ValueKind: not JsonValueKind.Undefined } unknown
        )
        {
            throw new DataFormatException(
                $"{path}: {property.Name} has the unknown key '{unknown.Name}'. Allowed: {string.Join(", ", EntryKeys)}."
            );
        }

        string type = property.Value.GetProperty("dtype").GetString() ?? "";
        long[] shape = [.. property.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
        long[] offsets =
        [
            .. property.Value.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt64()),
        ];
        if (!TypeSizes.TryGetValue(type, out int size))
        {
            throw new DataFormatException(
                $"{path}: {property.Name} has the type '{type}'. Allowed: {string.Join(", ", TypeSizes.Keys)}."
            );
        }

        if (shape.Any(length => length < 0) || offsets.Length != 2 || offsets[0] < 0 || offsets[1] < offsets[0])
        {
            throw new DataFormatException(
                $"{path}: {property.Name} has the shape [{string.Join(", ", shape)}] "
                    + $"and the offsets [{string.Join(", ", offsets)}], which is impossible."
            );
        }

        long bytes = shape.Aggregate((long)size, (product, length) => checked(product * length));
        if (offsets[1] - offsets[0] != bytes)
        {
            throw new DataFormatException(
                $"{path}: {property.Name} spans {offsets[1] - offsets[0]} bytes, "
                    + $"but {type} of shape [{string.Join(", ", shape)}] needs {bytes}."
            );
        }

        return new SafeTensorsEntry(property.Name, type, shape, checked(dataStart + offsets[0]), bytes);
    }

    private static void CheckCoverage(string path, List<SafeTensorsEntry> entries, long dataStart, long fileLength)
    {
        long at = dataStart;
        foreach (SafeTensorsEntry entry in entries.OrderBy(e => e.Offset).ThenBy(e => e.Length))
        {
            if (entry.Offset != at)
            {
                throw new DataFormatException(
                    $"{path}: {entry.Name} starts at byte {entry.Offset}, expected {at}: tensors overlap or leave a hole."
                );
            }

            at = checked(at + entry.Length);
        }

        if (at != fileLength)
        {
            throw new DataFormatException(
                $"{path}: the tensors end at byte {at}, but the file has {fileLength}. It is truncated or has something after its end."
            );
        }
    }
}
