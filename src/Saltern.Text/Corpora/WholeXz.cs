using SharpCompress.Compressors.Xz;

namespace Saltern.Corpora;

/// <summary>Decompresses xz: all streams of the file, with the zeros that may stand between and behind them.</summary>
/// <remarks>The library reads one stream and leaves the file at its end; checks of blocks and index are its own.</remarks>
internal sealed class WholeXz(FileStream stored) : ForwardStream
{
    private XZStream? _stream = new(stored);

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        byte[] bytes = new byte[buffer.Length];
        while (_stream is not null)
        {
            int read = _stream.Read(bytes, 0, bytes.Length);
            if (read > 0 || bytes.Length == 0)
            {
                bytes.AsSpan(0, read).CopyTo(buffer);
                return read;
            }

            _stream = SkipPadding() ? new XZStream(stored) : null;
        }

        return 0;
    }

    private bool SkipPadding()
    {
        int next;
        do
        {
            next = stored.ReadByte();
        } while (next == 0);
        if (next < 0)
        {
            return false;
        }

        stored.Position--;
        return true;
    }
}
