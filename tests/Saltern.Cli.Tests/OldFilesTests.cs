using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Saltern.Cli.Tests;

// What saltern 0.1 wrote is read by this program, and says the same. Through the program alone: what is inside may
// change, the files stay.
public sealed partial class OldFilesTests : IDisposable
{
    // Sums of logged figures in double precision; processors differ in the last bits of a logarithm.
    private const double OfTheSameFigures = 1e-9;

    // One pass over the same weights in single precision.
    private const double OfTheSameWeights = 1e-5;

    // A dozen steps of training in single precision. Processors add in other orders: plain kernels, or vectors without
    // AVX2 in libtorch, MKL and .NET, moved these losses by 8e-9 of themselves at most. One step more or less with the
    // teacher moves them by 5e-5 and more, so it shows. Steps, samples, tokens, FLOPs and the end of stage 1 are counted:
    // they hold exactly.
    private const double OfTheSameTraining = 1e-6;

    // On the processor that expected.json names, weights are the same to the last bit. A test cannot know that it runs on
    // that one, whose name says little, so this is asked for.
    private static readonly bool IsSameProcessor = Environment.GetEnvironmentVariable("SALTERN_OLD_FILES_EXACT") == "1";

    private readonly OldFiles _old = new();

    public void Dispose() => _old.Dispose();

    // One of them was stopped and is judged by its last evaluation.
    [Fact]
    public void Runs_GiveTheVerdictThatWasWritten()
    {
        string[] finished = ["baseline", "auto", "step", "aligned", "cached", "selected"];
        string[] runs = [.. finished.Select(arm => $"runs/{arm}/seed-3"), "stopped/muon/seed-3"];
        JsonElement verdict = OldFiles.Parse(_old.Run(["compare", .. runs, "--json"]));
        SameFigures.Require(_old.Json("verdict.json"), verdict, OfTheSameFigures);
    }

    [Fact]
    public void StoppedRun_GoesOnToTheSameFigures()
    {
        string output = _old.Run(
            "train",
            "stopped/baseline/seed-3/recipe.yaml",
            "--out",
            "stopped/baseline/seed-3",
            "--resume"
        );
        Assert.Contains("Resuming stopped/baseline/seed-3 after step 12.", output, StringComparison.Ordinal);
        RequireSameRun("baseline/seed-3", 30);
    }

    // In one process: six cost half a minute. A run goes on only if the study's recipe is that of its folder, so it is
    // part of this that recipes still mean what they meant.
    [Fact]
    public void StoppedRunsOfAStudy_GoOnToTheSameFigures()
    {
        string[] arms = ["auto", "step", "muon", "aligned", "cached", "selected"];
        string[] study = ["study", "recipes/grid.yaml", "--runs", "stopped", "--out", "studies/stopped"];
        string output = _old.Run([.. study, "--step-times", "never", "--arms", .. arms]);
        foreach (string arm in arms)
        {
            int step = arm is "auto" or "step" ? 15 : 12;
            Assert.Contains($"Resuming stopped/{arm}/seed-3 after step {step}.", output, StringComparison.Ordinal);
            RequireSameRun(arm + "/seed-3", 30);
        }
    }

    [Fact]
    public void StoppedFineTuning_GoesOnToTheSameFigures()
    {
        string output = _old.Run("finetune", "recipes/boxes.yaml", "--out", "stopped/boxes/seed-1", "--resume");
        Assert.Contains("Resuming stopped/boxes/seed-1 after step 18.", output, StringComparison.Ordinal);
        RequireSameRun("boxes/seed-1", 24);
    }

