// GGUF version 3, little-endian: "GGUF", u32 version, u64 tensors, u64 pairs, the pairs, then of each tensor name, dimensions, type and offset, then the data.
using Saltern.ModelFiles;

namespace Saltern.Export;

/// <summary>Writes GGUF files.</summary>
internal static class GgufFile
{
    /// <summary>Bytes to whose multiples tensors are moved, the format's default.</summary>
    public const int Alignment = 32;

    private const uint Version = 3;

    /// <summary>Writes a whole file.</summary>
    /// <param name="tensors">Written in this order, one after the other.</param>
    public static void Write(Stream file, GgufMetadata metadata, IReadOnlyCollection<OutgoingTensor> tensors)
    {
        using (var header = new MemoryStream())
        using (var writer = new BinaryWriter(header))
        {
            writer.Write("GGUF"u8);
            writer.Write(Version);
            writer.Write((ulong)tensors.Count);
            writer.Write(metadata.Count);
            metadata.WriteTo(header);
            long offset = 0;
            foreach (OutgoingTensor tensor in tensors)
            {
                GgufMetadata.WriteText(writer, tensor.Name);
                writer.Write((uint)tensor.Shape.Length);
                foreach (long size in tensor.Shape.Reverse())
                {
                    writer.Write(size); // the fastest dimension first
                }

                writer.Write(TypeNumber(tensor.Type));
                writer.Write((ulong)offset);
                offset += Padded(tensor.Bytes);
            }

            header.WriteTo(file);
            Pad(file, header.Length);
        }

        foreach (OutgoingTensor tensor in tensors)
        {
            tensor.WriteTo(file);
            Pad(file, tensor.Bytes);
        }
    }

    /// <summary>The number by which a file says what most of its weights are (llama_ftype).</summary>
    public static uint FileType(WeightType type) =>
        type switch
        {
            WeightType.F32 => 0,
            WeightType.F16 => 1,
            WeightType.Q8 => 7,
            _ => 32,
        };

    // ggml_type.
    private static uint TypeNumber(WeightType type) =>
        type switch
        {
            WeightType.F32 => 0,
            WeightType.F16 => 1,
            WeightType.Q8 => 8,
            _ => 30,
        };

    private static long Padded(long length) => (length + Alignment - 1) / Alignment * Alignment;

    private static void Pad(Stream file, long length) => file.Write(new byte[Padded(length) - length]);
}
