using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Tests.Data;
using Saltern.Training;

namespace Saltern.Tests.Training;

/// <summary>What this rank does when the other one alone has values that are no numbers.</summary>
public class BadRankTests
{
    private const int Steps = 20;

    [Theory]
    [InlineData(float.NaN, false)]
    [InlineData(float.PositiveInfinity, false)]
    [InlineData(float.NaN, true)]
    public void ABadGradientOfTheOther_LeavesTheStepOut(float bad, bool shardsState)
    {
        using var folder = new TemporaryFolder();
        var log = new List<string>();
        RunConfig config = TinyRun.Shared.Plain("bad-rank", Steps);
        config = config with { Training = config.Training with { MaxSkippedSteps = 2 }, Optimizer = config.Optimizer with { ShardState = shardsState } };
        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { Ranks = new OtherRank(bad), Log = log.Add });
        float[] before = run.Student.Parameters.FlatWeights.data<float>().ToArray();

        // This rank's own loss and gradients are fine throughout.
        TrainingException e = Assert.Throws<TrainingException>(() => run.Continue(Steps, TestContext.Current.CancellationToken));
        Assert.Contains("Step 2 is not applied", e.Message, StringComparison.Ordinal);
        Assert.Contains("batch of samples 8 … 15", e.Message, StringComparison.Ordinal);
        Assert.Contains("2 steps in a row were not applied", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, run.Student.Parameters.FlatWeights.data<float>().ToArray());
    }

    [Fact]
    public void AGoodOther_LetsTheStepsBeMade()
    {
        using var folder = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Open(TinyRun.Shared.Plain("good-rank", Steps), folder["run"], TinyRun.Quick with { Ranks = new OtherRank(0) });
        float[] before = run.Student.Parameters.FlatWeights.data<float>().ToArray();
        Assert.Equal(RunStatus.Reached, run.Continue(5, TestContext.Current.CancellationToken));
        Assert.NotEqual(before, run.Student.Parameters.FlatWeights.data<float>().ToArray());
    }

    // Rank 0 of two; the other one says what this one says, but for what it adds to one gradient.
    private sealed class OtherRank(float added) : ICommunicator
    {
        public int Rank => 0;

        public int Size => 2;

        public string Activity { get; set; } = "";

        public void AllReduceSum(Span<float> values) => values[0] += added;

        public void ReduceScatterSum(ReadOnlySpan<float> values, Span<float> share)
        {
            values[..share.Length].CopyTo(share);
            share[0] += added;
        }

        public void AllGather<T>(ReadOnlySpan<T> share, Span<T> all)
            where T : unmanaged
        {
            share.CopyTo(all);
            share.CopyTo(all[share.Length..]);
        }

        public void Broadcast<T>(Span<T> values, int root)
            where T : unmanaged => ArgumentOutOfRangeException.ThrowIfNotEqual(root, 0);

        public void Barrier()
        {
        }

        public void Abort(int exitCode) => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