    // What the old files call the end of stage 1: the first step without the teacher in a checkpoint, the last one with
    // it in a result and in the metrics.
    [Theory]
    [InlineData("auto", 23)]
    [InlineData("step", 14)]
    [InlineData("muon", 12)]
    [InlineData("aligned", 23)]
    [InlineData("cached", 14)]
    public void EndOfStage1_WasOneStepLaterInCheckpoints(string name, int last)
    {
        JsonElement expected = OldFiles.Expected.GetProperty("resumed").GetProperty(name);
        Assert.Equal(last, expected.GetProperty("result").GetProperty("stage1_end_step").GetInt32());
        Assert.Equal(last + 1, expected.GetProperty("state").GetProperty("stage1_end_step").GetInt32());
        string run = $"runs/{name}/seed-3";
        Assert.Equal(last, _old.Json(run + "/result.json").GetProperty("stage1_end_step").GetInt32());
        JsonElement said = _old.Metrics(run).Single(line => line.TryGetProperty("event/stage1_end", out _));
        Assert.Equal(last, said.GetProperty("event/stage1_end").GetInt32());
    }

    [Fact]
    public void Checkpoints_DataSet_AndDifficulty_GiveTheSameLosses()
    {
        string[] eval = ["eval", "runs/auto/seed-3", "--teacher", "runs/teacher", "--buckets", "teach/soft"];
        JsonElement losses = OldFiles.Parse(_old.Run([.. eval, "--split", "all", "--json"]));
        SameFigures.Require(OldFiles.Expected.GetProperty("eval"), losses, OfTheSameWeights);
    }

    [Fact]
    public void SoftLabels_AreSeenAsFinished()
    {
        Dictionary<string, string> before = Sums("teach/soft/shards");
        JsonElement manifest = _old.Json("teach/soft/manifest.json");
        string[] recipe = ["teacher.cache=teach/soft", "distillation.transition=step", "distillation.start=14"];
        string[] data = ["training.batch_sequences=2", "seed=3", "data.path=/proc/self/cwd/data"];
        string[] teach = ["teach", "--teacher", "runs/teacher", "--recipe", "recipes/base.yaml"];
        _old.Run([.. teach, "--set", .. recipe, .. data, "--stage1-only", "--draws", "8", "--out", "teach/soft"]);

        // The header of a file made anew would hold other seconds.
        Assert.NotEmpty(before);
        Assert.Equal(before, Sums("teach/soft/shards"));
        JsonElement again = _old.Json("teach/soft/manifest.json");
        foreach (string name in new[] { "plan", "positions", "bytes", "buckets", "teacher", "shards" })
        {
            SameFigures.Require(manifest.GetProperty(name), again.GetProperty(name), 0);
        }
    }

    [Fact]
    public void Scores_GiveTheSameSelection()
    {
        string[] select = ["select", "--scores", "teach/scores", "--share", "0.3", "--k", "20", "--min-tokens", "8"];
        string told = _old.Run([.. select, "--out", "select/again"]);
        JsonElement selection = _old.Json("select/hard/selection.json");
        JsonElement again = _old.Json("select/again/selection.json");
        string counts = $"{selection.GetProperty("chosen")} of {selection.GetProperty("scored")} scored samples chosen";
        Assert.Contains(counts, told, StringComparison.Ordinal);
        foreach (
            string name in new[] { "samples", "teacher", "rule", "domains", "scored", "unscored", "chosen", "sha256" }
        )
        {
            SameFigures.Require(selection.GetProperty(name), again.GetProperty(name), 0);
        }

        Assert.Equal(Sha256("select/hard/samples.bin"), Sha256("select/again/samples.bin"));
    }

    [Fact]
    public void KeptResultsOfAStudy_GiveTheVerdictThatWasWritten()
    {
        JsonElement verdict = _old.Json("studies/tiny/verdict.json");
        JsonElement tuned = _old.Json("studies/tiny/finetune.json");

        // What is kept stands for the plan: keys, and what data set and teacher hold. Seconds are steps with and without
        // the teacher times step-times.json: a wrong end of stage 1 would show in them.
        Assert.Equal(JsonValueKind.Number, verdict.GetProperty("runs")[0].GetProperty("seconds_ratio").ValueKind);
        File.Delete(_old["studies/tiny/finetune.json"]);
        _old.Run("study", "recipes/tiny.yaml", "--report-only");
        SameFigures.Require(verdict, _old.Json("studies/tiny/verdict.json"), OfTheSameFigures);
        SameFigures.Require(tuned, _old.Json("studies/tiny/finetune.json"), OfTheSameFigures);
    }

