using Saltern.Distributed;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Runs;
using Saltern.Tests.Distributed;
using TorchSharp;

namespace Saltern.Tests.Runs;

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
        config = config with
        {
            Training = config.Training with { MaxSkippedSteps = 2 },
            Optimizer = config.Optimizer with { ShardState = shardsState },
        };
        using TrainingRun run = TrainingRun.Open(
            config,
            folder["run"],
            TinyRun.Quick with
            {
                Ranks = new OtherRank(bad),
                Log = log.Add,
            }
        );
        float[] before = run.Student.Parameters.FlatWeights.data<float>().ToArray();

        // This rank's own loss and gradients are fine throughout.
        TrainingException e = Assert.Throws<TrainingException>(() =>
            run.Continue(Steps, TestContext.Current.CancellationToken)
        );
        Assert.Contains("Step 2 is not applied", e.Message, StringComparison.Ordinal);
        Assert.Contains("batch of samples 8 … 15", e.Message, StringComparison.Ordinal);
        Assert.Contains("2 steps in a row were not applied", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, run.Student.Parameters.FlatWeights.data<float>().ToArray());
    }

    [Theory]
    [InlineData(float.NaN, 0)]
    [InlineData(float.NaN, 1)]
    [InlineData(float.PositiveInfinity, 1)]
    public void ABadTeacherOfOneRank_LeavesTheStepOutOnBoth(float bad, int badRank)
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt(
            "bad-teacher",
            Steps,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        config = config with { Training = config.Training with { MaxSkippedSteps = 2 } };
        (string Message, bool Unchanged)[] ends = ThreadRanks.Run(
            2,
            ranks =>
            {
                using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { Ranks = ranks });
                float[] before = run.Student.Parameters.FlatWeights.data<float>().ToArray();
                if (ranks.Rank == badRank)
                {
                    using IDisposable _ = torch.no_grad();
                    using torch.Tensor tokens = torch.zeros(1, 1, torch.int64);
                    LiveSoftLabels labels = Assert.IsType<LiveTeacher>(run.Teacher).Run(tokens);
                    labels.Head[0, 0] = bad;
                    labels.HiddenStates.Dispose();
                }

                string message = Assert
                    .Throws<TrainingException>(() => run.Continue(Steps, TestContext.Current.CancellationToken))
                    .Message;
                return (
                    message,
                    run.Student.Parameters.FlatWeights.data<float>().ToArray().AsSpan().SequenceEqual(before)
                );
            }
        );
        Assert.Equal(ends[0], ends[1]);
        Assert.True(ends[0].Unchanged);
        Assert.Contains("Step 2 is not applied", ends[0].Message, StringComparison.Ordinal);
        Assert.Contains("batch of samples 8 … 15", ends[0].Message, StringComparison.Ordinal);
        Assert.Contains("2 steps in a row were not applied", ends[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AGoodOther_LetsTheStepsBeMade()
    {
        using var folder = new TemporaryFolder();
        using TrainingRun run = TrainingRun.Open(
            TinyRun.Shared.Plain("good-rank", Steps),
            folder["run"],
            TinyRun.Quick with
            {
                Ranks = new OtherRank(0),
            }
        );
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

        public void Barrier() { }

        public void Abort(int exitCode) => throw new NotSupportedException();

        public void Dispose() { }
    }
}
