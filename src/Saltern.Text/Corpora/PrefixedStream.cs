namespace Saltern.Corpora;

/// <summary>A stream whose beginning was looked at.</summary>
internal sealed class PrefixedStream : ForwardStream
{
    private readonly Stream _rest;
    private readonly Exception? _failure;
    private ReadOnlyMemory<byte> _head;

    private PrefixedStream(ReadOnlyMemory<byte> head, Stream rest, Exception? failure) =>
        (_head, _rest, _failure) = (head, rest, failure);

    /// <summary>What is left of the beginning.</summary>
    public ReadOnlySpan<byte> Head => _head.Span;

    /// <summary>Looks at the beginning of a stream, which belongs to the one returned.</summary>
    /// <remarks>Where reading fails behind the first bytes, these are still given out before the failure.</remarks>
    public static PrefixedStream Peek(Stream stream, int bytes)
    {
        byte[] head = new byte[bytes];
        int filled = 0;
        try
        {
            int read;
            do
            {
                read = stream.Read(head.AsSpan(filled));
                filled += read;
            } while (read > 0 && filled < bytes);
        }
        catch (Exception e) when (CorpusPass.IsReadFailure(e) && filled > 0)
        {
            return new PrefixedStream(head.AsMemory(0, filled), stream, e);
        }

        return new PrefixedStream(head.AsMemory(0, filled), stream, failure: null);
    }

    /// <summary>Leaves bytes of the beginning out.</summary>
    public void Skip(int bytes) => _head = _head[bytes..];

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (_head.IsEmpty)
        {
            if (_failure is not null)
            {
                throw _failure;
            }

            return _rest.Read(buffer);
        }

        int given = Math.Min(buffer.Length, _head.Length);
        _head.Span[..given].CopyTo(buffer);
        _head = _head[given..];
        return given;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rest.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>The first bytes of a stream.</summary>
internal sealed class BeginningStream(Stream whole, int bytes) : ForwardStream
{
    private int _left = bytes;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int read = whole.Read(buffer[..Math.Min(buffer.Length, _left)]);
        _left -= read;
        return read;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            whole.Dispose();
        }

        base.Dispose(disposing);
    }
}
