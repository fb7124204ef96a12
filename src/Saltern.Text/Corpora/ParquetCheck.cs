using System.Buffers.Binary;
using Parquet.Meta;

namespace Saltern.Corpora;

/// <summary>Holds what a Parquet file says of its sizes against the file and fixed bounds, before the library allocates by it.</summary>
internal static class ParquetCheck
{
    /// <summary>Most bytes of a file's metadata.</summary>
    public const int MaxFooterBytes = 64 << 20;

    /// <summary>Most structures (row groups, columns, statistics …) in it.</summary>
    public const int MaxStructures = 2_000_000;

    /// <summary>Most rows of a row group.</summary>
    public const int MaxRowGroupRows = 1 << 24;

    /// <summary>Most bytes of one column of a row group, decompressed.</summary>
    public const int MaxColumnBytes = 1 << 30;

    /// <summary>Most bytes of a page's header.</summary>
    private const int MaxHeaderBytes = 1 << 20;

    private const int TailBytes = 8;

    private static ReadOnlySpan<byte> Magic => "PAR1"u8;

    /// <summary>Walks through the metadata at the end of the file.</summary>
    /// <exception cref="InvalidDataException">It is not a Parquet file's, or too large.</exception>
    public static void CheckFooter(FileStream file)
    {
        byte[] tail = new byte[TailBytes];
        if (file.Length < Magic.Length + TailBytes)
        {
            throw new InvalidDataException($"has {file.Length} bytes, too few for a Parquet file");
        }

        file.Position = file.Length - TailBytes;
        file.ReadExactly(tail);
        if (!tail.AsSpan(4).SequenceEqual(Magic))
        {
            throw new InvalidDataException(
                $"ends in {Convert.ToHexString(tail.AsSpan(4))}, expected {Convert.ToHexString(Magic)} (PAR1); "
                    + "the file is cut short, encrypted, or not Parquet"
            );
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (length > Math.Min(MaxFooterBytes, file.Length - TailBytes - Magic.Length))
        {
            throw new InvalidDataException(
                $"has metadata of {length} bytes in a file of {file.Length}, expected at most {MaxFooterBytes}"
            );
        }

        byte[] footer = new byte[length];
        file.Position = file.Length - TailBytes - length;
        file.ReadExactly(footer);
        var reader = new CompactThrift(footer);
        reader.Skip(type: 12);
        if (reader.Structures > MaxStructures)
        {
            throw new InvalidDataException(
                $"has metadata of {reader.Structures} structures, expected at most {MaxStructures}"
            );
        }

        file.Position = 0;
    }

    /// <summary>Walks through the pages of one column of a row group, reading their headers only.</summary>
    /// <exception cref="InvalidDataException">Sizes or counts contradict the file or one another, or exceed the bounds.</exception>
    public static void CheckColumn(FileStream file, ColumnMetaData column, long rows)
    {
        long begin = column.DataPageOffset;
        if (column.DictionaryPageOffset is > 0 and { } dictionary)
        {
            begin = Math.Min(dictionary, begin);
        }

        Require(
            rows is >= 0 and <= MaxRowGroupRows && column.NumValues == rows,
            $"a row group of {rows} rows with {column.NumValues} values, expected equal numbers of at most {MaxRowGroupRows}"
        );
        Require(
            begin >= Magic.Length
                && column.TotalCompressedSize >= 0
                && column.TotalCompressedSize <= file.Length - begin,
            $"a column of {column.TotalCompressedSize} bytes at {begin}, outside the file"
        );
        Require(
            column.TotalUncompressedSize is >= 0 and <= MaxColumnBytes,
            $"a column of {column.TotalUncompressedSize} bytes, expected at most {MaxColumnBytes}; write smaller row groups"
        );

        long position = begin;
        long end = begin + column.TotalCompressedSize;
        long values = 0;
        long expanded = 0;
        byte[] buffer = new byte[MaxHeaderBytes];
        while (values < rows)
        {
            Require(position < end, $"{values} values in its pages, expected {rows}");
            file.Position = position;
            int read = file.ReadAtLeast(
                buffer,
                (int)Math.Min(buffer.Length, end - position),
                throwOnEndOfStream: false
            );
            Page page = ReadHeader(buffer.AsSpan(0, read));
            Require(
                page.Stored >= 0 && page.Stored <= end - position - page.HeaderBytes,
                $"a page of {page.Stored} bytes at {position}, which leaves its column"
            );
            expanded += page.Expanded;
            Require(
                page.Expanded >= 0 && expanded <= MaxColumnBytes,
                $"pages of more than {MaxColumnBytes} bytes; write smaller row groups"
            );
            Require(
                column.Codec != CompressionCodec.UNCOMPRESSED || page.Stored == page.Expanded,
                $"an uncompressed page of {page.Stored} bytes said to be {page.Expanded}"
            );

            // Texts are stored with four bytes of length before each. Data pages may hold less: nulls take no room, repeated texts little.
            Require(
                page.Values >= 0 && (!page.IsDictionary || page.Values <= page.Expanded / 4),
                $"a page of {page.Values} values in {page.Expanded} bytes"
            );
            Require(
                page.Encoding != (long)Encoding.DELTA_BYTE_ARRAY,
                "texts that share their beginnings (DELTA_BYTE_ARRAY), whose size cannot be bounded; "
                    + "write them in plain or dictionary encoding"
            );
            if (!page.IsDictionary)
            {
                values += page.Values;
            }

            position += page.HeaderBytes + page.Stored;
        }

        Require(values == rows, $"{values} values in its pages, expected {rows}");
    }

    private static Page ReadHeader(ReadOnlySpan<byte> bytes)
    {
        var reader = new CompactThrift(bytes);
        long kind = -1;
        long expanded = -1;
        long stored = -1;
        long values = 0;
        long encoding = -1;
        int id = 0;
        while (reader.NextField(ref id, out int type))
        {
            switch (id)
            {
                case 1:
                    kind = reader.Signed();
                    break;
                case 2:
                    expanded = reader.Signed();
                    break;
                case 3:
                    stored = reader.Signed();
                    break;
                case 5 or 7 or 8: // data page, dictionary page, data page of version 2
                    ReadCounts(ref reader, encodingField: id == 8 ? 4 : 2, out values, out encoding);
                    break;
                default:
                    reader.Skip(type);
                    break;
            }
        }

        return new Page(reader.Position, kind == (long)PageType.DICTIONARY_PAGE, expanded, stored, values, encoding);
    }

    private static void ReadCounts(ref CompactThrift reader, int encodingField, out long values, out long encoding)
    {
        (values, encoding) = (-1, -1);
        int id = 0;
        while (reader.NextField(ref id, out int type))
        {
            if (id == 1)
            {
                values = reader.Signed();
            }
            else if (id == encodingField)
            {
                encoding = reader.Signed();
            }
            else
            {
                reader.Skip(type);
            }
        }
    }

    private static void Require(bool holds, string finding)
    {
        if (!holds)
        {
            throw new InvalidDataException("has " + finding);
        }
    }

    private readonly record struct Page(
        int HeaderBytes,
        bool IsDictionary,
        long Expanded,
        long Stored,
        long Values,
        long Encoding
    );
}
