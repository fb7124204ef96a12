namespace Saltern.Tests.Simulation;

/// <summary>A file of a <see cref="SimulatedDisk"/>: a real one whose writes, flushes and reads the disk counts, cuts short and lets fail.</summary>
internal sealed class SimulatedFile(
    SimulatedDisk disk,
    StoredFile stored,
    string path,
    FileMode mode,
    FileAccess access,
    FileShare share,
    bool isBuffered,
    bool deletesOnClose
) : FileStream(path, mode, access, share, bufferSize: 0)
{
    private readonly string _path = path;
    private bool _isOpen = true;

    /// <summary>Length up to which the system has what was written for certain; what comes after may still lie in the process's own buffer.</summary>
    private long _delivered = -1;

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void WriteByte(byte value) => Write([value]);

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        int written = 0;
        while (written < buffer.Length)
        {
            // A write may take less than it is given: the stream goes on with the rest, which may fail on its own.
            int length = disk.ShortLength(buffer.Length - written);
            disk.BeforeWrite(_path, buffer.Length - written, out int last);
            ReadOnlySpan<byte> part = buffer.Slice(written, last >= 0 ? last : length);
            long at = Position;
            base.Write(part.ToArray(), 0, part.Length);
            stored.Write(at, part);
            written += part.Length;
            if (last >= 0)
            {
                disk.Strike(_path);
            }
        }
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        disk.BeforeRead(_path);
        return base.Read(buffer, offset, count == 0 ? 0 : disk.ShortLength(count));
    }

    public override int Read(Span<byte> buffer)
    {
        byte[] read = new byte[buffer.Length];
        int length = Read(read, 0, read.Length);
        read.AsSpan(0, length).CopyTo(buffer);
        return length;
    }

    public override void SetLength(long value)
    {
        disk.BeforeChange(_path);
        base.SetLength(value);
        stored.SetLength(value);
    }

    public override void Flush() => Deliver();

    public override void Flush(bool flushToDisk)
    {
        Deliver();
        if (flushToDisk)
        {
            disk.FlushFile(_path, stored);
        }
    }

    /// <summary>Closes a file of a process that has ended, with what was left of its own buffer lost.</summary>
    public void Abandon(Random random)
    {
        if (!_isOpen)
        {
            return;
        }

        _isOpen = false;
        long certain = Math.Max(_delivered, stored.LengthWhenOpened);
        if (isBuffered && CanWrite && stored.Length > certain)
        {
            long left = certain + random.NextInt64(stored.Length - certain + 1);
            base.SetLength(left);
            stored.SetLength(left);
        }

        base.Dispose(disposing: true);
    }

    protected override void Dispose(bool disposing)
    {
        if (disk.HasEnded)
        {
            return; // what is left is the disk's to close
        }

        if (_isOpen && disposing)
        {
            if (deletesOnClose)
            {
                DeleteIfPossible();
            }

            disk.Closed(this);
        }

        _isOpen = false;
        base.Dispose(disposing);
    }

    // .NET's own does not tell either.
    private void DeleteIfPossible()
    {
        try
        {
            disk.Delete(_path);
        }
        catch (IOException) { }
    }

    private void Deliver() => _delivered = stored.Length;
}
