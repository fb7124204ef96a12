// One file, no project: dotnet run first-run.cs, outside a clone. A text, a tokenizer, a data set, a model and what it writes.
#:package Saltern@0.1.0
#:property PublishAot=false

using Saltern.Batches;
using Saltern.Corpora;
using Saltern.Hosting;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;

const string Folder = "first-run";
var random = new Random(1);
TextDocument[] text =
[
    .. Enumerable
        .Range(0, 200)
        .Select(_ => string.Join('\n', Enumerable.Range(0, 40).Select(_ => Sum(random.Next(100), random.Next(100)))))
        .Select(lines => TextDocument.FromText(lines, "sums", "generated")),
];
BpeTokenizer tokenizer = BpeTrainer.Train(
    text.Select(document => document.Text),
    new BpeTrainerOptions { VocabularySize = 512 }
);
DatasetBuilder.Build(
    text,
    null,
    tokenizer,
    $"{Folder}/data",
    new DatasetBuilderOptions { ValidPercent = 10, Overwrite = true }
);

var recipe = new RunConfig
{
    Name = "first",
    Seed = 1,
    Data = new DataConfig { Path = $"{Folder}/data", SequenceLength = 64 },
    Model = new TransformerConfig
    {
        HiddenSize = 32,
        NumHiddenLayers = 2,
        NumAttentionHeads = 2,
        IntermediateSize = 64,
        TieWordEmbeddings = true,
    },
    Optimizer = new OptimizerConfig { LearningRate = 8e-3 },
    Schedule = new ScheduleConfig { WarmupSteps = 10 },
    Training = new TrainingConfig
    {
        Steps = 60,
        BatchSequences = 8,
        EvaluateEvery = 30,
        EvaluationTokens = 2_048,
        FinalEvaluationTokens = 4_096,
    },
};
RunRecord run = Salt.Train(recipe, $"{Folder}/model");
Console.WriteLine($"final loss {run.Result.Final!.Loss:0.000} nats per token");
Console.WriteLine("12 plus 30 is" + Salt.Generate($"{Folder}/model", "12 plus 30 is", new() { MaxTokens = 8 }));

static string Sum(int a, int b) => $"{a} plus {b} is {a + b}.";
