using Saltern.Guidance;

namespace Saltern.Selection;

/// <summary>What is taken of a sample's values.</summary>
public enum ScoreStatistic
{
    /// <summary>The middle one; of an even count the mean of the middle two.</summary>
    Median,

    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>The mean without the lowest and the highest fifth.</summary>
    Trimmed,
}

/// <summary>How samples are scored.</summary>
public sealed record ScoreRule
{
    /// <summary>k: a token counts where the teacher has it among its k most likely.</summary>
    public int K { get; init; } = 10;

    /// <summary>What is taken of the values.</summary>
    public ScoreStatistic Statistic { get; init; } = ScoreStatistic.Median;

    /// <summary>Whether tokens out of sight stay in as zeros; otherwise they are left out, and a sample with fewer than half in sight scores 0.</summary>
    public bool Zeros { get; init; } = true;

    /// <summary>A sample with fewer counted tokens is not scored.</summary>
    public int MinTokens { get; init; } = 32;

    /// <summary>Checks the rule against what a teacher pass stored.</summary>
    /// <exception cref="ConfigurationException">A number is out of range.</exception>
    public void Validate(int vocabulary)
    {
        if (K < 1 || (K >= CacheRecord.LowestRank && K < vocabulary))
        {
            throw new ConfigurationException(
                $"--k = {K} must be 1 to {CacheRecord.LowestRank - 1}, the ranks that a pass stores, "
                    + $"or at least the vocabulary of {vocabulary}."
            );
        }

        if (MinTokens < 1)
        {
            throw new ConfigurationException($"--min-tokens = {MinTokens} must be at least 1.");
        }
    }
}

/// <summary>A score of one's own in place of <see cref="SampleScore.Of"/>; what is chosen are the highest.</summary>
/// <param name="Name">What <c>selection.json</c> and the report call it.</param>
/// <param name="Of">Score of a sample from what a teacher pass stored of its counted tokens; null leaves the sample unscored.</param>
public sealed record OwnScore(string Name, Func<SampleLabels, double?> Of);

/// <summary>The SALT_DS score: hard, yet with the right token in the teacher's sight (docs/selection.md).</summary>
internal static class SampleScore
{
    private const double TrimmedShare = 0.2;

    /// <summary>A token's value is nll·[rank ≤ k], and of these the statistic.</summary>
    /// <param name="nll">Teacher's loss of each counted token at τ = 1.</param>
    /// <param name="rank">Its rank, 255 for more.</param>
    /// <param name="vocabulary">V: from k = V on every token is in sight.</param>
    /// <returns>Nats; null where the sample has too few tokens.</returns>
    public static double? Of(ReadOnlySpan<float> nll, ReadOnlySpan<byte> rank, ScoreRule rule, int vocabulary)
    {
        if (nll.Length < rule.MinTokens)
        {
            return null;
        }

        var values = new List<double>(nll.Length);
        int hits = 0;
        for (int i = 0; i < nll.Length; i++)
        {
            if (rule.K >= vocabulary || rank[i] <= rule.K)
            {
                hits++;
                values.Add(nll[i]);
            }
            else if (rule.Zeros)
            {
                values.Add(0);
            }
        }

        // Otherwise one lucky hard token would win.
        if (!rule.Zeros && 2 * hits < nll.Length)
        {
            return 0;
        }

        values.Sort();
        if (rule.Statistic == ScoreStatistic.Median)
        {
            return (values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2;
        }

        int cut = rule.Statistic == ScoreStatistic.Trimmed ? (int)(TrimmedShare * values.Count) : 0;
        return values.Skip(cut).Take(values.Count - (2 * cut)).Average();
    }
}
