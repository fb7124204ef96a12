using System.Globalization;
using Saltern.Batches;
using Saltern.Benchmarks.Data;
using Saltern.Checkpoints;
using Saltern.Cli.Demo;
using Saltern.Corpora;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Benchmarks;

/// <summary>What a run waits for besides its steps: saving and logging beside the steps of one run.</summary>
internal static class Stalls
{
    private const int SaveEvery = 8;

    /// <summary>Trains, and writes middle values of steps, lines and saves, and their share as often as the defaults ask for them.</summary>
    public static int Run(Options options)
    {
        NativeRuntime.Configure(tuneAllocator: true);
        var load = new Benchmarks.Data.OtherLoad();
        int steps = options.Number("steps", 200);
        var defaults = new TrainingConfig { Steps = steps };
        string folder = Directory.CreateTempSubdirectory("saltern-stalls-").FullName;
        try
        {
            // At a step's end the sums hold what was logged and saved after the step before.
            TrainState[] at = Train(Config(Prepare(folder), steps), Path.Combine(folder, "run"));
            (TrainState Before, TrainState After)[] pairs = [.. at.Zip(at.Skip(1))];
            double step = ResultFile.Median(pairs.Select(pair => pair.After.Seconds - pair.Before.Seconds));
            double line = ResultFile.Median(
                pairs.Select(pair => pair.After.LoggingSeconds - pair.Before.LoggingSeconds)
            );
            double save = ResultFile.Median(
                pairs
                    .Where(pair => pair.Before.Step % SaveEvery == 0)
                    .Select(pair => pair.After.CheckpointSeconds - pair.Before.CheckpointSeconds)
            );
            double share = ((line / defaults.LogEvery) + (save / defaults.CheckpointEvery)) / step;
            string result = string.Create(
                CultureInfo.InvariantCulture,
                $"A step {1e3 * step:0.00} ms, a line {1e3 * line:0.000} ms, a save {1e3 * save:0.00} ms: "
                    + $"saving every {defaults.CheckpointEvery} and logging every {defaults.LogEvery} steps "
                    + $"take {100 * share:0.00} % of the steps' time."
            );
            ResultFile.Write(
                "stalls",
                "dotnet run -c Release --project benchmarks/Saltern.Benchmarks -- stalls",
                load,
                [result],
                "Saltern.Core",
                "TorchSharp"
            );
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        return 0;
    }

    private static string Prepare(string folder)
    {
        TextDocument[] documents = [.. GeneratedText.Generate(3, 300_000)];
        BpeTokenizer tokenizer = BpeTrainer.Train(
            documents.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = 300 }
        );
        string data = Path.Combine(folder, "data");
        DatasetBuilder.Build(documents, null, tokenizer, data, new DatasetBuilderOptions { ValidPercent = 10 });
        return data;
    }

    // A hundredth of a second a step: the faster the steps, the more a stall weighs.
    private static RunConfig Config(string data, int steps) =>
        new()
        {
            Name = "stalls",
            Seed = 5,
            Threads = 2,
            Data = new DataConfig { Path = data, SequenceLength = 32 },
            Model = new TransformerConfig
            {
                HiddenSize = 64,
                NumHiddenLayers = 2,
                NumAttentionHeads = 4,
                IntermediateSize = 176,
                TieWordEmbeddings = true,
            },
            Optimizer = new OptimizerConfig { LearningRate = 3e-3 },
            Schedule = new ScheduleConfig { WarmupSteps = 5 },
            Training = new TrainingConfig
            {
                Steps = steps,
                BatchSequences = 8,
                LogEvery = 1,
                CheckpointEvery = SaveEvery,
                EvaluateEvery = steps,
                EvaluationTokens = 1_000,
                FinalEvaluationTokens = 4_000,
            },
        };

    private static TrainState[] Train(RunConfig config, string folder)
    {
        var at = new List<TrainState>();
        TrainingRun? run = null;
        var options = new TrainingRunOptions { MatmulPeak = 1e11, OnStep = _ => at.Add(run!.State) };
        using (run = TrainingRun.Open(config, folder, options))
        {
            run.Continue(config.Training.Steps - 1, CancellationToken.None);
        }

        return [.. at];
    }
}
