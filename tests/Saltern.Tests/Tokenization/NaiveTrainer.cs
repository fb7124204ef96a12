using System.Text;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

/// <summary>BPE training by its definition: count all pairs, merge the best, count again.</summary>
internal static class NaiveTrainer
{
    /// <summary>The pairs merged, in order; ids are those of <see cref="BpeTrainer"/>. For text without code points beyond U+FFFF.</summary>
    public static List<(int Left, int Right)> Train(IEnumerable<string> documents, SplitPattern pattern, int mergeCount)
    {
        var regex = new System.Text.RegularExpressions.Regex(SplitPatterns.Regex(pattern));
        var words = documents
            .SelectMany(document => regex.Matches(document).Select(match => match.Value))
            .Select(word => Encoding.UTF8.GetBytes(word).Select(b => (int)b).ToList())
            .ToList();
        var merges = new List<(int, int)>();
        var spellings = Enumerable.Range(0, 256).Select(b => $"{b:X2}").ToList();
        while (merges.Count < mergeCount)
        {
            var counts = new Dictionary<(int Left, int Right), int>();
            foreach (var pair in words.SelectMany(word => word.Zip(word.Skip(1))))
            {
                counts[pair] = counts.GetValueOrDefault(pair) + 1;
            }

            var best = counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).FirstOrDefault();
            if (best.Value < 2)
            {
                break;
            }

            spellings.Add(spellings[best.Key.Left] + spellings[best.Key.Right]);
            Assert.Equal(spellings.Count, spellings.Distinct().Count()); // the case of two rules for one spelling is not modelled here
            merges.Add(best.Key);
            foreach (var word in words)
            {
                for (var i = 0; i + 1 < word.Count; i++)
                {
                    if ((word[i], word[i + 1]) == best.Key)
                    {
                        word[i] = spellings.Count - 1;
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }

        return merges;
    }
}
