using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Saltern.Shards;

/// <summary>The <c>.idx</c> file of a Megatron shard, version 1: where each sequence of the <c>.bin</c> file begins and ends.</summary>
/// <remarks>
/// Little-endian throughout: 9 bytes <c>MMIDIDX\0\0</c>, u64 version, u8 token type, u64 number of sequences, u64 number of document borders,
/// i32 lengths of the sequences in tokens, their i64 byte offsets, i64 sequence numbers at which documents begin, the last one the number of sequences.
/// </remarks>
/// <param name="Starts">Position of the first token of each sequence (or document), and at the end the number of tokens.</param>
internal sealed record MegatronIndex(TokenType Type, long[] Starts)
{
    /// <summary>Bytes before the arrays.</summary>
    public const int HeaderBytes = 34;

    private const ulong Version = 1;

    private static ReadOnlySpan<byte> Magic => "MMIDIDX\0\0"u8;

    /// <summary>Size of an index in which every document is one sequence, in bytes.</summary>
    public static long ExpectedBytes(long documents) => HeaderBytes + (documents * 12) + ((documents + 1) * 8);

    /// <summary>Writes an index in which every sequence is one document.</summary>
    /// <param name="stream">Where to; not flushed.</param>
    /// <param name="type">The token type of the <c>.bin</c> file.</param>
    /// <param name="lengths">Gives, as often as it is called, the length of each document in tokens, in the order of the <c>.bin</c> file.</param>
    public static void Write(Stream stream, TokenType type, long documents, Func<IEnumerable<int>> lengths)
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(9), Version);
        header[17] = (byte)type;
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(18), (ulong)documents);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(26), (ulong)documents + 1);
        stream.Write(header);

        Span<byte> number = stackalloc byte[8];
        foreach (int length in lengths())
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, length);
            stream.Write(number[..4]);
        }

        long offset = 0;
        foreach (int length in lengths())
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, offset);
            stream.Write(number);
            offset += (long)length * type.Size();
        }

        for (long document = 0; document <= documents; document++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, document);
            stream.Write(number);
        }
    }

    /// <summary>Reads an index and checks every number in it against the sizes of both files, before anything is allocated by it.</summary>
    /// <param name="tokenBytes">Size of the <c>.bin</c> file.</param>
    /// <param name="wholeDocuments">Whether <see cref="Starts"/> gives documents rather than sequences.</param>
    /// <exception cref="DataFormatException">The file is not such an index, or does not belong to a <c>.bin</c> file of that size.</exception>
    public static MegatronIndex Read(string path, long tokenBytes, bool wholeDocuments = false)
    {
        using FileStream file = new(
            path,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1 << 16,
            FileOptions.SequentialScan
        );
        if (file.Length < HeaderBytes)
        {
            throw Damaged(path, $"has {file.Length} bytes, expected a header of {HeaderBytes}; the file is cut short");
        }

        byte[] header = new byte[HeaderBytes];
        file.ReadExactly(header);
        (TokenType type, ulong sequences, ulong borders) = CheckHeader(path, header, file.Length);

        int[] lengths = new int[sequences];
        long[] starts = new long[sequences + 1];
        ReadArray(file, lengths);
        for (int i = 0; i < lengths.Length; i++)
        {
            if (lengths[i] < 0)
            {
                throw Damaged(path, $"sequence {i} has length {lengths[i]}, expected 0 or more");
            }

            starts[i + 1] = starts[i] + lengths[i];
        }

        if (starts[^1] > tokenBytes / type.Size() || starts[^1] * type.Size() != tokenBytes)
        {
            throw Damaged(
                path,
                $"describes {starts[^1]} tokens ({(Int128)starts[^1] * type.Size()} bytes), "
                    + $"found {tokenBytes} bytes in {Path.GetFileNameWithoutExtension(path)}.bin beside it"
            );
        }

        long[] offsets = new long[sequences];
        ReadArray(file, offsets);
        for (int i = 0; i < offsets.Length; i++)
        {
            if (offsets[i] != starts[i] * type.Size())
            {
                throw Damaged(
                    path,
                    $"sequence {i} begins at byte {offsets[i]}, expected {starts[i] * type.Size()} (sequences follow one another)"
                );
            }
        }

        List<long> documents = [];
        CheckBorders(
            path,
            file,
            (long)borders,
            lengths.Length,
            wholeDocuments ? border => documents.Add(starts[border]) : null
        );
        return new MegatronIndex(type, wholeDocuments ? [.. documents] : starts);
    }

    private static (TokenType Type, ulong Sequences, ulong Borders) CheckHeader(
        string path,
        ReadOnlySpan<byte> header,
        long fileBytes
    )
    {
        if (!header.StartsWith(Magic))
        {
            throw Damaged(
                path,
                $"begins with {Convert.ToHexString(header[..9])}, expected {Convert.ToHexString(Magic)} (MMIDIDX and two zero bytes)"
            );
        }

        ulong version = BinaryPrimitives.ReadUInt64LittleEndian(header[9..]);
        if (version != Version)
        {
            throw Damaged(path, $"has version {version}, expected {Version}");
        }

        if (header[17] is not ((byte)TokenType.I32 or (byte)TokenType.U16))
        {
            throw Damaged(path, $"has token type {header[17]}, expected 8 (uint16) or 4 (int32)");
        }

        ulong sequences = BinaryPrimitives.ReadUInt64LittleEndian(header[18..]);
        ulong borders = BinaryPrimitives.ReadUInt64LittleEndian(header[26..]);
        UInt128 expected = HeaderBytes + ((UInt128)sequences * 12) + ((UInt128)borders * 8);
        if (expected != (UInt128)fileBytes)
        {
            throw Damaged(
                path,
                $"has {fileBytes} bytes, expected {expected} for {sequences} sequences and {borders} document borders"
            );
        }

        if (sequences >= (ulong)Array.MaxLength)
        {
            throw Damaged(
                path,
                $"has {sequences} sequences, expected fewer than {Array.MaxLength}; split it into several shards"
            );
        }

        return ((TokenType)header[17], sequences, borders);
    }

    // Checked where they are not wanted too, since a wrong border is a damaged file.
    private static void CheckBorders(string path, FileStream file, long borders, int sequences, Action<long>? receive)
    {
        long previous = 0;
        long[] buffer = new long[(int)Math.Min(borders, 1 << 13)];
        long done = 0;
        while (done < borders)
        {
            Span<long> part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, borders - done));
            ReadArray(file, part);
            foreach (long border in part)
            {
                if (border < previous || border > sequences || (done == 0 && border != 0))
                {
                    string expected = done == 0 ? "0" : $"a number from {previous} to {sequences}";
                    throw Damaged(path, $"document border {done} is {border}, expected {expected}");
                }

                receive?.Invoke(border);
                previous = border;
                done++;
            }
        }

        if (borders == 0 || previous != sequences)
        {
            throw Damaged(
                path,
                $"has {borders} document borders up to {previous}, expected the last one to be {sequences}"
            );
        }
    }

    private static void ReadArray<T>(FileStream file, Span<T> values)
        where T : unmanaged
    {
        // Every platform that .NET 10 trains on is little-endian, as the file is.
        file.ReadExactly(MemoryMarshal.AsBytes(values));
    }

    private static void ReadArray<T>(FileStream file, T[] values)
        where T : unmanaged
    {
        // In parts: the bytes of a large array do not fit one span.
        for (int at = 0; at < values.Length; at += 1 << 20)
        {
            ReadArray(file, values.AsSpan(at, Math.Min(1 << 20, values.Length - at)));
        }
    }

    private static DataFormatException Damaged(string path, string finding) =>
        new(
            $"'{path}' {finding}. It is not an undamaged Megatron index; run `saltern prepare` again or restore the file."
        );
}
