using System.Globalization;
using System.Text.Json;
using Saltern.Batches;
using Saltern.Tokenization;

namespace Saltern.Evaluation;

/// <summary>Stretches of random tokens, none of them twice in one stretch: no text announces what comes next, so only who copies is right.</summary>
internal static class InductionItems
{
    private const int UsualItems = 64;
    private const int UsualTokens = 64;

    /// <summary>Draws the items of a task: a function of its seed, the vocabulary and the item's place.</summary>
    /// <param name="limit">Most items, from the first on; null for all.</param>
    /// <exception cref="ConfigurationException">The vocabulary has fewer tokens of text than a stretch wants.</exception>
    public static IReadOnlyList<TaskItem> Draw(TaskDefinition definition, BpeTokenizer tokenizer, int? limit)
    {
        int[] text = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(id => tokenizer.ByteLength(id) > 0)];
        int length = definition.StretchTokens ?? UsualTokens;
        if (text.Length < length)
        {
            throw new ConfigurationException(
                $"{definition.Task} draws stretches of {length} different tokens, and the tokenizer has {text.Length} "
                    + "tokens of text. Give the task file a smaller stretch_tokens."
            );
        }

        int items = Math.Min(definition.Items ?? UsualItems, limit ?? int.MaxValue);
        return [.. Enumerable.Range(0, items).Select(item => Item(Stretch(text, length, definition.Seed, item), item))];
    }

    private static TaskItem Item(int[] stretch, int index) =>
        new()
        {
            Id = index.ToString(CultureInfo.InvariantCulture),
            Index = index,
            Record = JsonSerializer.SerializeToElement(new { tokens = stretch }),
            Stretch = stretch,
        };

    private static int[] Stretch(int[] text, int length, long seed, int item)
    {
        ulong key = KeyedPermutation.Mix((ulong)seed) ^ KeyedPermutation.Mix((ulong)item + 1);
        var stretch = new List<int>(length);
        var seen = new HashSet<int>(length);
        for (ulong counter = 0; stretch.Count < length; counter++)
        {
            int id = text[KeyedPermutation.Mix(key + counter) % (ulong)text.Length];
            if (seen.Add(id))
            {
                stretch.Add(id);
            }
        }

        return [.. stretch];
    }
}
