namespace Saltern.Corpora;

/// <summary>What <see cref="JsonRecords.Read"/> came to.</summary>
internal enum RecordResult
{
    /// <summary>A record within the bound.</summary>
    Record,

    /// <summary>A record over the bound; it was skipped.</summary>
    TooLong,

    /// <summary>The end of the file.</summary>
    End,
}

/// <summary>Cuts a stream of JSON into records: lines, or the entries of a list, or values over several lines. Holds one of them.</summary>
/// <remarks>
/// The beginning tells which: a list, or a first line that leaves a bracket open, is taken apart by its brackets. Everything else is lines, so that a
/// broken record costs no other.
/// </remarks>
/// <param name="stream">UTF-8 without a byte order mark.</param>
internal sealed class JsonRecords(Stream stream, int maxRecordBytes)
{
    private const int HeadBytes = 1 << 16;

    private BoundedLineReader? _lines;
    private JsonValueReader? _values;

    /// <summary>Number of the record read last, from 1: its line where records are lines.</summary>
    public long Number => _lines?.LineNumber ?? _values?.Number ?? 0;

    /// <summary>Whether records are lines, so that <see cref="Number"/> is a line's.</summary>
    public bool AreLines => _values is null;

    /// <summary>Reads the next record; empty lines are none.</summary>
    /// <param name="record">The record, valid until the next call; empty unless the result is <see cref="RecordResult.Record"/>.</param>
    /// <exception cref="EndOfStreamException">The stream ends within a list or a record.</exception>
    public RecordResult Read(out ReadOnlySpan<byte> record)
    {
        if (_lines is null && _values is null)
        {
            Begin();
        }

        if (_values is not null)
        {
            return _values.Read(out record);
        }

        LineResult result;
        do
        {
            result = _lines!.Read(out record);
        } while (result == LineResult.Line && record.Trim(" \t\r"u8).IsEmpty);
        return result switch
        {
            LineResult.Line => RecordResult.Record,
            LineResult.TooLong => RecordResult.TooLong,
            _ => RecordResult.End,
        };
    }

    private void Begin()
    {
        PrefixedStream whole = PrefixedStream.Peek(stream, HeadBytes);
        if (IsOverLines(whole.Head))
        {
            _values = new JsonValueReader(whole, maxRecordBytes);
        }
        else
        {
            _lines = new BoundedLineReader(whole, maxRecordBytes);
        }
    }

    private static bool IsOverLines(ReadOnlySpan<byte> head)
    {
        head = head.TrimStart(" \t\r\n"u8);
        if (head.Length == 0 || head[0] != (byte)'{')
        {
            return head.Length > 0 && head[0] == (byte)'[';
        }

        int feed = head.IndexOf((byte)'\n');
        if (feed < 0)
        {
            return false;
        }

        var depth = new JsonDepth();
        foreach (byte part in head[..feed])
        {
            depth.Take(part);
        }

        // A string cannot go over a line break, so a line within one is broken and not a part; so it is where another record follows.
        ReadOnlySpan<byte> next = head[feed..].TrimStart(" \t\r\n"u8);
        return depth is { Open: > 0, InString: false } && next.Length > 0 && next[0] != (byte)'{';
    }
}

/// <summary>Counts the brackets that are open in JSON, byte by byte.</summary>
internal struct JsonDepth
{
    private bool _escaped;

    /// <summary>Brackets and braces open.</summary>
    public int Open { get; private set; }

    /// <summary>Whether the next byte belongs to a string.</summary>
    public bool InString { get; private set; }

    /// <summary>Takes the next byte.</summary>
    public void Take(byte next)
    {
        if (InString)
        {
            InString = _escaped || next != (byte)'"';
            _escaped = !_escaped && next == (byte)'\\';
            return;
        }

        switch (next)
        {
            case (byte)'"':
                InString = true;
                break;
            case (byte)'{' or (byte)'[':
                Open++;
                break;
            case (byte)'}' or (byte)']':
                Open--;
                break;
        }
    }
}
