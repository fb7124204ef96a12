using Saltern.Checkpoints;
using Saltern.FineTuning;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Tests.Runs;
using Saltern.Tokenization;

namespace Saltern.Tests.FineTuning;

/// <summary>Recipes for fine-tuning the tiny teacher on answers that are easy to learn.</summary>
internal static class TinyExamples
{
    /// <summary>Model folder that fine-tuning starts from.</summary>
    public static string Model => ModelLocation.Resolve(TinyRun.Shared.TeacherFolder);

    public static BpeTokenizer Tokenizer { get; } = BpeTokenizer.Load(Path.Combine(Model, ModelFolder.TokenizerFile));

    /// <summary>Writes examples "q 12" → " odd" or " even" and returns their path.</summary>
    public static string Write(TemporaryFolder folder, string name = "examples.jsonl", int count = 120) =>
        folder.Write(name, string.Concat(Lines(count)));

    public static IEnumerable<string> Lines(int count) =>
        Enumerable
            .Range(0, count)
            .Select(i =>
                $$"""{"id": "e{{i}}", "prompt": "q {{i}}:", "response": " {{(i % 2 == 0 ? "even" : "odd")}}"}""" + "\n"
            );

    /// <summary>A recipe of 32-token rows.</summary>
    public static FineTuneConfig Recipe(string path) =>
        new()
        {
            Name = "tiny",
            Seed = 3,
            Threads = 2,
            InitFrom = new FineTuneStartConfig { Path = TinyRun.Shared.TeacherFolder },
            Data = new ExampleConfig
            {
                Path = path,
                ValidPercent = 20,
                SequenceLength = 32,
            },
            Optimizer = new OptimizerConfig { LearningRate = 3e-3 },
            Schedule = new ScheduleConfig { WarmupSteps = 2 },
            Training = new FineTuneTrainingConfig
            {
                Steps = 24,
                BatchSequences = 4,
                EvaluateEvery = 4,
                CheckpointEvery = 10,
                LogEvery = 5,
            },
        };

    /// <summary>The tiny teacher, trainable.</summary>
    public static Transformer Load() => ModelFolder.Load(Model, trainable: true);
}
