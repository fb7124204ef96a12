using Saltern.RunFiles;

namespace Saltern.Evaluation;

/// <summary>An evaluation in the form that result files keep.</summary>
internal static class RunScores
{
    /// <summary>Scores over all targets and by domain.</summary>
    /// <param name="domains">Names of the domains.</param>
    /// <param name="buckets">Losses by difficulty; null where they are not asked for.</param>
    public static FinalScores Of(
        EvaluationResult scores,
        IReadOnlyList<string> domains,
        IReadOnlyList<BucketScores>? buckets = null
    ) =>
        new()
        {
            Confidence = scores.Total.Calibration.Confidence,
            CalibrationError = scores.Total.Calibration.Error,
            Buckets =
            [
                .. (buckets ?? []).Select(bucket => new BucketLoss(
                    bucket.Unit,
                    bucket.Bucket,
                    bucket.Tokens,
                    bucket.Loss
                )),
            ],
            Loss = scores.Total.Loss,
            BitsPerByte = BitsPerByte(scores.Total),
            Accuracy = scores.Total.Accuracy,
            Tokens = scores.Total.Sums.Positions,
            Domains = Enumerable
                .Range(0, domains.Count)
                .Where(i => scores.Domains[i] is not null)
                .ToDictionary(
                    i => domains[i],
                    i => new DomainScores
                    {
                        Loss = scores.Domains[i]!.Loss,
                        BitsPerByte = BitsPerByte(scores.Domains[i]!),
                        Accuracy = scores.Domains[i]!.Accuracy,
                        Tokens = scores.Domains[i]!.Sums.Positions,
                    }
                ),
        };

    /// <summary>Scores of tasks in the form that result files keep.</summary>
    public static IReadOnlyList<TaskScore> Of(IReadOnlyList<TaskResult> tasks) =>
        [
            .. tasks.SelectMany(task =>
                task.Scores.Select(score => new TaskScore(
                    task.Definition.Task,
                    TaskMetrics.NameOf(score.Metric),
                    score.Value,
                    score.StandardError,
                    score.Chance,
                    task.Items.Count
                ))
            ),
        ];

    // A domain whose documents are all empty has targets but no bytes.
    private static double? BitsPerByte(EvaluationPart part) => part.TextBytes > 0 ? part.BitsPerByte : null;
}
