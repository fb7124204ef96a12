using System.Text.RegularExpressions;
using Saltern.Configuration;
using Saltern.Evaluation;
using Saltern.FineTuning;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Tests.Runs;
using Saltern.Tokenization;

namespace Saltern.Tests.FineTuning;

// On real examples, where they lie beside the checkout.
public partial class SharedExamplesTests
{
    private const int Window = 128;
    private const int ShortCount = 500;

    public static TheoryData<string, string> Tasks =>
        new()
        {
            { "arithmetic", "arithmetic" },
            { "gsm8k", "gsm8k" },
            { "svamp", "svamp" },
            { "fairytaleqa_sft", "fairytaleqa" },
        };

    [Theory]
    [MemberData(nameof(Tasks))]
    public void TaskPrompts_HaveTheFormOfTheTrainedOnes(string task, string data)
    {
        string folder = Require();
        TaskDefinition definition = RecipeReader.Read<TaskDefinition>(
            Path.Combine(Root(), "tasks", task + ".yaml"),
            []
        );
        string path = TaskItemReader.Find(definition.Data ?? task, Path.Combine(folder, "eval"), folder)!;
        Regex form = data == "fairytaleqa" ? Passage() : Question();
        Assert.All(TaskItemReader.Read(definition, path), item => Assert.Matches(form, item.Prompt));
        BpeTokenizer tokenizer = TinyExamples.Tokenizer;
        Assert.All(
            new ExampleReader(new ExampleConfig { Path = "unused" }, tokenizer)
                .Read(Path.Combine(folder, "sft", data + ".train.jsonl.gz"), "data.path")
                .Examples.Take(500),
            entry => Assert.Matches(form, tokenizer.Decode(entry.Example.Prompt))
        );
    }

    [Fact]
    public void ArithmeticExamples_TrainAndLowerTheLossOfResponses()
    {
        string folder = Require();
        using var here = new TemporaryFolder();
        FineTuneConfig config = TinyExamples.Recipe(Short(folder, here)) with
        {
            InitFrom = new FineTuneStartConfig { Path = FreshModel(here["model"]) },
            Training = new FineTuneTrainingConfig
            {
                Steps = 30,
                BatchSequences = 4,
                EvaluateEvery = 10,
            },
        };
        using FineTuneRun run = FineTuneRun.Open(
            config with
            {
                Data = config.Data with { SequenceLength = Window, TooLong = TooLongExamples.LeaveOut },
            },
            here["run"],
            TinyRun.Quick
        );
        run.Continue(TestContext.Current.CancellationToken);
        RunResult result = run.Finish(TestContext.Current.CancellationToken);
        IReadOnlyList<CurvePoint> curve = RunRecord.Load(here["run"]).Curve(VerdictMetric.Loss);
        Assert.True(curve[^1].Value < curve[0].Value, $"{curve[0].Value} → {curve[^1].Value}");

        // The tiny vocabulary makes some examples longer than the window, and each is named.
        ExampleCounts counts = result.FineTuning!.Examples;
        Assert.NotEmpty(counts.TooLong);
        Assert.All(counts.TooLong, id => Assert.StartsWith("arithmetic-", id, StringComparison.Ordinal));
        Assert.Equal(ShortCount, counts.Train + counts.Valid + counts.TooLong.Count);
    }

    private static string FreshModel(string folder)
    {
        TransformerConfig shape = TinyRun.TeacherShape.Resolve(TinyExamples.Tokenizer.VocabularySize, Window);
        using var model = new Transformer(shape, trainable: false);
        model.Initialize(1);
        Directory.CreateDirectory(folder);
        ModelFolder.Save(folder, model);
        TinyExamples.Tokenizer.Save(Path.Combine(folder, ModelFolder.TokenizerFile));
        return folder;
    }

    // The first examples of the arithmetic file.
    private static string Short(string folder, TemporaryFolder here)
    {
        using var archive = new System.IO.Compression.GZipStream(
            File.OpenRead(Path.Combine(folder, "sft", "arithmetic.train.jsonl.gz")),
            System.IO.Compression.CompressionMode.Decompress
        );
        using var text = new StreamReader(archive);
        return here.Write(
            "arithmetic.jsonl",
            string.Concat(Enumerable.Range(0, ShortCount).Select(_ => text.ReadLine() + "\n"))
        );
    }

    private static string Require()
    {
        Assert.SkipWhen(SharedData.Folder is null, "There is no shared/data beside the checkout.");
        return SharedData.Folder!;
    }

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Saltern.slnx")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }

    [GeneratedRegex(@"\AQuestion: .*\S\nAnswer:\z", RegexOptions.Singleline)]
    private static partial Regex Question();

    [GeneratedRegex(@"\S\n\nQuestion: .*\S\nAnswer:\z", RegexOptions.Singleline)]
    private static partial Regex Passage();
}
