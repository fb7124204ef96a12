namespace Saltern.Corpora;

/// <summary>Reads Thrift's compact protocol as far as checking a Parquet file needs it: fields by number, the rest is stepped over.</summary>
/// <remarks>
/// Parquet's own specification of its metadata: https://github.com/apache/parquet-format. Lengths are held against the bytes that are left before
/// anything relies on them, nesting against <see cref="MaxDepth"/>.
/// </remarks>
internal ref struct CompactThrift(ReadOnlySpan<byte> bytes)
{
    private const int MaxDepth = 32;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>Bytes read.</summary>
    public int Position { get; private set; }

    /// <summary>Structures stepped into or over.</summary>
    public long Structures { get; private set; }

    /// <summary>Reads the header of a structure's next field.</summary>
    /// <param name="id">Number of the field before, 0 at first; becomes this field's.</param>
    /// <returns>False at the end of the structure.</returns>
    public bool NextField(ref int id, out int type)
    {
        byte header = Byte();
        type = header & 0xF;
        if (header == 0)
        {
            Structures++;
            return false;
        }

        // A step of 0 means that the number follows in full.
        int step = header >> 4;
        id = step == 0 ? checked((int)Signed()) : id + step;
        return true;
    }

    /// <summary>Reads a zigzag number.</summary>
    public long Signed()
    {
        ulong value = Unsigned();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>Steps over a value.</summary>
    /// <param name="type">Its type, as the header of a field or a list gives it.</param>
    /// <param name="depth">Structures and lists around it.</param>
    public void Skip(int type, int depth = 0)
    {
        if (depth > MaxDepth)
        {
            throw new InvalidDataException($"metadata is nested deeper than {MaxDepth}");
        }

        switch (type)
        {
            case 1 or 2: // a truth value, held in the header
                break;
            case 3:
                Step(1);
                break;
            case 4 or 5 or 6:
                Unsigned();
                break;
            case 7:
                Step(8);
                break;
            case 8:
                Step(Unsigned());
                break;
            case 9 or 10:
                SkipList(depth);
                break;
            case 12:
                int id = 0;
                while (NextField(ref id, out int field))
                {
                    Skip(field, depth + 1);
                }

                break;
            default:
                throw new InvalidDataException($"metadata has a value of type {type}, which Parquet does not use");
        }
    }

    private void SkipList(int depth)
    {
        byte header = Byte();
        ulong count = (ulong)(header >> 4);
        if (count == 15)
        {
            count = Unsigned(); // more than the header has room for
        }

        int type = header & 0xF;
        if (count > (ulong)(_bytes.Length - Position))
        {
            throw new InvalidDataException(
                $"metadata has a list of {count} values in {_bytes.Length - Position} bytes"
            );
        }

        if (type is 1 or 2)
        {
            type = 3; // in lists a truth value takes a byte
        }

        for (ulong i = 0; i < count; i++)
        {
            Skip(type, depth + 1);
        }
    }

    private ulong Unsigned()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte part = Byte();
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("metadata has a number of more than 64 bits");
    }

    private byte Byte()
    {
        Step(1);
        return _bytes[Position - 1];
    }

    private void Step(ulong count)
    {
        if (count > (ulong)(_bytes.Length - Position))
        {
            throw new InvalidDataException(
                $"metadata ends in the middle: {count} more bytes are needed where {_bytes.Length - Position} are left"
            );
        }

        Position += (int)count;
    }
}
