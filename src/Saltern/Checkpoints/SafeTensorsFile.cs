// The safetensors format: u64 length of the header, JSON header { name: { dtype, shape, data_offsets } }, then raw little-endian data.
using System.Buffers.Binary;
using System.Text.Json;

namespace Saltern.Checkpoints;

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Name">Key.</param>
/// <param name="Type">Element type as the format names it: F32, F16, BF16, I64, …</param>
/// <param name="Shape">Shape.</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
/// <param name="Length">Bytes.</param>
public sealed record SafeTensorsEntry(string Name, string Type, long[] Shape, long Offset, long Length);

/// <summary>Reads and writes safetensors files; a reader trusts nothing that the file says before it is checked.</summary>
public static class SafeTensorsFile
{
    private const int LargestHeader = 100_000_000; // the format's own limit, bytes
    private const int DataAlignment = 64;
    private static readonly Dictionary<string, int> TypeSizes = new()
    {
        ["F64"] = 8,
        ["F32"] = 4,
        ["F16"] = 2,
        ["BF16"] = 2,
        ["I64"] = 8,
        ["I32"] = 4,
        ["I16"] = 2,
        ["I8"] = 1,
        ["U8"] = 1,
        ["BOOL"] = 1,
    };

    /// <summary>Writes float32 tensors; the stream is flushed to the disk before this returns.</summary>
    /// <param name="path">File to create.</param>
    /// <param name="tensors">Name, shape and the bytes of each; read while writing, one after the other.</param>
    /// <param name="metadata">Free text to keep beside them.</param>
    public static void WriteFloat32(string path, IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            foreach ((string key, string value) in metadata)
            {
                json.WriteString(key, value);
            }

            json.WriteEndObject();
            long at = 0;
            foreach ((string name, long[] shape, _) in tensors)
            {
                long bytes = shape.Aggregate(4L, (product, size) => product * size);
                json.WriteStartObject(name);
                json.WriteString("dtype", "F32");
                json.WriteStartArray("shape");
                Array.ForEach(shape, json.WriteNumberValue);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Blanks after the header, so that a reader that maps the file finds aligned data.
        while ((header.Length + 8) % DataAlignment != 0)
        {
            header.WriteByte((byte)' ');
        }

        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        file.Write(length);
        header.WriteTo(file);
        foreach ((string name, long[] shape, Func<ReadOnlyMemory<byte>> bytes) in tensors)
        {
            ReadOnlyMemory<byte> data = bytes();
            long expected = shape.Aggregate(4L, (product, size) => product * size);
            if (data.Length != expected)
            {
                throw new ArgumentException($"{name} has {data.Length} bytes, but its shape needs {expected}.", nameof(tensors));
            }

            file.Write(data.Span);
        }

        file.Flush(flushToDisk: true);
    }

    /// <summary>Reads the header and checks that every tensor lies inside the file, without overlap or hole.</summary>
    /// <exception cref="DataFormatException">The file is not whole safetensors; the message names file, place, found and expected.</exception>
    public static IReadOnlyList<SafeTensorsEntry> ReadHeader(string path)
    {
        using FileStream file = Open(path);
        if (file.Length < 8)
        {
            throw new DataFormatException($"{path}: {file.Length} bytes are too few for a safetensors file.");
        }

        Span<byte> start = stackalloc byte[8];
        file.ReadExactly(start);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (headerLength > LargestHeader || headerLength > (ulong)(file.Length - 8))
        {
            throw new DataFormatException($"{path}: the header claims {headerLength} bytes, but the file has {file.Length} and the format allows {LargestHeader}. It is damaged or not safetensors.");
        }

        byte[] header = new byte[headerLength];
        file.ReadExactly(header);
        try
        {
            using var json = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            List<SafeTensorsEntry> entries = [.. json.RootElement.EnumerateObject().Where(p => p.Name != "__metadata__").Select(p => Entry(path, p, 8 + (long)headerLength))];
            CheckCoverage(path, entries, 8 + (long)headerLength, file.Length);
            return entries;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException or OverflowException)
        {
            throw new DataFormatException($"{path}: the safetensors header is damaged ({e.Message}).", e);
        }
    }

    /// <summary>Reads one tensor's bytes into memory that is exactly as large.</summary>
    public static void ReadBytes(string path, SafeTensorsEntry entry, Span<byte> destination)
    {
        if (destination.Length != entry.Length)
        {
            throw new ArgumentException($"{entry.Name} has {entry.Length} bytes, not {destination.Length}.", nameof(destination));
        }

        using FileStream file = Open(path);
        file.Position = entry.Offset;
        file.ReadExactly(destination);
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        }
        catch (IOException e)
        {
            throw new DataFormatException($"{path} cannot be read: {e.Message}", e);
        }
    }

    private static SafeTensorsEntry Entry(string path, JsonProperty property, long dataStart)
    {
        string type = property.Value.GetProperty("dtype").GetString() ?? "";
        long[] shape = [.. property.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
        long[] offsets = [.. property.Value.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt64())];
        if (!TypeSizes.TryGetValue(type, out int size))
        {
            throw new DataFormatException($"{path}: {property.Name} has the type '{type}'. Allowed: {string.Join(", ", TypeSizes.Keys)}.");
        }

        if (shape.Any(length => length < 0) || offsets.Length != 2 || offsets[0] < 0 || offsets[1] < offsets[0])
        {
            throw new DataFormatException($"{path}: {property.Name} has the shape [{string.Join(", ", shape)}] and the offsets [{string.Join(", ", offsets)}], which is impossible.");
        }

        long bytes = shape.Aggregate((long)size, (product, length) => checked(product * length));
        if (offsets[1] - offsets[0] != bytes)
        {
            throw new DataFormatException($"{path}: {property.Name} spans {offsets[1] - offsets[0]} bytes, but {type} of shape [{string.Join(", ", shape)}] needs {bytes}.");
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
                throw new DataFormatException($"{path}: {entry.Name} starts at byte {entry.Offset}, expected {at}: tensors overlap or leave a hole.");
            }

            at = checked(at + entry.Length);
        }

        if (at != fileLength)
        {
            throw new DataFormatException($"{path}: the tensors end at byte {at}, but the file has {fileLength}. It is truncated or has something after its end.");
        }
    }
}
