// SentencePiece's BPE in llama.cpp: two neighbours are joined if their text is a token, the best score first, of equal ones the leftmost.
using Saltern.Tokenization;

namespace Saltern.Export;

/// <summary>Turns ranked merges into scores of tokens, where joining by scores gives the same ids.</summary>
internal static class GgufPieces
{
    /// <summary>Scores by id: the earlier a token's first rule, the higher.</summary>
    /// <exception cref="DataFormatException">Joining by scores would give other ids; the message says where.</exception>
    public static float[] Scores(TokenizerDefinition definition)
    {
        string[] spellings = [.. definition.Tokens.Select(token => token?.Spelling ?? "")];
        var ranks = new Dictionary<int, (int First, int Last)>();
        var rules = new HashSet<(int, int)>();
        foreach ((int rank, Merge merge) in definition.Merges.Index())
        {
            rules.Add((merge.Left, merge.Right));
            int first = ranks.TryGetValue(merge.Result, out (int First, int Last) known) ? known.First : rank;
            ranks[merge.Result] = (first, rank);
        }

        RequireEveryRule(definition, spellings, ranks, rules);
        int[] order = [.. ranks.OrderBy(entry => entry.Value.First).Select(entry => entry.Key)];
        float[] scores = new float[spellings.Length];
        foreach ((int place, int id) in order.Index())
        {
            scores[id] = -(place + 1);
        }

        RequireOrder(definition, spellings, ranks, order, scores);
        return scores;
    }

    // Joining by scores needs no rule: every pair whose text is a token must have one.
    private static void RequireEveryRule(
        TokenizerDefinition definition,
        string[] spellings,
        Dictionary<int, (int First, int Last)> ranks,
        HashSet<(int, int)> rules
    )
    {
        HashSet<int> added = [.. definition.AddedTokens.Select(token => token.Id)];
        var made = new Dictionary<string, int>();
        foreach ((int id, string spelling) in spellings.Index())
        {
            if (spelling.Length > 0 && (ranks.ContainsKey(id) || spelling.EnumerateRunes().Count() == 1))
            {
                made[spelling] = id;
            }
        }

        foreach ((int id, string spelling) in spellings.Index())
        {
            // Added tokens are found before anything is joined; those of bytes are spelled by no text.
            if (added.Contains(id) || TokenDecoder.ByteOf(spelling) is not null)
            {
                continue;
            }

            for (int i = 1; i < spelling.Length; i++)
            {
                if (
                    made.TryGetValue(spelling[..i], out int left)
                    && made.TryGetValue(spelling[i..], out int right)
                    && !rules.Contains((left, right))
                )
                {
                    throw new DataFormatException(
                        $"llama.cpp would join '{spellings[left]}' and '{spellings[right]}' to '{spelling}', "
                            + "for which the tokenizer has no rule: its token ids would differ. Export as hf."
                    );
                }
            }
        }
    }

    // Rules of one token that lie apart have no score between them. Runs of one character are so in published files, and come out alike all the same.
    private static void RequireOrder(
        TokenizerDefinition definition,
        string[] spellings,
        Dictionary<int, (int First, int Last)> ranks,
        int[] order,
        float[] scores
    )
    {
        var runs = new Dictionary<char, int>();
        int last = -1;
        int lastId = -1;
        foreach (int id in order)
        {
            if (ranks[id].First < last)
            {
                foreach (string spelling in (string[])[spellings[id], spellings[lastId]])
                {
                    if (spelling.AsSpan().ContainsAnyExcept(spelling[0]))
                    {
                        throw new DataFormatException(
                            $"The rules for '{spellings[id]}' come between those for '{spellings[lastId]}', "
                                + "and llama.cpp has one score for each token: its token ids would differ. Export as hf."
                        );
                    }

                    runs[spelling[0]] = Math.Max(runs.GetValueOrDefault(spelling[0]), spelling.Length);
                }
            }

            if (ranks[id].Last > last)
            {
                (last, lastId) = (ranks[id].Last, id);
            }
        }

        foreach ((char character, int longest) in runs)
        {
            RequireSameRuns(definition, spellings, scores, character, 3 * longest);
        }
    }

    private static void RequireSameRuns(
        TokenizerDefinition definition,
        string[] spellings,
        float[] scores,
        char character,
        int longest
    )
    {
        Dictionary<(int, int), (int Rank, int Result)> rules = [];
        foreach ((int rank, Merge merge) in definition.Merges.Index())
        {
            if (!spellings[merge.Result].AsSpan().ContainsAnyExcept(character))
            {
                rules[(merge.Left, merge.Right)] = (rank, merge.Result);
            }
        }

        int single = Array.IndexOf(spellings, character.ToString());
        for (int length = 2; length <= longest; length++)
        {
            int[] byRank = Joined(
                single,
                length,
                pair => rules.TryGetValue(pair, out var rule) ? (rule.Rank, rule.Result) : null
            );
            int[] byScore = Joined(
                single,
                length,
                pair => rules.TryGetValue(pair, out var rule) ? (-scores[rule.Result], rule.Result) : null
            );
            if (!byRank.SequenceEqual(byScore))
            {
                throw new DataFormatException(
                    $"llama.cpp would join {length} times '{character}' otherwise than the tokenizer: "
                        + "its token ids would differ. Export as hf."
                );
            }
        }
    }

    private static int[] Joined(int single, int length, Func<(int, int), (float Order, int Result)?> rule)
    {
        List<int> ids = [.. Enumerable.Repeat(single, length)];
        while (true)
        {
            int best = -1;
            (float Order, int Result)? chosen = null;
            for (int i = 0; i + 1 < ids.Count; i++)
            {
                if (
                    rule((ids[i], ids[i + 1])) is { } candidate
                    && (chosen is null || candidate.Order < chosen.Value.Order)
                )
                {
                    (best, chosen) = (i, candidate);
                }
            }

            if (chosen is not { } join)
            {
                return [.. ids];
            }

            ids[best] = join.Result;
            ids.RemoveAt(best + 1);
        }
    }
}
