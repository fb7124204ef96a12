using System.Text.Json;

namespace Saltern.Cli.Tests;

// Commands besides train that share their work out over ranks: what they write does not depend on how many there are.
public class SharedCommandTests(Workspace workspace) : IClassFixture<Workspace>
{
    private static readonly (string, string) OneThread = ("OMP_NUM_THREADS", "1");

    [Theory]
    [InlineData("mpirun.openmpi", 3)]
    [InlineData("mpirun.mpich", 2)]
    public void Prepare_WritesTheSameBytes(string launcher, int ranks)
    {
        Directory.CreateDirectory(workspace["much"]);
        for (int part = 0; part < 4; part++)
        {
            // A megabyte each: more chunks than ranks, so that they take turns.
            File.WriteAllLines(
                workspace[$"much/{part}.jsonl"],
                Enumerable
                    .Range(0, 4_000)
                    .Select(i =>
                    {
                        string words = string.Join(' ', Enumerable.Range(i, 40).Select(j => $"word{j * 7919 % 1000}"));
                        return $$"""{"text": "{{part}} {{i}}: {{words}}", "domain": "d{{i % 3}}"}""";
                    })
            );
        }

        string[] prepare =
        [
            "prepare",
            "--input",
            workspace["much"],
            "--tokenizer",
            workspace["tokenizer.json"],
            "--valid-percent",
            "5",
            "--out",
        ];
        if (!Directory.Exists(workspace["much-one"]))
        {
            Require(SalternProcess.Run([.. prepare, workspace["much-one"]]));
        }

        (int code, string output, string error) = Launcher.Run(
            launcher,
            ranks,
            [.. prepare, workspace["much-" + launcher]]
        );
        Assert.True(code == 0, output + error);
        Assert.Single(output.Split('\n'), line => line.Contains(": 16000 documents", StringComparison.Ordinal)); // one rank speaks
        AssertSameFiles(workspace["much-one"], workspace["much-" + launcher], _ => 0);
    }

    [Fact]
    public void Teach_WritesTheSameSoftLabels()
    {
        string[] teach = ["teach", "--teacher", workspace["teacher"], "--recipe", workspace["salt.yaml"], "--out"];
        Require(SalternProcess.Run([.. teach, workspace["teach-one"]]));
        (int code, string output, string error) = Launcher.Run("mpirun.openmpi", 2, [.. teach, workspace["teach-two"]]);
        Assert.True(code == 0, output + error);
        Assert.True(Directory.GetFiles(workspace["teach-one/shards"]).Length > 1);

        // All but the seconds in the headers of the files, and what follows from them: their checksums in the manifest.
        AssertSameFiles(
            workspace["teach-one"],
            workspace["teach-two"],
            file =>
                Path.GetFileName(file) switch
                {
                    "manifest.json" => int.MaxValue,
                    var name when name.EndsWith(".teach", StringComparison.Ordinal) => 72,
                    _ => 0,
                }
        );

        // What one process left, two go on with, and the other way round: nothing is made twice.
        File.Delete(workspace["teach-two/shards/00000001.teach"]);
        (code, output, error) = Launcher.Run("mpirun.openmpi", 2, [.. teach, workspace["teach-two"]]);
        Assert.True(code == 0, output + error);
        Assert.Contains(
            "1492 samples of an interrupted pass were kept, 1024 were made",
            output,
            StringComparison.Ordinal
        );
        AssertSameFiles(workspace["teach-one/shards"], workspace["teach-two/shards"], _ => 72);
    }

    [Fact]
    public void Eval_FindsTheSameOnDataAndTasks()
    {
        File.WriteAllText(
            workspace["order.yaml"],
            "task: order\nkind: choice\nreadings: [{ prompt: \"{q}\", choices: [\"{good}\", \"{bad}\"], gold: gold }]\n"
        );
        File.WriteAllText(
            workspace["order.jsonl"],
            string.Concat(
                Enumerable
                    .Range(0, 300)
                    .Select(i =>
                        $$"""{"id":"i{{i}}","q":"The cat sees {{i}}","good":"the harbour in the north","bad":"sees sees","gold":0}"""
                        + "\n"
                    )
            )
        );
        string[] data = ["eval", workspace["teacher"], "--split", "all", "--tokens", "30000", "--out"];
        string[] tasks =
        [
            "eval",
            workspace["teacher"],
            "--tasks",
            workspace["order.yaml"],
            "--data-dir",
            workspace.Folder,
            "--out",
        ];
        foreach (
            (string[] eval, string name, string file) in new[]
            {
                (data, "data", "eval.json"),
                (tasks, "tasks", "results.json"),
            }
        )
        {
            string one = workspace[name + "-one"];
            string two = workspace[name + "-two"];
            Require(SalternProcess.Run([.. eval, one]));
            (int code, string output, string error) = Launcher.Run("mpirun.openmpi", 2, [.. eval, two], OneThread);
            Assert.True(code == 0, output + error);

            // Each run measures anew which library of products is the faster one, and the two round differently.
            double[] expected = Numbers(Path.Combine(one, file));
            double[] found = Numbers(Path.Combine(two, file));
            Assert.True(expected.Length > 10);
            Assert.Equal(expected.Length, found.Length);
            Assert.All(
                expected.Zip(found),
                pair =>
                    Assert.True(
                        Math.Abs(pair.First - pair.Second) <= 1e-5 * Math.Abs(pair.First),
                        $"{pair.First} and {pair.Second} in {file}"
                    )
            );
        }
    }

    [Fact]
    public void WithoutNccl_TheCheckSaysWhatIsMissing()
    {
        (int code, string output, string error) = SalternProcess.Run("nccl-check");
        if (code != 0)
        {
            Assert.Equal(2, code);
            Assert.Matches("libnccl.so.2 is not found|has no NVIDIA driver|finds no GPU", output + error);
        }
    }

    private static double[] Numbers(string file)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(file));
        return [.. Leaves(json.RootElement)];
    }

    // Times apart.
    private static IEnumerable<double> Leaves(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.Number => [element.GetDouble()],
            JsonValueKind.Object => element
                .EnumerateObject()
                .Where(property =>
                    !property.Name.Contains("time", StringComparison.Ordinal)
                    && !property.Name.Contains("second", StringComparison.Ordinal)
                    && property.Name != "date"
                )
                .SelectMany(property => Leaves(property.Value)),
            JsonValueKind.Array => element.EnumerateArray().SelectMany(Leaves),
            _ => [],
        };

    private static void AssertSameFiles(string expected, string found, Func<string, int> skip)
    {
        string[] files =
        [
            .. Directory
                .GetFiles(expected, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(expected, file))
                .Order(StringComparer.Ordinal),
        ];
        Assert.Equal(
            files,
            Directory
                .GetFiles(found, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(found, file))
                .Order(StringComparer.Ordinal)
        );
        foreach (string file in files.Where(file => skip(file) < int.MaxValue))
        {
            Assert.True(
                File.ReadAllBytes(Path.Combine(expected, file))
                    .AsSpan(skip(file))
                    .SequenceEqual(File.ReadAllBytes(Path.Combine(found, file)).AsSpan(skip(file))),
                file
            );
        }
    }

    private static void Require((int ExitCode, string Output, string Error) result) =>
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
}
