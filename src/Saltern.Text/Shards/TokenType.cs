namespace Saltern.Shards;

/// <summary>How a token id is stored in a shard; the values are Megatron's codes.</summary>
internal enum TokenType : byte
{
    /// <summary>Four bytes, signed, little-endian.</summary>
    I32 = 4,

    /// <summary>Two bytes, unsigned, little-endian.</summary>
    U16 = 8,
}

/// <summary>Sizes, names and the choice of <see cref="TokenType"/>.</summary>
internal static class TokenTypes
{
    /// <summary>Vocabularies from this size on are stored in four bytes in shards; Megatron's own bound, a little below 2¹⁶, so that its tools choose the same type.</summary>
    public const int UInt16VocabularyLimit = 65_500;

    private const int UInt16Values = ushort.MaxValue + 1;

    /// <summary>The type that Megatron chooses for a vocabulary, and so that of shards.</summary>
    /// <param name="vocabularySize">Number of token ids.</param>
    public static TokenType ForVocabulary(int vocabularySize) =>
        vocabularySize < UInt16VocabularyLimit ? TokenType.U16 : TokenType.I32;

    /// <summary>The narrowest type that holds every id of a vocabulary, for files that no other program reads: soft labels.</summary>
    internal static TokenType NarrowestFor(int vocabularySize) =>
        vocabularySize <= UInt16Values ? TokenType.U16 : TokenType.I32;

    /// <summary>Bytes that one token takes.</summary>
    public static int Size(this TokenType type) =>
        type switch
        {
            TokenType.U16 => sizeof(ushort),
            _ => sizeof(int),
        };

    /// <summary>The name in <c>dataset.json</c>: <c>uint16</c> or <c>int32</c>.</summary>
    public static string Name(this TokenType type) =>
        type switch
        {
            TokenType.U16 => "uint16",
            _ => "int32",
        };
}
