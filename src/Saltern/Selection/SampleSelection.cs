using Saltern.Batches;
using Saltern.Guidance;

namespace Saltern.Selection;

/// <summary>A sample with its score.</summary>
/// <param name="Score">Nats; null where it has too few counted tokens.</param>
/// <param name="MeanNll">The teacher's mean loss on it, nats.</param>
internal readonly record struct ScoredSample(int Domain, long Index, double? Score, double MeanNll);

/// <summary>How many samples are chosen, and among which.</summary>
public sealed record SelectionRule
{
    /// <summary>Share of the scored samples, in (0, 1]; null where <see cref="Count"/> says how many.</summary>
    public double? Share { get; init; }

    /// <summary>Samples; null where <see cref="Share"/> says how many.</summary>
    public long? Count { get; init; }

    /// <summary>Whether the choice is made within each domain, so that the mixture stays.</summary>
    public bool BalanceDomains { get; init; }

    /// <summary>The score.</summary>
    public ScoreRule Score { get; init; } = new();

    /// <summary>Checks the rule.</summary>
    /// <exception cref="ConfigurationException">Both or none of share and count, or a number out of range.</exception>
    public void Validate(int vocabulary)
    {
        if (Share is null == Count is null)
        {
            throw new ConfigurationException("Give either --share X, a share of the scored samples, or --count M.");
        }

        if (Share is not (null or (> 0 and <= 1)) || Count is <= 0)
        {
            throw new ConfigurationException($"--share = {Share} must be in (0, 1], --count = {Count} at least 1.");
        }

        Score.Validate(vocabulary);
    }
}

/// <summary>All samples of a teacher pass with their scores, and the chosen ones.</summary>
internal sealed class SampleSelection
{
    private SampleSelection(
        IReadOnlyList<ScoredSample> samples,
        IReadOnlyList<ScoredSample> ranked,
        IReadOnlySet<(int, long)> chosen
    ) => (Samples, Ranked, Chosen) = (samples, ranked, chosen);

    /// <summary>Every sample of the teacher pass.</summary>
    public IReadOnlyList<ScoredSample> Samples { get; }

    /// <summary>The scored ones: by score descending, then domain and index ascending.</summary>
    public IReadOnlyList<ScoredSample> Ranked { get; }

    /// <summary>Keys of the chosen ones.</summary>
    public IReadOnlySet<(int Domain, long Index)> Chosen { get; }

    /// <summary>Chosen samples with the score 0, which say nothing of being learnable.</summary>
    public int ChosenZeros =>
        Ranked.Count(sample => sample.Score == 0 && Chosen.Contains((sample.Domain, sample.Index)));

    /// <summary>Scores what a teacher pass stored, and chooses.</summary>
    /// <param name="scores">A teacher pass of any mode.</param>
    /// <param name="own">A score in place of the rule's; null for the rule's.</param>
    public static SampleSelection Choose(TeacherCache scores, SelectionRule rule, OwnScore? own = null) =>
        Choose(
            [
                .. scores
                    .ReadAll()
                    .Select(sample => new ScoredSample(
                        sample.Domain,
                        sample.Index,
                        ScoreOf(sample.Labels, rule.Score, scores.Plan.VocabularySize, own),
                        sample.Labels.Nll.Length == 0 ? 0 : sample.Labels.Nll.Average()
                    )),
            ],
            rule
        );

    private static double? ScoreOf(SampleLabels labels, ScoreRule rule, int vocabulary, OwnScore? own)
    {
        if (own is not null)
        {
            double? score = own.Of(labels);
            if (score is double given && !double.IsFinite(given))
            {
                throw new ConfigurationException(
                    $"The score '{own.Name}' gives {given}, which has no place in an order. "
                        + "Give a number, or null for a sample without a score."
                );
            }

            return score;
        }

        return SampleScore.Of(labels.Nll, labels.Rank, rule, vocabulary);
    }

    /// <summary>Chooses ⌊share·scored + ½⌋ samples, or the count, at least 1 each.</summary>
    /// <exception cref="ConfigurationException">No sample could be scored.</exception>
    public static SampleSelection Choose(IReadOnlyList<ScoredSample> samples, SelectionRule rule)
    {
        ScoredSample[] ranked =
        [
            .. samples
                .Where(sample => sample.Score is not null)
                .OrderByDescending(sample => sample.Score)
                .ThenBy(sample => sample.Domain)
                .ThenBy(sample => sample.Index),
        ];
        if (ranked.Length == 0)
        {
            throw new ConfigurationException(
                $"None of the {samples.Count} samples has {rule.Score.MinTokens} counted tokens, so none can be scored. Lower --min-tokens."
            );
        }

        // With a count, each domain gives its share of it.
        double share = rule.Share ?? Math.Min(1, rule.Count!.Value / (double)ranked.Length);
        IEnumerable<ScoredSample> chosen = ranked.Take(Number(share, ranked.Length));
        if (rule.BalanceDomains)
        {
            chosen = ranked
                .GroupBy(sample => sample.Domain)
                .SelectMany(domain => domain.Take(Number(share, domain.Count())));
        }

        return new SampleSelection(samples, ranked, chosen.Select(sample => (sample.Domain, sample.Index)).ToHashSet());
    }

    /// <summary>The chosen samples as a run draws from them.</summary>
    /// <param name="domains">Domains of the data set.</param>
    public SampleSubset Subset(int domains) =>
        new([
            .. Enumerable
                .Range(0, domains)
                .Select(domain =>
                    (IReadOnlyList<long>)[.. Chosen.Where(key => key.Domain == domain).Select(key => key.Index).Order()]
                ),
        ]);

    private static int Number(double share, int scored) => Math.Max(1, (int)Math.Floor((share * scored) + 0.5));
}
