using System.Text;

namespace Saltern.Tokenization;

/// <summary>Where a "Metaspace" puts its sign in front, under the names of tokenizer.json.</summary>
internal enum PrependScheme
{
    /// <summary>Before the first piece of a text alone.</summary>
    First,

    /// <summary>Before every piece.</summary>
    Always,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary>SentencePiece's way with blanks ("Metaspace"): a sign for each, one more in front, and a cut before each where wanted.</summary>
/// <param name="Replacement">The sign, one character, "▁" in every file known.</param>
/// <param name="Splits">Whether each sign begins a pre-token.</param>
internal sealed record MetaspaceRule(string Replacement, PrependScheme Scheme, bool Splits)
{
    private readonly byte[] _sign = Encoding.UTF8.GetBytes(Replacement);

    /// <summary>A text that two rules share exactly if they work alike.</summary>
    public string Identity => $"Metaspace {Replacement} {Scheme} {Splits}";

    /// <summary>The text with signs for blanks.</summary>
    public ReadOnlySpan<byte> Apply(ReadOnlySpan<byte> text, PiecePosition position)
    {
        var blanks = text.Count((byte)' ');
        var prepends = Prepends(position) && !(text.StartsWith(_sign) || text[0] == ' ');
        if (blanks == 0 && !prepends)
        {
            return text;
        }

        var output = new byte[text.Length + (blanks * (_sign.Length - 1)) + (prepends ? _sign.Length : 0)];
        var at = 0;
        if (prepends)
        {
            _sign.CopyTo(output, 0);
            at = _sign.Length;
        }

        foreach (var value in text)
        {
            if (value == ' ')
            {
                _sign.CopyTo(output, at);
                at += _sign.Length;
            }
            else
            {
                output[at++] = value;
            }
        }

        return output;
    }

    /// <summary>Length in bytes of the first pre-token of a text: up to the second sign.</summary>
    public int Next(ReadOnlySpan<byte> text)
    {
        if (!Splits || text.Length <= 1)
        {
            return text.Length;
        }

        var next = text[1..].IndexOf(_sign);
        return next < 0 ? text.Length : next + 1;
    }

    private bool Prepends(PiecePosition position) =>
        Scheme switch
        {
            PrependScheme.First => position == PiecePosition.Start,
            PrependScheme.Always => position != PiecePosition.Continuation,
            _ => false,
        };
}
