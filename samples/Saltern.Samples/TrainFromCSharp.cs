using Saltern.Corpora;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;
using Saltern.Verdicts;

namespace Saltern.Samples;

/// <summary>The whole road from C#: text, tokenizer, data set, teacher, BASELINE, SALT, verdict.</summary>
internal static class TrainFromCSharp
{
    public static void Run(string folder)
    {
        TextDocument[] text = Sums(documents: 400);
        BpeTokenizer tokenizer = BpeTrainer.Train(
            text.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = 512 }
        );
        DatasetBuilder.Build(text, null, tokenizer, $"{folder}/data", new DatasetBuilderOptions { ValidPercent = 10 });

        Train(SampleRecipes.Teacher(folder), folder);
        RunRecord baseline = Train(SampleRecipes.Baseline(folder), folder);
        RunRecord salt = Train(SampleRecipes.Salt(folder), folder);
        Console.WriteLine(VerdictText.Write(Verdict.Compute([baseline], [salt])));
    }

    /// <summary>Trains a recipe to its end and reads back what the run says of itself.</summary>
    public static RunRecord Train(RunConfig recipe, string folder, TrainingRunOptions? options = null)
    {
        using TrainingRun run = TrainingRun.Open(
            recipe,
            $"{folder}/{recipe.Name}",
            options ?? new TrainingRunOptions { Log = Console.WriteLine }
        );
        run.Continue(recipe.Training.Steps, CancellationToken.None);
        Console.WriteLine($"{recipe.Name}: {run.Finish().Final!.Loss:0.000} nats per token");
        return RunRecord.Load(run.Folder.Path);
    }

    // Stands for your own text: new CorpusReader(["corpus/"], new CorpusReaderOptions()).ReadDocuments() reads files.
    private static TextDocument[] Sums(int documents)
    {
        var random = new Random(1);
        return
        [
            .. Enumerable
                .Range(0, documents)
                .Select(_ => Enumerable.Range(0, 40).Select(_ => Sum(random.Next(100), random.Next(100))))
                .Select(lines => TextDocument.FromText(string.Join('\n', lines), "sums", "generated")),
        ];
    }

    private static string Sum(int a, int b) => $"{a} plus {b} is {a + b}.";
}
