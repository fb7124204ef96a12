using System.Diagnostics;
using System.Globalization;

namespace Saltern.Cli.Tests;

// kill -9 at random moments, again and again, until the work is done: what comes out has to be what comes out undisturbed, byte for byte. docs/reliability.md has the long form's figures.
// SALTERN_KILLS sets the kills of each campaign (the suite keeps them few and its runs short), SALTERN_KILL_SEED the moments.
public class KillCampaignTests(Workspace workspace) : IClassFixture<Workspace>
{
    private const int KillsInTheSuite = 2;
    private const int StepsInTheSuite = 60;
    private const int FirstSeed = 20_261_125;
    private static readonly string[] Resume = ["--resume"];
    private readonly int _kills = Setting("SALTERN_KILLS", KillsInTheSuite);
    private readonly Random _random = new(Setting("SALTERN_KILL_SEED", FirstSeed));

    [Fact]
    public void TrainingThatSavesEveryStep_LosesNothing() =>
        CompareTraining("every-step", "training.checkpoint_every=1", Steps(400));

    [Fact]
    public void TrainingAroundTheSwitch_LosesNothing() =>
        CompareTraining(
            "switch",
            "training.checkpoint_every=2",
            Steps(120),
            "distillation.maximum=0.5",
            "training.checkpoint_in_background=false"
        );

    [Fact]
    public void TrainingThatGrows_LosesNothing() =>
        CompareTraining(
            "growth",
            "training.checkpoint_every=2",
            Steps(120),
            "growth=[{ until: 0.3, model: { num_hidden_layers: 1, hidden_size: 12 }, optimizer: copied }, "
                + "{ until: 0.6, model: { hidden_size: 12 }, warmup_steps: 2 }]"
        );

    [Fact]
    public void ATeachersPass_LosesNothing()
    {
        string[] arguments = ["teach", "--teacher", workspace["teacher"], "--recipe", workspace["auto.yaml"], "--out"];
        string whole = workspace["kills-teach-whole"];
        string cut = workspace["kills-teach-cut"];
        TimeSpan usual = Require([.. arguments, whole]);
        Campaign(
            "teach",
            cut,
            () => [.. arguments, cut],
            usual,
            "manifest.json",
            () =>
            {
                foreach (string file in Directory.EnumerateFiles(Path.Combine(whole, "shards")))
                {
                    // All but the seconds in the header, and the checksum over them.
                    Assert.True(
                        File.ReadAllBytes(file)
                            .AsSpan(72)
                            .SequenceEqual(
                                File.ReadAllBytes(Path.Combine(cut, "shards", Path.GetFileName(file))).AsSpan(72)
                            ),
                        file
                    );
                }
            }
        );
    }

    [Fact]
    public void Preparing_LosesNothing()
    {
        string[] arguments =
        [
            "prepare",
            "--input",
            workspace["text"],
            "--tokenizer",
            workspace["tokenizer.json"],
            "--out",
        ];
        string whole = workspace["kills-prepare-whole"];
        string cut = workspace["kills-prepare-cut"];
        TimeSpan usual = Require([.. arguments, whole]);
        string[] files =
        [
            .. Directory
                .GetFiles(whole, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(whole, file)),
        ];
        Campaign("prepare", cut, () => [.. arguments, cut], usual, "dataset.json", () => Same(whole, cut, files));
    }

    private string Steps(int longForm)
    {
        int steps = _kills > KillsInTheSuite ? longForm : StepsInTheSuite;
        return $"training.steps={steps}";
    }

    private void CompareTraining(string name, params string[] settings)
    {
        string[] arguments = ["train", workspace["auto.yaml"], "--set", .. settings, "--out"];
        string whole = workspace["kills-whole-" + name];
        string cut = workspace["kills-cut-" + name];
        TimeSpan usual = Require([.. arguments, whole]);
        string last = Path.GetRelativePath(
            whole,
            Directory.GetDirectories(Path.Combine(whole, "checkpoints")).Max(StringComparer.Ordinal)!
        );
        Campaign(
            name,
            cut,
            () => [.. arguments, cut, .. Directory.Exists(cut) ? Resume : []],
            usual,
            "result.json",
            () => Same(whole, cut, Path.Combine(last, "model.safetensors"), Path.Combine(last, "optimizer.safetensors"))
        );
    }

    // The work again and again, until there were enough kills.
    private void Campaign(
        string name,
        string folder,
        Func<string[]> arguments,
        TimeSpan usual,
        string lastFile,
        Action compare
    )
    {
        int kills = 0;
        int rounds = 0;
        for (; kills < _kills; rounds++)
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            kills += KillUntilDone(arguments, usual, _kills - kills, () => File.Exists(Path.Combine(folder, lastFile)));
            compare();
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{name}: {kills} kills in {rounds} rounds, the same bytes after each"
        );
    }

    // Killed attempts until there were enough of them or the work is done; the rest of the work undisturbed.
    private int KillUntilDone(Func<string[]> arguments, TimeSpan usual, int most, Func<bool> isDone)
    {
        int kills = 0;
        while (kills < most && !isDone())
        {
            using Process process = SalternProcess.StartQuietly(arguments());
            process.BeginOutputReadLine();
            if (process.WaitForExit(TimeSpan.FromSeconds(usual.TotalSeconds * (0.2 + (0.8 * _random.NextDouble())))))
            {
                Assert.True(process.ExitCode == 0, $"attempt {kills + 1} ended with {process.ExitCode}");
                break;
            }

            process.Kill();
            process.WaitForExit();
            kills++;
        }

        if (!isDone())
        {
            Require(arguments());
        }

        return kills;
    }

    private static TimeSpan Require(string[] arguments)
    {
        long begun = Stopwatch.GetTimestamp();
        (int code, string output, string error) = SalternProcess.Run(arguments);
        Assert.True(code == 0, output + error);
        return Stopwatch.GetElapsedTime(begun);
    }

    private static void Same(string whole, string cut, params string[] files) =>
        Assert.All(
            files,
            file =>
                Assert.True(
                    File.ReadAllBytes(Path.Combine(whole, file))
                        .AsSpan()
                        .SequenceEqual(File.ReadAllBytes(Path.Combine(cut, file))),
                    file
                )
        );

    private static int Setting(string name, int otherwise)
    {
        if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } text)
        {
            return int.Parse(text, CultureInfo.InvariantCulture);
        }

        return otherwise;
    }
}
