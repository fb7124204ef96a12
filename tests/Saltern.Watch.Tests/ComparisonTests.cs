namespace Saltern.Watch.Tests;

public sealed class ComparisonTests : IDisposable
{
    private readonly RunOnDisk _disk = new();

    public void Dispose() => _disk.Dispose();

    // The baseline falls from 5.9 at step 10 to 5.0 at step 100: 0.1 every 10 steps.
    private static double Falling(int step) => 6 - 0.01 * step;

    private Comparison Compare(int steps, Func<int, double> loss, bool finished, bool baselineFinished = true)
    {
        string baseline = _disk.Add("BASELINE", false, baselineFinished ? 100 : 60, Falling, baselineFinished);
        string run = _disk.Add("SALT", true, steps, loss, finished);
        return Assert.Single(
            Comparison.Of([.. new[] { baseline, run }.Select(folder => new LiveRun(folder).Look(DateTime.UtcNow))])
        );
    }

    [Fact]
    public void Reached_SavesWhatTheCrossingSays()
    {
        // 0.25 below: 5.0 is reached at step 75, halfway between 5.05 and 4.95; FLOPs are 1e9 a step in both.
        Comparison pair = Compare(100, step => Falling(step) - 0.25, finished: true);
        Assert.Equal(75, pair.Reached!.Steps, 9);
        Assert.Equal(0.25, pair.StepsSaved!.Value, 9);
        Assert.Equal(0.25, pair.FlopsSaved!.Value, 9);
        Assert.Null(pair.ProjectedSteps);
        Assert.Contains(
            "25 % fewer steps, 25 % less arithmetic.",
            ComparisonSentence.Of(pair),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void OnItsWay_IsProjectedWithTheLastGap()
    {
        // 0.15 below at step 50: the baseline's curve lowered by that meets 5.0 at step 85.
        Comparison pair = Compare(50, step => Falling(step) - 0.15, finished: false);
        Assert.Null(pair.Reached);
        Assert.Equal(85, pair.ProjectedSteps!.Value, 9);
        Assert.Equal(0.15, pair.StepsSaved!.Value, 9);
        Assert.False(pair.TeacherStillOn);
        Assert.Equal(50, pair.Gap[^1].Step);
        Assert.Equal(-0.15, pair.Gap[^1].Value, 9);
    }

    [Fact]
    public void BeforeTheSwitch_TheProjectionWarns()
    {
        Comparison pair = Compare(40, step => Falling(step) - 0.15, finished: false);
        Assert.True(pair.TeacherStillOn);
        Assert.EndsWith("goes when the teacher leaves.", ComparisonSentence.Of(pair), StringComparison.Ordinal);
    }

    [Fact]
    public void BehindTheBaseline_NothingIsProjected()
    {
        Comparison pair = Compare(50, step => Falling(step) + 0.1, finished: false);
        Assert.Null(pair.StepsSaved);
        Assert.Contains("0.100 nats above", ComparisonSentence.Of(pair), StringComparison.Ordinal);
    }

    [Fact]
    public void BaselineStillRunning_ThereIsAGapButNoTarget()
    {
        Comparison pair = Compare(60, step => Falling(step) - 0.1, finished: false, baselineFinished: false);
        Assert.Null(pair.Target);
        Assert.Null(pair.StepsSaved);
        Assert.Equal(-0.1, pair.Gap[^1].Value, 9);
    }
}
