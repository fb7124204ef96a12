namespace Saltern.Batches;

/// <summary>How many tokens span corruption takes of a sample, and in how many spans (docs/objectives.md).</summary>
/// <param name="Length">len: tokens of text that fit with their sentinels into T + 1.</param>
/// <param name="Corrupted">cut: how many of them that are taken out.</param>
/// <param name="Spans">spans: how many they form.</param>
internal readonly record struct SpanPlan(int Length, int Corrupted, int Spans)
{
    /// <summary>Tokens of the corrupted text with its sentinels: the free prefix.</summary>
    public int PrefixTokens => Length - Corrupted + Spans;

    /// <summary>Tokens of the whole stream: corrupted text, then each sentinel with its span, then end-of-text.</summary>
    public int StreamTokens => Length + (2 * Spans) + 1;

    /// <summary>The longest text that fits: cut = ⌊density·len + ½⌋, spans = max(1, ⌊cut/mean + ½⌋), len + 2·spans + 1 ≤ T + 1.</summary>
    /// <param name="density">Share that is taken out.</param>
    /// <param name="meanLength">Mean length of a span.</param>
    public static SpanPlan Of(int sequenceLength, double density, double meanLength)
    {
        SpanPlan plan = default;
        for (int length = 2; length <= sequenceLength; length++)
        {
            int corrupted = Math.Clamp((int)Math.Floor((density * length) + 0.5), 1, length - 1);

            // Both kinds of tokens are split into as many parts as spans, which are not empty.
            int spans = Math.Clamp(
                (int)Math.Floor((corrupted / meanLength) + 0.5),
                1,
                Math.Min(corrupted, length - corrupted)
            );
            var tried = new SpanPlan(length, corrupted, spans);
            plan = tried.StreamTokens <= sequenceLength + 1 ? tried : plan;
        }

        return plan;
    }
}

/// <summary>Turns text into the decoder-only form of span corruption: text with sentinels for its spans, then each sentinel with what it stands for (T5, UL2).</summary>
/// <param name="plan">How many tokens and spans.</param>
/// <param name="sentinels">Ids of the sentinels, at least as many as spans.</param>
internal sealed class SpanCorruption(SpanPlan plan, IReadOnlyList<int> sentinels, int endOfText)
{
    /// <summary>How many tokens and spans.</summary>
    public SpanPlan Plan { get; } = plan;

    /// <summary>Writes the stream of one sample.</summary>
    /// <param name="text">At least <see cref="SpanPlan.Length"/> tokens.</param>
    public void Corrupt(ReadOnlySpan<long> text, ref SampleRandom random, Span<long> stream)
    {
        (int length, int corrupted, int spans) = Plan;
        int[] kept = Split(length - corrupted, spans, ref random);
        int[] taken = Split(corrupted, spans, ref random);
        int read = 0;
        int prefix = 0;
        int target = Plan.PrefixTokens;
        for (int span = 0; span < spans; span++)
        {
            // Parts alternate, kept text first.
            text.Slice(read, kept[span]).CopyTo(stream[prefix..]);
            read += kept[span];
            prefix += kept[span];
            stream[prefix++] = stream[target++] = sentinels[span];
            text.Slice(read, taken[span]).CopyTo(stream[target..]);
            read += taken[span];
            target += taken[span];
        }

        stream[target] = endOfText;
    }

    // Uniform among all ways to write total as a sum of positive parts: parts − 1 of the total − 1 places between tokens, each set of them alike.
    private static int[] Split(int total, int parts, ref SampleRandom random)
    {
        var cuts = new SortedSet<int>();
        for (int place = total - parts + 1; place < total; place++)
        {
            // Floyd's algorithm for a uniform subset.
            int candidate = 1 + random.NextBelow(place);
            if (!cuts.Add(candidate))
            {
                cuts.Add(place);
            }
        }

        int[] ends = [.. cuts, total];
        return [.. ends.Select((end, i) => end - (i == 0 ? 0 : ends[i - 1]))];
    }
}
