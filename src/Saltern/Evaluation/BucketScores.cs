using Saltern.Batches;
using Saltern.Guidance;
using Saltern.RunFiles;

namespace Saltern.Evaluation;

/// <summary>A model's loss on the easy, medium or hard part of a validation set.</summary>
/// <param name="Unit"><c>tokens</c> or <c>windows</c>: what was sorted into buckets.</param>
/// <param name="Bucket"><c>easy</c>, <c>medium</c> or <c>hard</c>, by the teacher's loss.</param>
/// <param name="Loss">The model's, nats per token.</param>
/// <param name="TeacherLoss">The teacher's, which chose the bucket and so looks too good in easy and too bad in hard.</param>
internal sealed record BucketScores(string Unit, string Bucket, long Tokens, double? Loss, double? TeacherLoss)
{
    /// <summary>Unit of buckets of single tokens.</summary>
    public const string TokenUnit = "tokens";

    /// <summary>Splits an evaluation by difficulty.</summary>
    /// <param name="set">The windows that both models saw.</param>
    /// <param name="teacherNll">Loss at each position of the set, nats, of the teacher that the bounds are of.</param>
    /// <param name="buckets">Bounds of the teacher pass.</param>
    public static IReadOnlyList<BucketScores> Of(
        ValidationSet set,
        EvaluationResult model,
        float[] teacherNll,
        DifficultyBuckets buckets
    )
    {
        var tokens = new (long Count, double Model, double Teacher)[3];
        var windows = new (long Count, double Model, double Teacher)[3];
        for (int start = 0; start < set.Labels.Length; start += set.SequenceLength)
        {
            (long Count, double Model, double Teacher) window = default;
            for (int i = start; i < start + set.SequenceLength; i++)
            {
                if (set.Labels[i] >= 0)
                {
                    Add(ref window, 1, model.PositionNll[i], teacherNll[i]);
                    Add(
                        ref tokens[DifficultyBuckets.Of(teacherNll[i], buckets.TokenBounds)],
                        1,
                        model.PositionNll[i],
                        teacherNll[i]
                    );
                }
            }

            if (window.Count > 0)
            {
                Add(
                    ref windows[DifficultyBuckets.Of(window.Teacher / window.Count, buckets.SequenceBounds)],
                    window.Count,
                    window.Model,
                    window.Teacher
                );
            }
        }

        return [.. Parts(TokenUnit, tokens), .. Parts("windows", windows)];
    }

    private static void Add(
        ref (long Count, double Model, double Teacher) part,
        long count,
        double model,
        double teacher
    ) => part = (part.Count + count, part.Model + model, part.Teacher + teacher);

    private static IEnumerable<BucketScores> Parts(string unit, (long Count, double Model, double Teacher)[] parts) =>
        parts.Select(
            (part, bucket) =>
                new BucketScores(
                    unit,
                    MetricNames.Buckets[bucket],
                    part.Count,
                    Mean(part.Model, part.Count),
                    Mean(part.Teacher, part.Count)
                )
        );

    private static double? Mean(double sum, long count) => count == 0 ? null : sum / count;
}
