namespace Saltern.Tests.Simulation;

/// <summary>One file of a simulated disk: what the system shows, and what is on the disk for certain.</summary>
internal sealed class StoredFile
{
    // A sector; real ones have 512 bytes, but the files of a history are small.
    private const int SectorBytes = 64;

    private byte[] _shown;
    private byte[] _onDisk;
    private bool _isFlushed;
    private bool[]? _forgotten;
    private long _least; // length since it was last flushed

    public StoredFile(byte[] content, bool isFlushed) =>
        (_shown, _onDisk, Length, _least, _isFlushed) = (
            content,
            isFlushed ? content : [],
            content.Length,
            content.Length,
            isFlushed
        );

    public long Length { get; private set; }

    public long LengthWhenOpened { get; set; }

    public void Write(long at, ReadOnlySpan<byte> bytes)
    {
        Own((int)Math.Max(Length, at + bytes.Length));
        bytes.CopyTo(_shown.AsSpan((int)at));
        Remember((int)at, (int)at + bytes.Length);
        Length = Math.Max(Length, at + bytes.Length);
    }

    public void SetLength(long length)
    {
        Own((int)length);
        if (length > Length)
        {
            _shown.AsSpan((int)Length, (int)(length - Length)).Clear();
        }

        Remember((int)length, int.MaxValue);
        _least = Math.Min(_least, length);
        Length = length;
    }

    public void Flush()
    {
        byte[] shown = Shown();
        for (int i = 0; i < (_forgotten?.Length ?? 0) && i < shown.Length; i++)
        {
            if (_forgotten![i])
            {
                shown[i] = i < _onDisk.Length ? _onDisk[i] : (byte)0;
            }
        }

        (_onDisk, _isFlushed, _least) = (shown, true, Length);
    }

    /// <summary>A flush has failed: Linux then takes what it could not write for written, and no later flush tries it again.</summary>
    public void FailFlush()
    {
        _forgotten = new bool[Length];
        for (int i = 0; i < Length; i++)
        {
            _forgotten[i] = i >= _onDisk.Length || _onDisk[i] != _shown[i];
        }
    }

    /// <summary>What is left of it after the power was lost.</summary>
    public byte[] AfterPowerLoss(Random random)
    {
        if (_isFlushed)
        {
            return _onDisk;
        }

        byte[] shown = Shown();
        switch (random.Next(4))
        {
            case 0:
                return _onDisk;
            case 1:
                return shown;
            case 2: // its new length is there and its bytes are not: delayed allocation
                byte[] hollow = new byte[shown.Length];
                _onDisk.AsSpan(0, Math.Min(_onDisk.Length, hollow.Length)).CopyTo(hollow);
                return hollow;
            default: // some sectors are new, some as they were, in any order
                // Bytes that were there and that nobody has cut off are still there.
                int certain = (int)Math.Min(_least, _onDisk.Length);
                byte[] mixed = new byte[random.Next(2) == 0 ? shown.Length : random.Next(certain, shown.Length + 1)];
                for (int from = 0; from < mixed.Length; from += SectorBytes)
                {
                    int length = Math.Min(SectorBytes, mixed.Length - from);
                    byte[] source = random.Next(2) == 0 ? shown : _onDisk;
                    source
                        .AsSpan(Math.Min(from, source.Length))[..Math.Clamp(source.Length - from, 0, length)]
                        .CopyTo(mixed.AsSpan(from));
                }

                return mixed;
        }
    }

    /// <summary>What programs read.</summary>
    public byte[] Shown() => _shown[..(int)Length];

    // What is written anew is tried anew.
    private void Remember(int from, int to)
    {
        int end = Math.Min(to, _forgotten?.Length ?? 0);
        if (from < end)
        {
            Array.Clear(_forgotten!, from, end - from);
        }
    }

    private void Own(int length)
    {
        _isFlushed = false;
        if (ReferenceEquals(_shown, _onDisk) || _shown.Length < length)
        {
            byte[] own = new byte[Math.Max(length, 2 * (int)Length)];
            _shown.AsSpan(0, (int)Math.Min(Length, own.Length)).CopyTo(own);
            _shown = own;
        }
    }
}
