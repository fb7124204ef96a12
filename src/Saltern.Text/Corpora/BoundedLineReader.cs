namespace Saltern.Corpora;

/// <summary>What <see cref="BoundedLineReader.Read"/> came to.</summary>
internal enum LineResult
{
    /// <summary>A line within the bound.</summary>
    Line,

    /// <summary>A line over the bound; it was skipped.</summary>
    TooLong,

    /// <summary>The end of the stream.</summary>
    End,
}

/// <summary>Splits a stream at line feeds, holding never more than one line and at most a set number of bytes.</summary>
internal sealed class BoundedLineReader(Stream stream, int maxLineBytes)
{
    private byte[] _buffer = new byte[Math.Min(1 << 16, maxLineBytes + 1)];
    private int _start;
    private int _end;
    private bool _ended;

    /// <summary>Number of the line read last, from 1.</summary>
    public long LineNumber { get; private set; }

    /// <summary>Reads the next line, without its line feed.</summary>
    /// <param name="line">The line, valid until the next call; empty unless the result is <see cref="LineResult.Line"/>.</param>
    public LineResult Read(out ReadOnlySpan<byte> line)
    {
        line = default;
        int scanned = _start;
        while (true)
        {
            int feed = _buffer.AsSpan(scanned, _end - scanned).IndexOf((byte)'\n');
            if (feed >= 0)
            {
                int length = scanned + feed - _start;
                LineNumber++;
                line = _buffer.AsSpan(_start, length);
                _start += length + 1;
                return LineResult.Line;
            }

            if (_end - _start > maxLineBytes)
            {
                LineNumber++;
                SkipLine();
                return LineResult.TooLong;
            }

            scanned = _end;
            if (!Fill(ref scanned))
            {
                if (_start == _end)
                {
                    return LineResult.End;
                }

                LineNumber++;
                line = _buffer.AsSpan(_start, _end - _start);
                _start = _end;
                return LineResult.Line;
            }
        }
    }

    private void SkipLine()
    {
        int feed;
        do
        {
            _start = _end = 0;
            int none = 0;
            if (!Fill(ref none))
            {
                return;
            }

            feed = _buffer.AsSpan(0, _end).IndexOf((byte)'\n');
        } while (feed < 0);
        _start = feed + 1;
    }

    // Makes room behind the line begun, by moving it to the front or by growing, and reads once.
    private bool Fill(ref int scanned)
    {
        if (_ended)
        {
            return false;
        }

        if (_end == _buffer.Length)
        {
            byte[] target = _buffer;
            if (_start == 0)
            {
                target = new byte[Math.Min(2L * _buffer.Length, maxLineBytes + 1L)];
            }

            _buffer.AsSpan(_start, _end - _start).CopyTo(target);
            scanned -= _start;
            _end -= _start;
            _start = 0;
            _buffer = target;
        }

        int read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _end += read;
        _ended = read == 0;
        return read > 0;
    }
}
