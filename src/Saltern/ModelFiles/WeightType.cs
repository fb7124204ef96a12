namespace Saltern.ModelFiles;

/// <summary>Types that weights can be written in.</summary>
internal enum WeightType
{
    /// <summary>float32, what Saltern trains in: nothing is lost.</summary>
    F32,

    /// <summary>bfloat16: float32's range, 8 bits of precision.</summary>
    BF16,

    /// <summary>float16: 11 bits of precision, nothing beyond 65,504.</summary>
    F16,

    /// <summary>GGUF's Q8_0: blocks of 32 values share a float16 scale, each value takes a byte.</summary>
    Q8,

    /// <summary>Signed bytes: codes of an optimizer's first moments, no weights.</summary>
    I8,

    /// <summary>Unsigned bytes: codes of its second moments, no weights.</summary>
    U8,
}

/// <summary>A weight on its way into a file.</summary>
/// <param name="Name">Key in the file.</param>
/// <param name="Shape">Shape, slowest dimension first.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Pieces">Its bytes, read while the file is written; pieces may share one buffer.</param>
internal sealed record OutgoingTensor(
    string Name,
    long[] Shape,
    WeightType Type,
    IEnumerable<ReadOnlyMemory<byte>> Pieces
)
{
    /// <summary>Bytes that it takes.</summary>
    public long Bytes => WeightEncoding.Bytes(Type, Shape.Aggregate(1L, (product, size) => checked(product * size)));

    /// <summary>Writes the bytes.</summary>
    /// <exception cref="ArgumentException">The pieces are not as long as the shape says.</exception>
    public void WriteTo(Stream stream)
    {
        long written = 0;
        foreach (ReadOnlyMemory<byte> piece in Pieces)
        {
            stream.Write(piece.Span);
            written += piece.Length;
        }

        if (written != Bytes)
        {
            throw new ArgumentException($"{Name} has {written} bytes, but its shape needs {Bytes}.");
        }
    }
}
