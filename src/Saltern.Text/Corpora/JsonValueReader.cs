namespace Saltern.Corpora;

/// <summary>Cuts JSON at the ends of its values: the entries of lists, and what stands outside of any list.</summary>
internal sealed class JsonValueReader(Stream stream, int maxRecordBytes)
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private byte[] _value = new byte[1 << 12];
    private int _length;
    private bool _inList;

    /// <summary>Number of the value read last, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>Reads the next value.</summary>
    /// <param name="value">The value, valid until the next call; empty unless the result is <see cref="RecordResult.Record"/>.</param>
    /// <exception cref="EndOfStreamException">The stream ends within a list or a value.</exception>
    public RecordResult Read(out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!SkipToValue())
        {
            if (_inList)
            {
                throw new EndOfStreamException("the list that the file holds is not closed");
            }

            return RecordResult.End;
        }

        Number++;
        _length = 0;
        if (!TakeValue())
        {
            return RecordResult.TooLong;
        }

        value = _value.AsSpan(0, _length);
        return RecordResult.Record;
    }

    private bool SkipToValue()
    {
        while (Peek(out byte next))
        {
            if (next == (byte)'[' && !_inList)
            {
                _inList = true;
            }
            else if (next == (byte)']' && _inList)
            {
                _inList = false;
            }
            else if (next is not ((byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' or (byte)','))
            {
                return true;
            }

            _start++;
        }

        return false;
    }

    // False where the value is over the bound. Anything but brackets and strings ends at the next separator.
    private bool TakeValue()
    {
        var depth = new JsonDepth();
        bool fits = true;
        Peek(out byte first);
        bool isBare = first is not ((byte)'{' or (byte)'[' or (byte)'"');
        bool isBegun = false; // a bracket that closes nothing is a value of its own, or reading would stay at it for ever
        do
        {
            if (!Peek(out byte next))
            {
                if (isBare)
                {
                    return fits;
                }

                throw new EndOfStreamException("the file ends within a record");
            }

            if (isBare && isBegun && " \t\r\n,]"u8.Contains(next))
            {
                return fits;
            }

            _start++;
            isBegun = true;
            depth.Take(next);
            fits = fits && Keep(next);
        } while (isBare || depth.Open > 0 || depth.InString);
        return fits;
    }

    private bool Keep(byte next)
    {
        if (_length == maxRecordBytes)
        {
            return false;
        }

        if (_length == _value.Length)
        {
            Array.Resize(ref _value, (int)Math.Min(2L * _value.Length, maxRecordBytes));
        }

        _value[_length++] = next;
        return true;
    }

    private bool Peek(out byte next)
    {
        next = 0;
        if (_start == _end)
        {
            (_start, _end) = (0, stream.Read(_buffer));
        }

        if (_end == 0)
        {
            return false;
        }

        next = _buffer[_start];
        return true;
    }
}
