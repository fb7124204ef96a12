using System.Text;

namespace Saltern.Tokenization;

/// <summary>A text that comes token by token: ends at stop texts, and hands out what is sure to belong to it.</summary>
/// <remarks>A stop text may come in pieces, and a character in several tokens: both are held back until they are decided.</remarks>
/// <param name="stops">Texts that end it, and do not belong to it.</param>
internal sealed class StreamedText(IReadOnlyList<string> stops)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly StringBuilder _text = new();
    private readonly int _longestStop = stops.Count == 0 ? 0 : stops.Max(stop => stop.Length);
    private int _taken;

    /// <summary>All of it so far.</summary>
    public string Text => _text.ToString();

    /// <summary>Whether a stop text has ended it.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Adds a token's bytes, and cuts the text at a stop text.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Decode(bytes, flush: false);
        if (StopAt() is int end)
        {
            _text.Length = end;
            IsStopped = true;
        }
    }

    /// <summary>No token follows: what is left of an unfinished character becomes the sign for one that cannot be shown.</summary>
    public void End() => Decode([], flush: true);

    /// <summary>What has not been taken yet: all that no stop text can reach any more.</summary>
    /// <param name="all">Whether the text is over, so that nothing is held back.</param>
    public string Take(bool all)
    {
        int until = _text.Length;
        if (!all && !IsStopped)
        {
            until -= HeldBack();
        }

        string piece = _text.ToString(_taken, Math.Max(0, until - _taken));
        _taken += piece.Length;
        return piece;
    }

    private void Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        char[] characters = new char[bytes.Length + 4];
        _text.Append(characters, 0, _decoder.GetChars(bytes, characters, flush));
    }

    // Where the first stop text begins; null where there is none. Only what was held back or is new can hold one.
    private int? StopAt()
    {
        if (_longestStop == 0)
        {
            return null;
        }

        string text = _text.ToString(_taken, _text.Length - _taken);
        int[] found = [.. stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(at => at >= 0)];
        if (found.Length == 0)
        {
            return null;
        }

        return _taken + found.Min();
    }

    // Characters at the end that may be the beginning of a stop text.
    private int HeldBack()
    {
        string end = _text.ToString(_taken, _text.Length - _taken);
        for (int length = Math.Min(end.Length, _longestStop - 1); length > 0; length--)
        {
            if (stops.Any(stop => stop.StartsWith(end[^length..], StringComparison.Ordinal)))
            {
                return length;
            }
        }

        return 0;
    }
}
