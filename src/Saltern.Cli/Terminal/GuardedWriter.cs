using System.Text;

namespace Saltern.Cli.Terminal;

/// <summary>A standard stream that may be lost: a full disk behind it, a closed terminal, a reader that has gone. The work does not end with it.</summary>
/// <param name="name">What messages call it.</param>
/// <param name="stream">Where the words go.</param>
/// <param name="encoding">Of the terminal.</param>
/// <param name="closed">Whether it was closed when the program began.</param>
internal sealed class GuardedWriter(string name, Stream stream, Encoding encoding, bool closed) : TextWriter
{
    private readonly Lock _gate = new();
    private string? _problem = closed ? "it was closed when the program began" : null;
    private bool _hasTold;

    /// <summary>Told once, with the first words that were lost: why.</summary>
    public Action<GuardedWriter, string>? Lost { get; set; }

    /// <summary>Told of every word that was lost.</summary>
    public Action<string>? Unsaid { get; set; }

    /// <summary>What messages call it.</summary>
    public string Name => name;

    /// <summary>Whether words were lost.</summary>
    public bool IsLost => _hasTold;

    /// <summary>Whether it is known to take no words.</summary>
    public bool IsBroken => _problem is not null;

    /// <summary>Whether they were because their reader did not want more of them.</summary>
    public bool HasNoReader { get; private set; }

    /// <inheritdoc/>
    public override Encoding Encoding => encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Write([value]);

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Write(value.AsSpan());

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Write((value + Environment.NewLine).AsSpan());

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<char> buffer)
    {
        if (buffer.IsEmpty)
        {
            return;
        }

        lock (_gate)
        {
            if (_problem is null)
            {
                try
                {
                    byte[] bytes = new byte[encoding.GetByteCount(buffer)];
                    encoding.GetBytes(buffer, bytes);
                    stream.Write(bytes);
                    return;
                }
                catch (IOException e)
                {
                    HasNoReader = e.HResult == DescriptorStream.BrokenPipe;
                    _problem = e.Message;
                }
            }

            if (!_hasTold)
            {
                _hasTold = true;
                Lost?.Invoke(this, _problem);
            }

            Unsaid?.Invoke(new string(buffer));
        }
    }
}
