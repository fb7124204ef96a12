using System.Globalization;
using Saltern.Checkpoints;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.Distributed;

namespace Saltern.Tests.Runs;

// What a run waits for besides its steps. Middle values of many steps and saves of one run, beside one another, mean something on a busy machine too.
public class StallTests
{
    private const double HighestShare = 0.02;

    [Fact]
    public void SavingAndLogging_AsTheDefaultsAsk_AreLessThanTwoPercentOfTheSteps()
    {
        const int Steps = 200;
        const int SaveEvery = 8;
        var defaults = new TrainingConfig { Steps = Steps };
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Plain("stalls", Steps);

        // A hundredth of a second a step: the faster the steps, the more a stall weighs.
        config = config with
        {
            Model = new TransformerConfig
            {
                HiddenSize = 64,
                NumHiddenLayers = 2,
                NumAttentionHeads = 4,
                IntermediateSize = 176,
                TieWordEmbeddings = true,
            },
            Training = config.Training with { LogEvery = 1, CheckpointEvery = SaveEvery, EvaluateEvery = Steps },
        };
        var at = new List<TrainState>();
        TrainingRun? run = null;
        using (run = TrainingRun.Open(config, folder["run"], TinyRun.Quick with { OnStep = _ => at.Add(run!.State) }))
        {
            run.Continue(Steps - 1, TestContext.Current.CancellationToken);
        }

        // At a step's end the sums hold what was logged and saved after the step before.
        (TrainState Before, TrainState After)[] steps = [.. at.Zip(at.Skip(1))];
        double step = Median(steps.Select(pair => pair.After.Seconds - pair.Before.Seconds));
        double line = Median(steps.Select(pair => pair.After.LoggingSeconds - pair.Before.LoggingSeconds));
        double save = Median(
            steps
                .Where(pair => pair.Before.Step % SaveEvery == 0)
                .Select(pair => pair.After.CheckpointSeconds - pair.Before.CheckpointSeconds)
        );
        double share = ((line / defaults.LogEvery) + (save / defaults.CheckpointEvery)) / step;
        TestContext.Current.TestOutputHelper?.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"a step {1e3 * step:0.00} ms, a line {1e3 * line:0.000} ms, a save {1e3 * save:0.00} ms: {100 * share:0.00} % of the steps at every {defaults.LogEvery} and {defaults.CheckpointEvery} of them"
            )
        );
        Assert.True(line > 0 && save > 0 && steps.Length > 100);
        Assert.True(share < HighestShare, $"saving and logging take {100 * share:0.0} % of the steps' time");
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

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    // Rank 0 alone writes lines.
    private sealed class SlowSink(int milliseconds) : IMetricsSink
    {
        public void Write(MetricsLine line) => Thread.Sleep(milliseconds);

        public void Dispose() { }
    }
}
