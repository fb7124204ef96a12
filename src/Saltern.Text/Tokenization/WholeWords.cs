using System.Text;

namespace Saltern.Tokenization;

/// <summary>Tells whether "ignore_merges" decides anything: it does where a token is not what merging makes of its own text.</summary>
internal static class WholeWords
{
    /// <summary>Whether merging makes every token of its own text, so that ids are the same with and without.</summary>
    public static bool AreMerged(TokenizerDefinition definition)
    {
        HashSet<int> special = [.. definition.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id)];
        HashSet<int> added = [.. definition.AddedTokens.Select(token => token.Id)];
        var encoder = EncoderTables.Build(definition with { IgnoresMergesOfWholeWords = false }, special)();
        var ids = new List<int>();
        foreach (var (id, token) in definition.Tokens.Index())
        {
            if (token is not { IsLiteral: false } entry || added.Contains(id) || IsByte(entry))
            {
                continue;
            }

            ids.Clear();
            encoder.Encode(entry.Written is { } spelling ? Encoding.UTF8.GetBytes(spelling) : entry.Bytes, ids);
            if (ids is not [var only] || only != id)
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsByte(VocabularyEntry entry) =>
        entry.Written is { } spelling && TokenDecoder.ByteOf(spelling) is not null;
}
