using Saltern.Tokenization;

namespace Saltern.ModelFiles;

/// <summary>The tokens at which a model stops writing: chat models end a reply with another one than a document.</summary>
/// <remarks>Published models name them in several files, which do not always agree. All of them count: a token that any of the files calls an end was trained as one.</remarks>
internal static class EndTokens
{
    /// <summary>The end tokens of a model folder: what <c>generation_config.json</c>, <c>config.json</c>, <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c> name, as far as they are there.</summary>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <returns>Ids, each once; the first is the one that ends a document. Ids that the tokenizer does not have are left out.</returns>
    /// <exception cref="DataFormatException">One of the files is damaged.</exception>
    public static IReadOnlyList<int> Of(string folder, BpeTokenizer tokenizer) =>
        [
            .. new EndTokenFiles(folder)
                .Ids(tokenizer.Definition.AddedTokens)
                .Where(id => id >= 0 && id < tokenizer.VocabularySize)
                .Prepend(tokenizer.EndOfTextId)
                .Distinct(),
        ];

    /// <summary>Whether they need a file of their own: <c>tokenizer.json</c> alone tells its usual end of text.</summary>
    /// <param name="ids">As <see cref="Of"/> gives them.</param>
    public static bool NeedFile(IReadOnlyList<int> ids, BpeTokenizer tokenizer) =>
        ids.Count > 1 || !tokenizer.NamesItsEnd;

    /// <summary>Writes them beside a model.</summary>
    /// <param name="ids">As <see cref="Of"/> gives them; null writes nothing.</param>
    public static void Write(string folder, IReadOnlyList<int>? ids)
    {
        if (ids is { Count: > 0 })
        {
            new EndTokenFiles(folder).WriteGeneration(ids);
        }
    }
}
