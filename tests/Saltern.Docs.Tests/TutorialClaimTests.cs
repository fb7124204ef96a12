using Saltern.Cli.Demo;
using Saltern.RunFiles;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Docs.Tests;

// What the tutorial argues from its curves, at its own size and on its own text, for two seeds of the students. Some minutes of
// a quiet core, so only where it is asked for: SALTERN_TUTORIAL=1.
public sealed class TutorialClaimTests : IDisposable
{
    // Nats. The page's effects at steps 200 and 300 are 0.3 to 0.6; seeds and processors move a loss by some hundredths.
    private const double Large = 0.15;
    private static readonly string[] Seeds = ["1", "2"];
    private readonly string _folder = Directory.CreateTempSubdirectory("saltern-tutorial-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void WhatThePageArguesFrom_IsThereOnTwoSeeds()
    {
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("SALTERN_TUTORIAL") == "1",
            "It trains for minutes; SALTERN_TUTORIAL=1 runs it."
        );
        string? root = DotNetReferenceText.FindSdkRoot(Environment.GetEnvironmentVariable("DOTNET_ROOT"));
        Assert.SkipWhen(root is null, "No .NET SDK with its reference documentation was found.");
        var corpus = new DemoCorpus("reference", DotNetReferenceText.Read(root, TestContext.Current.CancellationToken));
        BpeTokenizer tokenizer = BpeTrainer.Train(
            corpus.Documents.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = 2048 },
            cancellationToken: TestContext.Current.CancellationToken
        );
        DatasetBuilder.Build(
            corpus.Documents,
            null,
            tokenizer,
            Path.Combine(_folder, "demo/data"),
            new DatasetBuilderOptions { ValidPercent = corpus.ValidPercent(65_536) },
            cancellation: TestContext.Current.CancellationToken
        );
        foreach (MarkdownBlock block in MarkdownBlock.Of("docs/tutorial.md").Where(block => block.File.Length > 0))
        {
            File.WriteAllText(Path.Combine(_folder, block.File), block.Text + "\n");
        }

        const string Weak = "teacher.path=runs/teacher/checkpoints/step-00000060";
        Train("teacher.yaml");
        foreach (string seed in Seeds)
        {
            Until300("baseline.yaml", seed, "baseline");
            Until300("salt.yaml", seed, "salt");
            Until300("salt.yaml", seed, "weak", Weak);
            Until300("auto.yaml", seed, "weak-auto", Weak);
            Until300("salt.yaml", seed, "hot", "teacher.temperature=4");

            // An early lead of SALT; a weak teacher and a hot one hold the student back; 'auto' lets the weak one go in time.
            double plain = Loss("baseline", seed, 200);
            Assert.True(Loss("salt", seed, 200) < plain - Large, Losses(seed));
            Assert.True(Loss("salt", seed, 300) < Loss("baseline", seed, 300) - Large, Losses(seed));
            Assert.True(Loss("weak", seed, 300) > Loss("baseline", seed, 300) + Large, Losses(seed));
            Assert.True(Loss("hot", seed, 300) > Loss("baseline", seed, 300) + Large, Losses(seed));
            Assert.True(Loss("weak-auto", seed, 200) < Loss("weak", seed, 200) - Large, Losses(seed));
            Assert.True(Loss("weak-auto", seed, 300) < Loss("weak", seed, 300) - Large, Losses(seed));
            TestContext.Current.TestOutputHelper?.WriteLine(Losses(seed));
        }
    }

    private void Until300(string recipe, string seed, string name, params string[] settings) =>
        Train([recipe, "--until", "300", "--set", $"name={name}-{seed}", $"seed={seed}", .. settings]);

    private void Train(params IReadOnlyList<string> arguments) =>
        ProgramProcess.Run("saltern.dll", _folder, ["train", .. arguments]);

    private double Loss(string run, string seed, int step) =>
        RunRecord
            .Load(Path.Combine(_folder, "runs", $"{run}-{seed}"))
            .Metrics.Series(MetricNames.ValidLoss)
            .Single(point => point.Step == step)
            .Value;

    private string Losses(string seed) =>
        string.Join(
            "; ",
            new[] { "baseline", "salt", "weak", "weak-auto", "hot" }.Select(run =>
                FormattableString.Invariant(
                    $"{run}-{seed} {Loss(run, seed, 100):0.000} {Loss(run, seed, 200):0.000} {Loss(run, seed, 300):0.000}"
                )
            )
        );
}
