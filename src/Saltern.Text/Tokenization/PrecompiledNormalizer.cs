using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>"Precompiled": SentencePiece's table of replacements ("charsmap"), applied as Hugging Face's library does it.</summary>
/// <remarks>
/// The table is a double array (the darts-clone library's form) whose keys are replaced by texts that end in a zero byte. A grapheme of less than six bytes is
/// replaced as a whole by what its shortest key stands for; all others, and those without a key, character by character.
/// </remarks>
internal sealed class PrecompiledNormalizer : TextNormalizer
{
    /// <summary>Longer graphemes are looked up character by character.</summary>
    private const int LongestGrapheme = 5;

    private readonly uint[] _units;
    private readonly byte[] _texts;

    // What ASCII characters become; null where they stay.
    private readonly byte[]?[] _ascii = new byte[]?[128];

    /// <summary>Reads the table.</summary>
    /// <param name="table">Length of the double array in bytes (uint32), the array, the texts.</param>
    /// <exception cref="ArgumentException">The table is cut or lies about its length.</exception>
    public PrecompiledNormalizer(ReadOnlySpan<byte> table)
    {
        if (table.Length < sizeof(uint))
        {
            throw new ArgumentException($"it has {table.Length} bytes", nameof(table));
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(table);
        if (length % sizeof(uint) != 0 || length == 0 || length > table.Length - sizeof(uint))
        {
            throw new ArgumentException(
                $"its array of {length} bytes does not fit into {table.Length} bytes",
                nameof(table)
            );
        }

        _units = new uint[length / sizeof(uint)];
        for (var i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(table[(sizeof(uint) * (i + 1))..]);
        }

        _texts = table[(sizeof(uint) + (int)length)..].ToArray();
        Identity = $"Precompiled {Convert.ToHexStringLower(SHA256.HashData(table))}";
        Span<byte> character = stackalloc byte[1];
        for (var i = 1; i < _ascii.Length; i++)
        {
            character[0] = (byte)i;
            if (TryFind(character, out var text))
            {
                _ascii[i] = _texts[text];
            }
        }
    }

    /// <inheritdoc/>
    public override string Identity { get; }

    /// <inheritdoc/>
    public override byte[]? Normalize(ReadOnlySpan<byte> text, ref PiecePosition position)
    {
        ArrayBufferWriter<byte>? output = null;
        var from = 0;
        var at = 0;
        while (at < text.Length)
        {
            var length = GraphemeLength(text[at..]);
            var grapheme = text.Slice(at, length);
            if (length == 1 && text[at] < _ascii.Length)
            {
                if (_ascii[text[at]] is { } ascii)
                {
                    Replace(text, at, 1, ascii);
                }
            }
            else if (length <= LongestGrapheme && TryFind(grapheme, out var whole))
            {
                Replace(text, at, length, _texts[whole]);
            }
            else
            {
                var i = 0;
                while (i < length)
                {
                    _ = Rune.DecodeFromUtf8(grapheme[i..], out _, out var characterLength);
                    if (TryFind(grapheme.Slice(i, characterLength), out var part))
                    {
                        Replace(text, at + i, characterLength, _texts[part]);
                    }

                    i += characterLength;
                }
            }

            at += length;
        }

        output?.Write(text[from..]);
        return output?.WrittenSpan.ToArray();

        // Where the first character vanishes, the library takes the next one for it.
        void Replace(ReadOnlySpan<byte> text, int start, int length, ReadOnlySpan<byte> content)
        {
            output ??= new ArrayBufferWriter<byte>(text.Length + 16);
            output.Write(text[from..start]);
            output.Write(content);
            from = start + length;
        }
    }

    // An extended grapheme cluster, in bytes; of what is no UTF-8, one byte.
    private static int GraphemeLength(ReadOnlySpan<byte> text)
    {
        // Between two ASCII characters there is always a boundary, but for CR LF.
        if (text[0] < 0x80 && text[0] != '\r' && (text.Length == 1 || text[1] < 0x80))
        {
            return 1;
        }

        for (var most = 16; ; most *= 2)
        {
            var units = new char[2 * most];
            var (bytes, count) = (0, 0);
            for (var i = 0; i < most && bytes < text.Length; i++)
            {
                if (Rune.DecodeFromUtf8(text[bytes..], out var rune, out var length) != OperationStatus.Done)
                {
                    // One byte that is no UTF-8 stands alone; behind other characters it ends them.
                    most = int.MaxValue;
                    break;
                }

                count += rune.EncodeToUtf16(units.AsSpan(count));
                bytes += length;
            }

            if (count == 0)
            {
                return 1;
            }

            var cluster = StringInfo.GetNextTextElementLength(units.AsSpan(0, count));
            if (cluster < count || bytes == text.Length || most == int.MaxValue)
            {
                return Encoding.UTF8.GetByteCount(units.AsSpan(0, cluster));
            }
        }
    }

    /// <summary>Finds the shortest key that the text begins with.</summary>
    private bool TryFind(ReadOnlySpan<byte> key, out Range text)
    {
        text = default;
        var unit = _units[0];
        var node = Offset(unit);
        foreach (var value in key)
        {
            if (value == 0)
            {
                return false;
            }

            node ^= value;
            if (node >= _units.Length)
            {
                return false;
            }

            unit = _units[node];
            if ((unit & (0x80000000 | 0xFF)) != value)
            {
                return false;
            }

            node ^= Offset(unit);
            if (((unit >> 8) & 1) == 1)
            {
                return TryReadText(node, out text);
            }
        }

        return false;
    }

    private bool TryReadText(uint node, out Range text)
    {
        text = default;
        if (node >= _units.Length)
        {
            return false;
        }

        var start = (int)(_units[node] & 0x7FFFFFFF);
        if (start > _texts.Length)
        {
            return false;
        }

        var length = _texts.AsSpan(start).IndexOf((byte)0);
        text = start..(length < 0 ? _texts.Length : start + length);
        return true;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);
}
