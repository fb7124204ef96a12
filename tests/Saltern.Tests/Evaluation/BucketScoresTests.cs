using Saltern.Batches;
using Saltern.Evaluation;
using Saltern.Guidance;
using Saltern.Shards;
using Saltern.Tests.Runs;

namespace Saltern.Tests.Evaluation;

public class BucketScoresTests
{
    [Fact]
    public void Buckets_AreByTheTeachersLoss_AndHoldEveryTarget()
    {
        using TokenDataset data = TokenDataset.Open(
            TinyRun.Shared.DataFolder,
            verify: false,
            TestContext.Current.CancellationToken
        );
        ValidationSet set = ValidationSet.Create(
            [.. data.Domains.Select(domain => domain.Valid)],
            8,
            40,
            wholeDocuments: false,
            data.Manifest.EndOfTextId
        );

        // The teacher's losses go 0, 1, 2, …; the model pays one nat more everywhere.
        float[] teacher = [.. Enumerable.Range(0, set.Labels.Length).Select(i => (float)i)];
        float[] model = [.. teacher.Select(nll => nll + 1)];
        var buckets = new DifficultyBuckets
        {
            TokenBounds = [3, 9],
            SequenceBounds = [3.5, 12],
            Tokens = 1,
            Sequences = 1,
        };
        IReadOnlyList<BucketScores> scores = BucketScores.Of(set, Result(model), teacher, buckets);
        Assert.Equal(["easy", "medium", "hard", "easy", "medium", "hard"], scores.Select(score => score.Bucket));
        Assert.Equal((4L, 2.5, 1.5), (scores[0].Tokens, scores[0].Loss!.Value, scores[0].TeacherLoss!.Value)); // 0, 1, 2, 3
        Assert.Equal((6L, 7.5, 6.5), (scores[1].Tokens, scores[1].Loss!.Value, scores[1].TeacherLoss!.Value)); // 4 … 9
        Assert.Equal(set.TargetCount, scores.Take(3).Sum(score => score.Tokens));
        Assert.Equal((8L, 3.5), (scores[3].Tokens, scores[3].TeacherLoss!.Value)); // the first window, 0 … 7
        Assert.Equal(set.TargetCount, scores.Skip(3).Sum(score => score.Tokens));
    }

    private static EvaluationResult Result(float[] nll) => new(new EvaluationPart(), [], [], nll);
}
