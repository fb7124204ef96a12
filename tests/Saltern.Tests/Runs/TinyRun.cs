using Saltern.Batches;
using Saltern.Cli.Demo;
using Saltern.Corpora;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Tests.Runs;

/// <summary>A data set, a teacher and recipes small enough for hundreds of steps in a test; made once.</summary>
internal sealed class TinyRun : IDisposable
{
    private const int SequenceLength = 32;
    private static readonly Lazy<TinyRun> Instance = new(() => new TinyRun());
    private readonly TemporaryFolder _folder = new();

    private TinyRun()
    {
        TextDocument[] documents =
        [
            .. GeneratedText
                .Generate(3, 300_000)
                .Select((document, i) => document with { Domain = i % 3 == 0 ? "first" : "second" }),
        ];
        BpeTokenizer tokenizer = BpeTrainer.Train(
            documents.Select(document => document.Text),
            new BpeTrainerOptions
            {
                VocabularySize = 300,
                SpecialTokens = ["<|endoftext|>", .. Enumerable.Range(0, 4).Select(SentinelTokens.Name)],
            }
        );
        DatasetBuilder.Build(documents, null, tokenizer, DataFolder, new DatasetBuilderOptions { ValidPercent = 10 });
        RunConfig teacher = Plain("teacher", steps: 40) with { Model = Shape(16), Seed = 77 };
        using TrainingRun run = TrainingRun.Open(teacher, TeacherFolder, Quick);
        run.Continue(40, CancellationToken.None);
        run.Finish();
    }

    public static TinyRun Shared => Instance.Value;

    /// <summary>No measuring of the machine's peak.</summary>
    public static TrainingRunOptions Quick { get; } = new() { MatmulPeak = 1e11 };

    public string DataFolder => _folder["data"];

    public string TeacherFolder => _folder["teacher"];

    public RunConfig Plain(string name, int steps) =>
        new()
        {
            Name = name,
            Seed = 5,
            Threads = 2,
            Data = new DataConfig { Path = DataFolder, SequenceLength = SequenceLength },
            Model = Shape(24),
            Optimizer = new OptimizerConfig { LearningRate = 3e-3 },
            Schedule = new ScheduleConfig { WarmupSteps = Math.Min(5, steps - 1) },
            Training = new TrainingConfig
            {
                Steps = steps,
                BatchSequences = 8,
                EvaluateEvery = 20,
                CheckpointEvery = 10,
                LogEvery = 5,
                EvaluationTokens = 1_000,
                FinalEvaluationTokens = 4_000,
            },
        };

    public RunConfig Salt(string name, int steps, DistillationConfig distillation, double temperature = 1.0) =>
        Plain(name, steps) with
        {
            Teacher = new TeacherConfig { Path = TeacherFolder, Temperature = temperature },
            Distillation = distillation,
        };

    public void Dispose() => _folder.Dispose();

    public static TransformerConfig TeacherShape => Shape(16);

    /// <summary>GPT-NeoX: parallel branches, half of each head turned.</summary>
    public static TransformerConfig GptNeoxShape =>
        Gpt2Shape with
        {
            LearnedPositions = false,
            UseParallelResidual = true,
            PartialRotaryFactor = 0.5,
            HiddenAct = Activation.Gelu,
            TieWordEmbeddings = false,
        };

    public static TransformerConfig Gpt2Shape =>
        new()
        {
            HiddenSize = 24,
            NumHiddenLayers = 2,
            NumAttentionHeads = 3,
            IntermediateSize = 48,
            LayerNormEps = 1e-5,
            HiddenAct = Activation.GeluNew,
            LearnedPositions = true,
            AttentionBias = true,
            MlpBias = true,
            TieWordEmbeddings = true,
        };

    private static TransformerConfig Shape(int hidden) =>
        new()
        {
            HiddenSize = hidden,
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            NumKeyValueHeads = 1,
            IntermediateSize = 32,
            TieWordEmbeddings = true,
        };
}
