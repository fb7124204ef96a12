using Saltern.Cli.Demo;
using Saltern.Corpora;
using Saltern.RunFiles;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Docs.Tests;

// The tutorial, followed word by word at a reduced size: its files are written as they stand there, its commands run in their order.
public sealed class TutorialTests : IDisposable
{
    private const string Page = "docs/tutorial.md";

    // 40 steps for 1,200, and the checkpoint of step 2 for that of step 60.
    // The faster of two libraries, measured anew by each run, need not be the same one on a busy machine.
    private static readonly string[] Smaller =
    [
        "products=blas",
        "training.steps=40",
        "training.batch_sequences=4",
        "training.evaluate_every=10",
        "training.keep_steps=[2]",
        "training.evaluation_tokens=1024",
        "training.final_evaluation_tokens=2048",
        "training.log_every=5",
        "data.sequence_length=64",
        "schedule.warmup_steps=2",
        "distillation.smoothing=0.05",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("saltern-tutorial-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Commands_LeadToTheRunsThatThePageTalksOf()
    {
        PrepareTextInPlaceOfTheDemonstration();
        var verbs = new List<string>();
        var comparisons = new List<string>();
        foreach (MarkdownBlock block in MarkdownBlock.Of(Page))
        {
            if (block.File.Length > 0)
            {
                File.WriteAllText(Path.Combine(_folder, block.File), block.Text + "\n");
            }

            foreach (CommandSnippet call in block.Language == "sh" ? CommandSnippet.Of(block) : [])
            {
                string[] arguments =
                [
                    .. call.Arguments.Select(argument =>
                        argument.Replace("step-00000060", "step-00000002", StringComparison.Ordinal)
                    ),
                ];
                verbs.Add(arguments[0]);

                // The demonstration has a test of its own, watch waits for a browser, and a study is of a clone and of hours.
                if (arguments[0] is not ("demo" or "watch" or "study"))
                {
                    string output = ProgramProcess.Run(
                        "saltern.dll",
                        _folder,
                        arguments[0] == "train" ? [.. arguments, "--set", .. Settings(arguments)] : arguments
                    );
                    if (arguments[0] == "compare")
                    {
                        comparisons.Add(output);
                    }
                }
            }
        }

        Assert.Equal(
            [
                "demo",
                "recipe",
                "train",
                "train",
                "train",
                "compare",
                "watch",
                "train",
                "train",
                "train",
                "train",
                "compare",
                "train",
                "compare",
            ],
            verbs
        );
        foreach (string arm in new[] { "BASELINE", "salt", "weak", "late" })
        {
            Assert.Contains(arm, comparisons[^2], StringComparison.OrdinalIgnoreCase);
        }

        Assert.Contains("GROWN", comparisons[^1], StringComparison.Ordinal);
        Assert.Equal(8, Result("grown").Stages[0].LastStep);

        Assert.StartsWith(
            "<!DOCTYPE html>",
            File.ReadAllText(Path.Combine(_folder, "report.html")),
            StringComparison.OrdinalIgnoreCase
        );

        // What the page says of them holds at any size.
        Assert.Equal(10, Result("salt").Stage1EndStep);
        Assert.Equal(38, Result("late").Stage1EndStep);
        Assert.Equal(4.0, Result("hot").Teacher!.Temperature);
        Assert.True(
            Result("weak-auto").Stage1EndStep < Result("weak").Stage1EndStep,
            "'auto' kept the weak teacher longer than the schedule did"
        );
        Assert.All(
            new[] { "salt", "weak", "weak-auto", "late", "hot" },
            run => Assert.Equal(Result("baseline").InitialWeightsFingerprint, Result(run).InitialWeightsFingerprint)
        );
    }

    private RunResult Result(string run) => RunRecord.Load(Path.Combine(_folder, "runs", run)).Result;

    // A setting of the page wins over the smaller size; keys of sections that the recipe lacks would be errors.
    private static IEnumerable<string> Settings(string[] arguments) =>
        Smaller
            .Where(setting =>
                !setting.StartsWith("distillation.", StringComparison.Ordinal)
                || arguments[1] is "salt.yaml" or "auto.yaml"
            )
            .Append(arguments[1] == "teacher.yaml" ? "training.checkpoint_every=2" : "training.checkpoint_every=40");

    private void PrepareTextInPlaceOfTheDemonstration()
    {
        TextDocument[] text = [.. GeneratedText.Generate(seed: 1, bytes: 300_000)];
        BpeTokenizer tokenizer = BpeTrainer.Train(
            text.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = 400 }
        );
        DatasetBuilder.Build(
            text,
            null,
            tokenizer,
            Path.Combine(_folder, "demo/data"),
            new DatasetBuilderOptions { ValidPercent = 10 }
        );
    }
}
