using System.Text;

namespace Saltern.Tokenization;

/// <summary>How pre-tokens become ids.</summary>
internal enum TokenModel
{
    /// <summary>Byte pair encoding over bytes, spelled in the byte alphabet.</summary>
    ByteLevelBpe,

    /// <summary>Byte pair encoding over characters (SentencePiece).</summary>
    CharacterBpe,

    /// <summary>The most probable pieces (SentencePiece).</summary>
    Unigram,
}

/// <summary>One entry of the vocabulary.</summary>
/// <param name="Bytes">The bytes of text it stands for.</param>
/// <param name="IsLiteral">Whether the file spells it as plain text rather than in the byte alphabet: added tokens and entries no merge can make.</param>
internal readonly record struct VocabularyEntry(byte[] Bytes, bool IsLiteral)
{
    /// <summary>The file's own spelling where it is neither of the two: signs for blanks, names of bytes; else null.</summary>
    public string? Written { get; init; }

    /// <summary>The entry as tokenizer.json spells it.</summary>
    public string Spelling
    {
        get
        {
            if (Written is not null)
            {
                return Written;
            }

            return IsLiteral ? Encoding.UTF8.GetString(Bytes) : ByteAlphabet.Spell(Bytes);
        }
    }
}

/// <summary>Everything that decides ids, and the way back to text: what a tokenizer.json says once it is understood.</summary>
internal sealed record TokenizerDefinition
{
    /// <summary>How pre-tokens become ids.</summary>
    public TokenModel Model { get; init; }

    /// <summary>Entries by id; null where a file leaves an id unused.</summary>
    public required IReadOnlyList<VocabularyEntry?> Tokens { get; init; }

    /// <summary>Merge rules by rank; none for a Unigram.</summary>
    public required IReadOnlyList<Merge> Merges { get; init; }

    /// <summary>Scores of a Unigram's entries by id, natural logarithms of probabilities; empty for BPE.</summary>
    public IReadOnlyList<double> Scores { get; init; } = [];

    /// <summary>Added tokens by id.</summary>
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>What rewrites text first, step by step.</summary>
    public IReadOnlyList<TextNormalizer> Normalizers { get; init; } = [];

    /// <summary>How text is cut before it is encoded.</summary>
    public required PreTokenizer PreTokenizer { get; init; }

    /// <summary>Whether a pre-token that is an entry as a whole becomes it without merging (Llama 3).</summary>
    public bool IgnoresMergesOfWholeWords { get; init; }

    /// <summary>What becomes of text without an entry.</summary>
    public UnknownToken Unknown { get; init; }

    /// <summary>Whether characters without an entry become the entries of their bytes, &lt;0x00&gt; to &lt;0xFF&gt;.</summary>
    public bool FallsBackToBytes { get; init; }

    /// <summary>How entries that are spelled as text become text again.</summary>
    public TokenDecoder Decoder { get; init; } = TokenDecoder.Plain;

    /// <summary>Ids that the file puts before each text; empty for none.</summary>
    public IReadOnlyList<int> BeforeText { get; init; } = [];

    /// <summary>Ids that the file puts behind each text: nothing, or the end of text, which a document gets anyway.</summary>
    public IReadOnlyList<int> BehindText { get; init; } = [];

    /// <summary>The file that all this was read from, which <see cref="BpeTokenizer.Save"/> writes again; null for a trained tokenizer.</summary>
    public byte[]? Source { get; init; }

    /// <summary>Ids of the 256 single bytes of a byte-level vocabulary; −1 for those without an entry.</summary>
    public int[] SingleByteIds()
    {
        var ids = new int[256];
        Array.Fill(ids, -1);
        for (var id = 0; id < Tokens.Count; id++)
        {
            if (Tokens[id] is { Spelling: [_] spelling } && ByteAlphabet.Read(spelling) is [var value])
            {
                ids[value] = id;
            }
        }

        return ids;
    }

    /// <summary>Ids of the entries &lt;0x00&gt; to &lt;0xFF&gt;, −1 for those that are missing; null where they are not used.</summary>
    public int[]? FallbackIds()
    {
        if (!FallsBackToBytes)
        {
            return null;
        }

        var ids = new int[256];
        Array.Fill(ids, -1);
        for (var id = 0; id < Tokens.Count; id++)
        {
            if (Tokens[id] is { Spelling: var spelling } && TokenDecoder.ByteOf(spelling) is { } value)
            {
                ids[value] = id;
            }
        }

        return ids;
    }
}
