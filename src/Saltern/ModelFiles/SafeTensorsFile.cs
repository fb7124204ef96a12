// The safetensors format: u64 length of the header, JSON header { name: { dtype, shape, data_offsets } }, then raw little-endian data.
using System.Buffers.Binary;
using System.Text.Json;
using Saltern.Files;

namespace Saltern.ModelFiles;

/// <summary>Where a tensor lies in a safetensors file.</summary>
/// <param name="Type">Element type as the format names it: F32, F16, BF16, I64, …</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
internal sealed record SafeTensorsEntry(string Name, string Type, long[] Shape, long Offset, long Length);

/// <summary>Reads and writes safetensors files; a reader trusts nothing that the file says before it is checked.</summary>
internal static class SafeTensorsFile
{
    private const int LengthBytes = 8;
    private const int LargestHeader = 100_000_000; // the format's own limit, bytes
    private const int DataAlignment = 64;

    /// <summary>Writes float32 tensors; the stream is flushed to the disk before this returns.</summary>
    /// <param name="tensors">Name, shape and the bytes of each; read while writing, one after the other.</param>
    /// <param name="metadata">Free text to keep beside them.</param>
    public static void WriteFloat32(
        string path,
        IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> tensors,
        IReadOnlyDictionary<string, string> metadata
    ) => WriteFloat32(path, [.. tensors.Select(tensor => (tensor.Name, tensor.Shape, Whole(tensor.Bytes)))], metadata);

    /// <summary>As the other, with the bytes of each tensor in pieces, so that none need be in memory as a whole.</summary>
    /// <param name="tensors">Name, shape and the pieces of each; read while writing, one after the other.</param>
    /// <param name="metadata">Free text to keep beside them.</param>
    internal static void WriteFloat32(
        string path,
        IReadOnlyList<(string Name, long[] Shape, IEnumerable<ReadOnlyMemory<byte>> Pieces)> tensors,
        IReadOnlyDictionary<string, string> metadata
    ) =>
        Write(
            path,
            [.. tensors.Select(tensor => new OutgoingTensor(tensor.Name, tensor.Shape, WeightType.F32, tensor.Pieces))],
            metadata
        );

    /// <summary>Writes tensors of types that the format has; the stream is flushed to the disk before this returns.</summary>
    /// <param name="tensors">Written in this order.</param>
    /// <param name="metadata">Free text to keep beside them.</param>
    internal static void Write(
        string path,
        IReadOnlyList<OutgoingTensor> tensors,
        IReadOnlyDictionary<string, string> metadata
    )
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
            foreach (OutgoingTensor tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", TypeName(tensor.Type));
                json.WriteStartArray("shape");
                Array.ForEach(tensor.Shape, json.WriteNumberValue);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Blanks after the header, so that a reader that maps the file finds aligned data.
        while ((header.Length + LengthBytes) % DataAlignment != 0)
        {
            header.WriteByte((byte)' ');
        }

        if (File.Exists(path))
        {
            throw new IOException($"{path} is there already. Weights replace no others; name another folder.");
        }

        byte[] length = new byte[LengthBytes];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        WholeFile.Write(
            path,
            file =>
            {
                file.Write(length);
                header.WriteTo(file);
                foreach (OutgoingTensor tensor in tensors)
                {
                    tensor.WriteTo(file);
                }
            }
        );
    }

    private static string TypeName(WeightType type) =>
        type switch
        {
            WeightType.F32 => "F32",
            WeightType.BF16 => "BF16",
            WeightType.F16 => "F16",
            WeightType.I8 => "I8",
            WeightType.U8 => "U8",
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "safetensors has no such type."),
        };

    private static IEnumerable<ReadOnlyMemory<byte>> Whole(Func<ReadOnlyMemory<byte>> bytes)
    {
        yield return bytes();
    }

    /// <summary>Reads the header and checks that every tensor lies inside the file, without overlap or hole.</summary>
    /// <exception cref="DataFormatException">The file is not whole safetensors; the message names file, place, found and expected.</exception>
    public static IReadOnlyList<SafeTensorsEntry> ReadHeader(string path)
    {
        using FileStream file = Open(path);
        return ReadHeader(file, path);
    }

    /// <summary>As <see cref="ReadHeader(string)"/>, from an open file at its start.</summary>
    /// <param name="file">Any stream with a length.</param>
    /// <param name="path">What messages call it.</param>
    internal static IReadOnlyList<SafeTensorsEntry> ReadHeader(Stream file, string path)
    {
        if (file.Length < LengthBytes)
        {
            throw new DataFormatException($"{path}: {file.Length} bytes are too few for a safetensors file.");
        }

        Span<byte> start = stackalloc byte[LengthBytes];
        file.ReadExactly(start);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(start);
        if (headerLength > LargestHeader || headerLength > (ulong)(file.Length - LengthBytes))
        {
            throw new DataFormatException(
                $"{path}: the header claims {headerLength} bytes, but the file has {file.Length} "
                    + $"and the format allows {LargestHeader}. It is damaged or not safetensors."
            );
        }

        byte[] header = new byte[headerLength];
        file.ReadExactly(header);
        return SafeTensorsHeader.Parse(path, header, LengthBytes + (long)headerLength, file.Length);
    }

    /// <summary>Reads one tensor's bytes into memory that is exactly as large.</summary>
    public static void ReadBytes(string path, SafeTensorsEntry entry, Span<byte> destination)
    {
        if (destination.Length != entry.Length)
        {
            throw new ArgumentException(
                $"{entry.Name} has {entry.Length} bytes, not {destination.Length}.",
                nameof(destination)
            );
        }

        using FileStream file = Open(path);
        file.Position = entry.Offset;
        file.ReadExactly(destination);
    }

    /// <summary>Opens a file for reading.</summary>
    /// <exception cref="DataFormatException">It cannot be opened.</exception>
    internal static FileStream Open(string path)
    {
        try
        {
            // A pipe would wait for a writer for ever, and it has no length.
            if (new FileInfo(path) is { Exists: true, Length: 0 })
            {
                throw new DataFormatException($"{path}: 0 bytes are too few for a safetensors file.");
            }

            return Disk.Current.OpenRead(path);
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            throw new DataFormatException($"{path} cannot be read: {SystemLimits.Reason(e)}", e);
        }
    }
}
