using System.Buffers.Binary;
using System.IO.Compression;

namespace Saltern.Tests.Corpora;

/// <summary>A Parquet file put together by hand (https://github.com/apache/parquet-format), so that any of its numbers can lie.</summary>
/// <remarks>One required text column "text", one row group, one data page of version 1 in plain encoding.</remarks>
internal sealed record HandMadeParquet
{
    public byte[] Values { get; init; } = Plain("one", "two");

    public bool Gzip { get; init; }

    public long Rows { get; init; } = 2;

    public long? PageValues { get; init; }

    public long? PageExpanded { get; init; }

    public long? PageStored { get; init; }

    public long? ColumnValues { get; init; }

    public long? ColumnExpanded { get; init; }

    public long? ColumnStored { get; init; }

    public long? PageOffset { get; init; }

    public int Encoding { get; init; }

    public uint? FooterLength { get; init; }

    public byte[]? Footer { get; init; }

    public static byte[] Plain(params string[] texts) =>
        [
            .. texts.SelectMany(text =>
                (byte[])
                    [
                        .. BitConverter.GetBytes(System.Text.Encoding.UTF8.GetByteCount(text)),
                        .. System.Text.Encoding.UTF8.GetBytes(text),
                    ]
            ),
        ];

    public byte[] Bytes()
    {
        byte[] stored = Gzip ? Compress(Values) : Values;
        byte[] header = new Thrift()
            .Int(1, 0)
            .Int(2, PageExpanded ?? Values.Length)
            .Int(3, PageStored ?? stored.Length)
            .Struct(5, new Thrift().Int(1, PageValues ?? Rows).Int(2, Encoding).Int(3, 3).Int(4, 3))
            .End();
        Thrift column = new Thrift()
            .Int(1, 6)
            .List(2, 5, [Varint(0)])
            .List(3, 8, [Text("text")])
            .Int(4, Gzip ? 2 : 0)
            .Int(5, ColumnValues ?? Rows, 6)
            .Int(6, ColumnExpanded ?? Values.Length + header.Length, 6)
            .Int(7, ColumnStored ?? stored.Length + header.Length, 6)
            .Int(9, PageOffset ?? 4, 6);
        byte[] root = new Thrift().Text(4, "schema").Int(5, 1).End();
        byte[] leaf = new Thrift().Int(1, 6).Int(3, 0).Text(4, "text").Int(6, 0).End();
        byte[] group = new Thrift()
            .List(1, 12, [new Thrift().Int(2, 4, 6).Struct(3, column).End()])
            .Int(2, Values.Length, 6)
            .Int(3, Rows, 6)
            .End();
        byte[] footer =
            Footer ?? new Thrift().Int(1, 1).List(2, 12, [root, leaf]).Int(3, Rows, 6).List(4, 12, [group]).End();
        byte[] length = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(length, FooterLength ?? (uint)footer.Length);
        return [.. "PAR1"u8, .. header, .. stored, .. footer, .. length, .. "PAR1"u8];
    }

    private static byte[] Compress(byte[] bytes)
    {
        using MemoryStream stored = new();
        using (GZipStream gzip = new(stored, CompressionLevel.Optimal))
        {
            gzip.Write(bytes);
        }

        return stored.ToArray();
    }

    private static byte[] Varint(long value)
    {
        ulong rest = (ulong)((value << 1) ^ (value >> 63));
        List<byte> bytes = [];
        for (; rest >= 0x80; rest >>= 7)
        {
            bytes.Add((byte)(rest | 0x80));
        }

        return [.. bytes, (byte)rest];
    }

    private static byte[] Text(string text) => [(byte)text.Length, .. System.Text.Encoding.UTF8.GetBytes(text)];

    /// <summary>Thrift's compact protocol, written.</summary>
    private sealed class Thrift
    {
        private readonly List<byte> _bytes = [];
        private int _last;

        public Thrift Int(int id, long value, int type = 5) => Field(id, type, Varint(value));

        public Thrift Text(int id, string text) => Field(id, 8, HandMadeParquet.Text(text));

        public Thrift Struct(int id, Thrift value) => Field(id, 12, value.End());

        public Thrift List(int id, int type, byte[][] items) =>
            Field(id, 9, [(byte)((items.Length << 4) | type), .. items.SelectMany(item => item)]);

        public byte[] End() => [.. _bytes, 0];

        private Thrift Field(int id, int type, byte[] value)
        {
            _bytes.Add((byte)(((id - _last) << 4) | type));
            _bytes.AddRange(value);
            _last = id;
            return this;
        }
    }
}
