using System.Globalization;
using Saltern.Tokenization;

namespace Saltern.Batches;

/// <summary>The tokens that stand for spans taken out of a text: <c>&lt;extra_id_0&gt;</c>, <c>&lt;extra_id_1&gt;</c>, … as T5 names them.</summary>
internal static class SentinelTokens
{
    /// <summary>Name of a sentinel.</summary>
    public static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"<extra_id_{number}>");

    /// <summary>Ids of a tokenizer's sentinels in order, up to the first that it lacks.</summary>
    /// <param name="most">How many are wanted.</param>
    public static IReadOnlyList<int> Find(BpeTokenizer tokenizer, int most) =>
        [
            .. Enumerable
                .Range(0, most)
                .Select(number => tokenizer.SpecialTokenId(Name(number)))
                .TakeWhile(id => id is not null)
                .Select(id => id!.Value),
        ];
}
