using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>A mean difference of final losses whose seeds, small models and validation documents are all drawn at random: what another seed, another small model or another text would give lies in its interval (docs/method.md).</summary>
/// <param name="Mean">Over seeds, each weighted the same, nats per token.</param>
/// <param name="StandardError">√(V_seeds + V_documents), nats.</param>
/// <param name="DegreesOfFreedom">Those of the seeds, so that it is never narrower than theirs alone: there are too few to say how much of the sum is theirs.</param>
/// <param name="Documents">Validation documents.</param>
internal sealed record CrossedInterval(double Mean, double StandardError, int DegreesOfFreedom, int Documents)
{
    /// <summary>Both ends of 95 %.</summary>
    public IReadOnlyList<double> Ends
    {
        get
        {
            double half = StudentT.Quantile975(DegreesOfFreedom) * StandardError;
            return [Mean - half, Mean + half];
        }
    }

    /// <summary>Of the pairs of an arm.</summary>
    /// <param name="pairs">A run and its baseline of the same seed.</param>
    /// <returns>Null with fewer than two pairs, or where a run has no scores by document or others than the rest.</returns>
    public static CrossedInterval? Of(IReadOnlyList<(RunRecord Run, RunRecord Baseline)> pairs)
    {
        List<(double Sum, long Tokens)>? documents = MeanByDocument(pairs);
        if (pairs.Count < 2 || documents is null || PairedStandardError.Of(documents).StandardError is not double error)
        {
            return null;
        }

        (double seeds, int degrees) = OfSeeds(
            [.. pairs.Select(pair => pair.Run.FinalLoss - pair.Baseline.FinalLoss)],
            [.. pairs.Select(pair => SmallModelOf(pair.Run.Result))]
        );
        return Of(
            pairs.Average(pair => pair.Run.FinalLoss - pair.Baseline.FinalLoss),
            seeds,
            degrees,
            error * error,
            documents.Count
        );
    }

    /// <summary>How many small models helped the runs: 0 without one; a run that grew by itself has its own.</summary>
    public static int SmallModels(IReadOnlyList<RunRecord> runs) =>
        runs.Select(run => SmallModelOf(run.Result)).OfType<string>().Distinct().Count();

    /// <summary>Adds the two variances up.</summary>
    /// <param name="seeds">Variance of the mean over seeds, with its degrees of freedom.</param>
    /// <param name="documents">Variance over documents of the mean over seeds. What only one seed on one document did is in both, so the sum errs on the wide side.</param>
    internal static CrossedInterval Of(double mean, double seeds, int degrees, double documents, int documentCount) =>
        new(mean, Math.Sqrt(seeds + documents), degrees, documentCount);

    /// <summary>Variance of a mean over seeds that several small models helped: T/(T − 1)·Σ_t(Σ(d − d̄))²/n², seeds of one small model together; each seed by itself where there is one small model, or none.</summary>
    /// <param name="smallModels">One for each seed; null for none.</param>
    /// <returns>Its degrees of freedom, T − 1 or n − 1, beside it.</returns>
    internal static (double Variance, int Degrees) OfSeeds(
        IReadOnlyList<double> differences,
        IReadOnlyList<string?> smallModels
    )
    {
        double mean = differences.Average();
        double[] deviations = [.. differences.Select(difference => difference - mean)];
        double[] groups =
        [
            .. deviations
                .Zip(smallModels)
                .GroupBy(pair => pair.Second, pair => pair.First)
                .Select(group => group.Sum()),
        ];
        if (groups.Length < 2)
        {
            groups = deviations;
        }

        double count = groups.Length;
        double squares = groups.Sum(sum => sum * sum);
        return (count / (count - 1) * squares / differences.Count / differences.Count, groups.Length - 1);
    }

    // By document, the mean over pairs of what the loss of a document differs by.
    private static List<(double Sum, long Tokens)>? MeanByDocument(
        IReadOnlyList<(RunRecord Run, RunRecord Baseline)> pairs
    )
    {
        Dictionary<(string, long), (double Sum, long Tokens, int Pairs)> sums = [];
        foreach ((RunRecord run, RunRecord baseline) in pairs)
        {
            if (PairedStandardError.Differences(run.Documents, baseline.Documents) is not { } documents)
            {
                return null;
            }

            foreach ((DocumentScore score, double difference) in documents)
            {
                var key = (score.Domain, score.Document);
                (double sum, long tokens, int seen) = sums.GetValueOrDefault(key, (0, score.Tokens, 0));
                if (tokens != score.Tokens)
                {
                    return null;
                }

                sums[key] = (sum + (difference / pairs.Count), tokens, seen + 1);
            }
        }

        // Every pair was scored on the same documents.
        if (sums.Values.Any(document => document.Pairs != pairs.Count))
        {
            return null;
        }

        return [.. sums.Values.Select(document => (document.Sum, document.Tokens))];
    }

    // The fingerprint of the weights that taught a run or that it grew from; without one, the name.
    private static string? SmallModelOf(RunResult run)
    {
        if (run.Teacher is RunTeacher teacher)
        {
            return teacher.Weights ?? teacher.Name;
        }

        if (run.Origin.LastOrDefault(each => !each.AsTeacher && each.Weights is not null) is RunAncestor from)
        {
            return from.Weights;
        }

        return run.Stages.Count > 0 ? $"of seed {run.Seed}" : null;
    }
}
