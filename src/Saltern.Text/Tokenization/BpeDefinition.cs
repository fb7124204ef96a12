using System.Text;
using System.Text.Json.Nodes;

namespace Saltern.Tokenization;

/// <summary>One entry of the vocabulary.</summary>
/// <param name="Bytes">The bytes of text it stands for.</param>
/// <param name="IsLiteral">Whether the file spells it as plain text rather than in the byte alphabet: added tokens and entries no merge can make.</param>
internal readonly record struct BpeToken(byte[] Bytes, bool IsLiteral)
{
    /// <summary>The entry as tokenizer.json spells it.</summary>
    public string Spelling => IsLiteral ? Encoding.UTF8.GetString(Bytes) : ByteAlphabet.Spell(Bytes);
}

/// <summary>Everything that decides ids, and nothing else: what a tokenizer.json says once it is understood.</summary>
internal sealed record BpeDefinition
{
    /// <summary>Entries by id; null where a file leaves an id unused.</summary>
    public required IReadOnlyList<BpeToken?> Tokens { get; init; }

    /// <summary>Merge rules by rank.</summary>
    public required IReadOnlyList<Merge> Merges { get; init; }

    /// <summary>Added tokens by id.</summary>
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>How text is cut before merging.</summary>
    public required PreTokenizer PreTokenizer { get; init; }

    /// <summary>Whether a pre-token that is an entry as a whole becomes it without merging (Llama 3).</summary>
    public bool IgnoresMergesOfWholeWords { get; init; }

    /// <summary>Whether text is brought to Unicode's composed form (NFC) first.</summary>
    public bool ComposesText { get; init; }

    /// <summary>Ids that the file puts before each text; empty for none.</summary>
    public IReadOnlyList<int> BeforeText { get; init; } = [];

    /// <summary>Ids that the file puts behind each text: nothing, or the end of text, which a document gets anyway.</summary>
    public IReadOnlyList<int> BehindText { get; init; } = [];

    /// <summary>The file's "post_processor", kept so that <see cref="BpeTokenizer.Save"/> does not lose it.</summary>
    public JsonNode? PostProcessor { get; init; }

    /// <summary>What becomes of bytes without an entry.</summary>
    public UnknownToken Unknown { get; init; }

    /// <summary>Ids of the 256 single bytes; −1 for those without an entry.</summary>
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
}
