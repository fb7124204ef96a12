namespace Saltern.Tokenization;

/// <summary>Builds what encoding needs from a definition, once for all threads.</summary>
internal static class EncoderTables
{
    /// <summary>Builds the tables.</summary>
    /// <param name="specialIds">Tokens that no text becomes: special ones are found as added tokens or not at all.</param>
    /// <returns>Makes an encoder over the tables, for one thread.</returns>
    public static Func<WordEncoder> Build(TokenizerDefinition definition, HashSet<int> specialIds)
    {
        if (definition.Model == TokenModel.Unigram)
        {
            return Unigram(definition, specialIds);
        }

        var merges = new MergeTable([.. definition.Merges.Where(merge => !specialIds.Contains(merge.Result))]);
        var (wholeWords, wholeWordIds) = WholeWords(definition, specialIds);
        if (definition.Model == TokenModel.ByteLevelBpe)
        {
            var bytes = new ByteSymbols(definition.SingleByteIds(), definition.Unknown);
            return () => new MergingEncoder(merges, bytes, wholeWords, wholeWordIds);
        }

        return Characters(definition, specialIds, merges, wholeWords, wholeWordIds);
    }

    private static Func<WordEncoder> Characters(
        TokenizerDefinition definition,
        HashSet<int> specialIds,
        MergeTable merges,
        ByteWordIndex? wholeWords,
        int[] wholeWordIds
    )
    {
        var byteIds = definition.FallbackIds();
        var symbols = new CharacterSymbols(
            definition
                .Tokens.Index()
                .Where(entry => entry.Item is { } && !specialIds.Contains(entry.Index))
                .Select(entry => (entry.Item!.Value.Spelling, entry.Index)),
            byteIds,
            definition.Unknown
        );
        HashSet<int> unspelled = [.. (byteIds ?? []).Where(id => id >= 0)];
        if (definition.Unknown.Id is { } unknown)
        {
            unspelled.Add(unknown);
        }

        var boundaries = new MergeBoundaries(
            [.. definition.Tokens.Select(token => token?.Spelling)],
            definition.Merges,
            unspelled.Contains
        );
        return () =>
            new CharacterEncoder(
                new MergingEncoder(merges, symbols, null, []),
                symbols,
                boundaries,
                wholeWords,
                wholeWordIds
            );
    }

    private static Func<WordEncoder> Unigram(TokenizerDefinition definition, HashSet<int> specialIds)
    {
        var pieces = new (string, double)?[definition.Scores.Count];
        for (var id = 0; id < pieces.Length; id++)
        {
            if (!specialIds.Contains(id))
            {
                pieces[id] = (definition.Tokens[id]!.Value.Spelling, definition.Scores[id]);
            }
        }

        var table = new UnigramTable(
            pieces,
            definition.Scores.Min(),
            definition.Unknown.Id!.Value,
            definition.FallbackIds()
        );
        return () => new UnigramEncoder(table);
    }

    private static (ByteWordIndex? Words, int[] Ids) WholeWords(TokenizerDefinition definition, HashSet<int> specialIds)
    {
        if (!definition.IgnoresMergesOfWholeWords)
        {
            return (null, []);
        }

        var words = new ByteWordIndex();
        var ids = new List<int>();
        for (var id = 0; id < definition.Tokens.Count; id++)
        {
            if (definition.Tokens[id] is { IsLiteral: false } token && !specialIds.Contains(id))
            {
                var text = token.Written is { } spelling ? System.Text.Encoding.UTF8.GetBytes(spelling) : token.Bytes;
                if (words.Add(text) == ids.Count)
                {
                    ids.Add(id);
                }
            }
        }

        return (words, [.. ids]);
    }
}
