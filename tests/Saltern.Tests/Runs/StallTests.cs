using Saltern.Checkpoints;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.Distributed;

namespace Saltern.Tests.Runs;

// What a run waits for besides its steps is counted apart from them; `stalls` of benchmarks/ measures its share.
public class StallTests
{
    [Fact]
    public void SecondsApart_GrowOnStepsThatLogOrSaveAlone()
    {
        const int Steps = 40;
        const int LogEvery = 4;
        const int SaveEvery = 8;
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("stalls", Steps);
        config = config with
        {
            Training = config.Training with { LogEvery = LogEvery, CheckpointEvery = SaveEvery, EvaluateEvery = Steps },
        };
        var at = new List<TrainState>();
        TrainingRun? run = null;
        using (run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { OnStep = _ => at.Add(run!.State) }))
        {
            run.Continue(Steps - 1, TestContext.Current.CancellationToken);
        }

        // At a step's end the sums hold what was logged and saved after the step before.
        (TrainState Before, TrainState After)[] steps = [.. at.Zip(at.Skip(1))];
        Assert.Equal(Steps - 2, steps.Length);
        Assert.All(
            steps,
            pair =>
            {
                Assert.True(pair.After.Seconds > pair.Before.Seconds);
                Assert.Equal(pair.Before.Step % LogEvery == 0, pair.After.LoggingSeconds > pair.Before.LoggingSeconds);
                Assert.Equal(
                    pair.Before.Step % SaveEvery == 0,
                    pair.After.CheckpointSeconds > pair.Before.CheckpointSeconds
                );
            }
        );
    }

    [Fact]
    public void WhatOneRankDoesForAll_IsAStallOfEveryRank()
    {
        const int Lines = 2;
        const int SlowMilliseconds = 150;
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("stalled-ranks", 100);
        config = config with
        {
            Training = config.Training with { LogEvery = 5, CheckpointEvery = 100, EvaluateEvery = 100 },
        };
        TrainState[] states = ThreadRanks.Run(
            2,
            ranks =>
            {
                using TrainingRun run = TrainingRun.Open(
                    config,
                    folder["run"],
                    TinyRun.Quick with
                    {
                        Ranks = ranks,
                        Sinks = [new SlowSink(SlowMilliseconds)],
                    }
                );
                run.Continue(Lines * 5, TestContext.Current.CancellationToken);
                return run.State;
            }
        );
        Assert.All(
            states,
            state => Assert.InRange(state.LoggingSeconds, Lines * SlowMilliseconds / 1e3 * 0.99, double.MaxValue)
        );
        Assert.Equal(states[0].LoggingSeconds, states[1].LoggingSeconds);
        Assert.Equal(states[0].Seconds, states[1].Seconds);
    }

    // Rank 0 alone writes lines.
    private sealed class SlowSink(int milliseconds) : IMetricsSink
    {
        public void Write(MetricsLine line) => Thread.Sleep(milliseconds);

        public void Dispose() { }
    }
}
