using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Numerics;
using Saltern.Files;

namespace Saltern.Guidance;

/// <summary>One file of a teacher pass, memory-mapped: a header, a table of samples, and their records. Safe to read from several threads.</summary>
/// <remarks>
/// Header, 72 bytes: magic, version u32, samples u32, bytes of the records u64, seconds of the teacher pass f64, SHA-256 of the plan, CRC-32C of all before it and of the
/// table, u32 zero. Table, 24 bytes a sample: domain u32, CRC-32C of its records u32, index i64, offset of its records u64. Every number is checked before it is used.
/// </remarks>
internal sealed unsafe class CacheShard : IDisposable
{
    public const int HeaderBytes = 72;
    public const int RowBytes = 24;
    internal const int ChecksumAt = 64;
    private const uint Version = 1;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly TeachPlan _plan;
    private readonly byte* _bytes;
    private readonly long _length;

    private CacheShard(string path, long length, TeachPlan plan)
    {
        (Path, _length, _plan) = (path, length, plan);
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _bytes);
        _bytes += _view.PointerOffset;
    }

    private static ReadOnlySpan<byte> Magic => "SALTEACH"u8;

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Samples in it.</summary>
    public int Count { get; private set; }

    /// <summary>Seconds that the teacher pass took for it.</summary>
    public double Seconds { get; private set; }

    /// <summary>Opens a file and checks header and table.</summary>
    /// <exception cref="DataFormatException">The file is missing, cut short, damaged or of another plan.</exception>
    public static CacheShard Open(string path, TeachPlan plan)
    {
        CacheShard? shard = null;
        try
        {
            if (!File.Exists(path))
            {
                throw new DataFormatException(
                    $"'{path}' is missing. Run the same 'saltern teach' again, which makes it anew."
                );
            }

            long length = new FileInfo(path).Length;
            if (length < HeaderBytes)
            {
                throw Damaged(path, $"has {length} bytes, fewer than its header of {HeaderBytes}");
            }

            shard = new CacheShard(path, length, plan);
            shard.Check();
            return shard;
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            throw new DataFormatException($"'{path}' cannot be read: {SystemLimits.Reason(e)}", e);
        }
        catch (DataFormatException)
        {
            shard?.Dispose();
            throw;
        }
    }

    /// <summary>Key of a sample of the file.</summary>
    public (int Domain, long Index) Key(int row)
    {
        ReadOnlySpan<byte> at = Row(row);
        return ((int)BinaryPrimitives.ReadUInt32LittleEndian(at), BinaryPrimitives.ReadInt64LittleEndian(at[8..]));
    }

    /// <summary>Row of a sample; negative where the file does not have it.</summary>
    public int Find(int domain, long index)
    {
        int low = 0;
        int high = Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            int order = Key(middle).CompareTo((domain, index));
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    /// <summary>What is stored of a sample; its checksum is compared first.</summary>
    /// <exception cref="DataFormatException">The sample's bytes have changed since they were written.</exception>
    public SampleLabels Read(int row)
    {
        (int domain, long index) = Key(row);
        string place = $"'{Path}', sample {index} of domain {domain}";
        long from = Offset(row);
        long to = row + 1 < Count ? Offset(row + 1) : _length - RecordsAt;
        var records = new ReadOnlySpan<byte>(_bytes + RecordsAt + from, checked((int)(to - from)));
        uint expected = BinaryPrimitives.ReadUInt32LittleEndian(Row(row)[4..]);
        uint found = Checksum(records);
        if (found == expected)
        {
            return SampleLabels.Read(records, _plan, place);
        }

        throw new DataFormatException(
            $"{place}: the checksum is {found:x8}, expected {expected:x8}. "
                + "The file is damaged: remove it and run the same 'saltern teach' again, which makes it anew."
        );
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    /// <summary>Writes a file under a temporary name, flushes it and renames it.</summary>
    public static void Write(
        string path,
        TeachPlan plan,
        IReadOnlyList<(int Domain, long Index)> keys,
        IReadOnlyList<byte[]> records,
        double seconds
    )
    {
        byte[] head = new byte[HeaderBytes + (keys.Count * RowBytes)];
        Magic.CopyTo(head);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(12), (uint)keys.Count);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(16), records.Sum(record => (long)record.Length));
        BinaryPrimitives.WriteDoubleLittleEndian(head.AsSpan(24), seconds);
        plan.Hash().CopyTo(head.AsSpan(32));
        long offset = 0;
        for (int row = 0; row < keys.Count; row++)
        {
            Span<byte> at = head.AsSpan(HeaderBytes + (row * RowBytes), RowBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)keys[row].Domain);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], Checksum(records[row]));
            BinaryPrimitives.WriteInt64LittleEndian(at[8..], keys[row].Index);
            BinaryPrimitives.WriteInt64LittleEndian(at[16..], offset);
            offset += records[row].Length;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(ChecksumAt), HeadChecksum(head));
        WholeFile.Write(
            path,
            file =>
            {
                file.Write(head);
                foreach (byte[] record in records)
                {
                    file.Write(record);
                }
            }
        );
    }

    private long RecordsAt => HeaderBytes + ((long)Count * RowBytes);

    private void Check()
    {
        ReadOnlySpan<byte> head = new(_bytes, HeaderBytes);
        if (!head.StartsWith(Magic) || BinaryPrimitives.ReadUInt32LittleEndian(head[8..]) != Version)
        {
            throw Damaged(Path, "does not begin like a file of 'saltern teach' of this version");
        }

        if (!head.Slice(32, 32).SequenceEqual(_plan.Hash()))
        {
            throw Damaged(Path, "belongs to another pass");
        }

        uint count = BinaryPrimitives.ReadUInt32LittleEndian(head[12..]);
        long payload = BinaryPrimitives.ReadInt64LittleEndian(head[16..]);
        if (
            count == 0
            || count > _plan.ShardSamples
            || payload < 0
            || payload != _length - HeaderBytes - ((long)count * RowBytes)
        )
        {
            throw Damaged(
                Path,
                $"has {_length} bytes, which are not those of {count} samples with {payload} bytes of records"
            );
        }

        Count = (int)count;
        uint expected = BinaryPrimitives.ReadUInt32LittleEndian(head[ChecksumAt..]);
        uint found = HeadChecksum(new ReadOnlySpan<byte>(_bytes, (int)RecordsAt));
        Seconds = BinaryPrimitives.ReadDoubleLittleEndian(head[24..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[(ChecksumAt + sizeof(uint))..]) is var end && end != 0)
        {
            throw Damaged(Path, $"ends its header with {end:x8}, expected 0");
        }

        if (found != expected || !(Seconds >= 0))
        {
            throw Damaged(Path, $"has the checksum {found:x8} of header and table, expected {expected:x8}");
        }

        for (int row = 0; row < Count; row++)
        {
            long from = Offset(row);
            long to = row + 1 < Count ? Offset(row + 1) : payload;
            if (
                from < 0
                || to < from
                || to > payload
                || to - from > int.MaxValue
                || (row > 0 && Key(row).CompareTo(Key(row - 1)) <= 0)
            )
            {
                throw Damaged(Path, $"has a table whose row {row} is out of order");
            }
        }
    }

    private ReadOnlySpan<byte> Row(int row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Count);
        return new ReadOnlySpan<byte>(_bytes + HeaderBytes + ((long)row * RowBytes), RowBytes);
    }

    private long Offset(int row) => BinaryPrimitives.ReadInt64LittleEndian(Row(row)[16..]);

    internal static uint HeadChecksum(ReadOnlySpan<byte> head) =>
        Checksum(head[..ChecksumAt]) ^ BitOperations.RotateLeft(Checksum(head[HeaderBytes..]), 1);

    internal static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = 0xFFFFFFFF;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }

    private static DataFormatException Damaged(string path, string what) =>
        new($"'{path}' {what}. Remove it and run the same 'saltern teach' again, which makes it anew.");
}
