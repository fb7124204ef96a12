using System.Buffers;
using System.Globalization;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>One id for each character, of a vocabulary that is spelled as text (SentencePiece); bytes, or the unknown token, for characters that it lacks.</summary>
internal sealed class CharacterSymbols : InitialSymbols
{
    private readonly int[] _basicPlane = new int[0x10000];
    private readonly Dictionary<int, int> _beyond = [];
    private readonly int[]? _byteIds;
    private readonly UnknownToken _unknown;

    /// <summary>Prepares the search.</summary>
    /// <param name="ids">The vocabulary.</param>
    /// <param name="byteIds">Ids of the tokens for single bytes, −1 for those that are missing; null where none may be used.</param>
    public CharacterSymbols(IEnumerable<(string Spelling, int Id)> ids, int[]? byteIds, UnknownToken unknown)
    {
        (_byteIds, _unknown) = (byteIds, unknown);
        Array.Fill(_basicPlane, -1);
        foreach (var (spelling, id) in ids)
        {
            if (Rune.DecodeFromUtf16(spelling, out var rune, out var length) != OperationStatus.Done)
            {
                continue;
            }

            if (length == spelling.Length && rune.IsBmp)
            {
                _basicPlane[rune.Value] = id;
            }
            else if (length == spelling.Length)
            {
                _beyond[rune.Value] = id;
            }
        }
    }

    /// <summary>Name of the token for a byte.</summary>
    public static string ByteName(byte value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");

    /// <summary>The character that a text begins with.</summary>
    /// <param name="rune">Its number; −1 for a byte that is no UTF-8.</param>
    /// <param name="length">Bytes that it takes.</param>
    /// <returns>Its id; −1 where the vocabulary lacks it.</returns>
    public int Read(ReadOnlySpan<byte> text, out int rune, out int length)
    {
        if (Rune.DecodeFromUtf8(text, out var decoded, out length) != OperationStatus.Done)
        {
            (rune, length) = (-1, 1);
            return -1;
        }

        rune = decoded.Value;
        return decoded.IsBmp ? _basicPlane[rune] : _beyond.GetValueOrDefault(rune, -1);
    }

    /// <inheritdoc/>
    public override int Read(ReadOnlySpan<byte> word, Span<int> ids, out int uncovered)
    {
        uncovered = 0;
        var count = 0;

        // The library adds the unknown token where the next character is known: behind bytes that come between.
        var isUnknownPending = false;
        while (!word.IsEmpty)
        {
            var id = Read(word, out _, out var length);
            var character = word[..length];
            word = word[length..];
            if (id >= 0)
            {
                Flush(ids);
                ids[count++] = id;
            }
            else if (HasBytes(character))
            {
                foreach (var value in character)
                {
                    ids[count++] = _byteIds![value];
                }
            }
            else
            {
                uncovered += length;
                if (!_unknown.Fuses)
                {
                    Flush(ids);
                }

                isUnknownPending = _unknown.Id is not null;
            }
        }

        Flush(ids);
        return count;

        void Flush(Span<int> ids)
        {
            if (isUnknownPending)
            {
                ids[count++] = _unknown.Id!.Value;
                isUnknownPending = false;
            }
        }
    }

    private bool HasBytes(ReadOnlySpan<byte> character)
    {
        foreach (var value in character)
        {
            if (_byteIds is null || _byteIds[value] < 0)
            {
                return false;
            }
        }

        return true;
    }
}