    // The folder of a run has its recipe with every default of that time: no key may have gone.
    [Theory]
    [InlineData("runs/auto/seed-3/recipe.yaml")]
    [InlineData("runs/boxes/seed-1/recipe.yaml")]
    public void ResolvedRecipe_StaysAsItIs(string recipe)
    {
        string[] resolved = _old.Run("recipe", "show", recipe, "--resolved").Split('\n');
        string[] old = [.. File.ReadLines(_old[recipe]).Where(line => !line.StartsWith('#')).Except(resolved)];

        // Of fine-tuning it is a section now; the short form is still read.
        Assert.DoesNotContain(old, line => !line.StartsWith("init_from: ", StringComparison.Ordinal));
        Assert.All(old, line => Assert.Contains("  path: " + line["init_from: ".Length..], resolved));
    }

    [Fact]
    public void Tokenizer_IsTheSame()
    {
        string told = _old.Run("tokenizer", "show", "tokenizer.json", "--text", "The cat");
        Assert.Contains(
            "fingerprint: " + _old.Json("data/dataset.json").GetProperty("tokenizer_fingerprint").GetString(),
            told,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "7 tokens: 84:'T' 104:'h' 101:'e' 32:' ' 99:'c' 97:'a' 116:'t'",
            told,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Watch_ShowsFinishedAndStoppedRuns()
    {
        using Process process = _old.Start("watch", "runs", "stopped", "--port", "0");
        try
        {
            string? line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            Match address = WatchAddress().Match(line ?? "");
            Assert.True(address.Success, line);
            Assert.Equal("17", address.Groups["runs"].Value);
            using var client = new HttpClient();
            string page = await client.GetStringAsync(
                new Uri(address.Groups["url"].Value),
                TestContext.Current.CancellationToken
            );
            string[] names = ["teacher", "auto-seed-3", "step-seed-3", "muon-seed-3", "aligned-seed-3", "boxes"];
            Assert.All(names, name => Assert.Contains(name, page, StringComparison.Ordinal));
            Assert.DoesNotContain("damaged", page, StringComparison.OrdinalIgnoreCase);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    private void RequireSameRun(string name, int steps)
    {
        JsonElement expected = OldFiles.Expected.GetProperty("resumed").GetProperty(name.Split('/')[0]);
        string run = "stopped/" + name;
        SameFigures.Require(expected.GetProperty("result"), _old.Json(run + "/result.json"), OfTheSameTraining);

        // Half a line and those of steps beyond the checkpoint are gone; the lines are those of the run that was never
        // stopped.
        IReadOnlyList<JsonElement> metrics = _old.Metrics(run);
        Assert.Equal(_old.Metrics("runs/" + name).Select(Kind), metrics.Select(Kind));
        JsonElement evaluation = metrics.Last(line => line.TryGetProperty("valid/loss", out _));
        SameFigures.Require(expected.GetProperty("last_evaluation"), evaluation, OfTheSameTraining);
        if (IsSameProcessor)
        {
            string checkpoint = $"{run}/checkpoints/step-{steps:D8}/";
            Assert.Equal(expected.GetProperty("model_sha256").GetString(), Sha256(checkpoint + "model.safetensors"));
            Assert.Equal(
                expected.GetProperty("optimizer_sha256").GetString(),
                Sha256(checkpoint + "optimizer.safetensors")
            );
        }
    }

    // Steps and names of a line: figures of time and of the machine differ.
    private static string Kind(JsonElement line) =>
        $"{line.GetProperty("step")} {string.Join(' ', line.EnumerateObject().Select(figure => figure.Name))}";

    private string Sha256(string name) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_old[name])));

    private Dictionary<string, string> Sums(string folder) =>
        Directory
            .EnumerateFiles(_old[folder], "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(_old.Folder, path))
            .ToDictionary(name => name, Sha256);

    [GeneratedRegex(@"watching (?<runs>\d+) runs: (?<url>http://\S+)")]
    private static partial Regex WatchAddress();
}
