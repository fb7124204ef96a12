using System.CommandLine;
using System.Diagnostics;
using Saltern.Cli.Terminal;

namespace Saltern.Cli.Tests;

// What a user gets wrong ends before any training, with every problem listed, and nothing lost.
public class MistakeTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void ARecipeFullOfMistakes_ListsThemAll()
    {
        string recipe = workspace["wrong.yaml"];
        File.WriteAllText(
            recipe,
            $$"""
            name: wrong
            data: { path: {{workspace["data"]}}, sequence_lenght: 32 }
            model: { hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 5 }
            optimizer: { learning_rate: fast }
            distillation: { weight: 1.3 }
            training: { batch_sequences: 8 }
            """
        );
        (int code, string output, string error) = SalternProcess.Run("train", recipe, "--out", workspace["never"]);
        Assert.Equal(2, code);
        Assert.Equal("", output);
        foreach (
            string expected in new[]
            {
                "wrong.yaml:2:",
                "data.sequence_lenght",
                "sequence_length",
                "model.num_attention_heads = 5 does not divide hidden_size = 24",
                "optimizer.learning_rate",
                "fast",
                "distillation.weight = 1.3",
                "[0, 1]",
                "Use 0 to turn distillation off.",
                "training.steps",
            }
        )
        {
            Assert.Contains(expected, error, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(workspace["never"]));
    }

    [Theory]
    [InlineData("{ weight: 0.5 }", "distillation.start is missing")]
    [InlineData("{ transition: step }", "distillation.start is missing")]
    [InlineData("{ transition: linear, start: 0.2, end: 0.1 }", "must run forward and end inside the run")]
    [InlineData(
        "{ transition: step, start: 0.2, per_domain: true }",
        "distillation.per_domain is used by the transition 'auto' only"
    )]
    [InlineData("{ transition: auto, maximum: 0.05 }", "must lie after the anchor")]
    [InlineData(
        "{ transition: auto, gate: top_probability, gate_threshold: 3 }",
        "distillation.gate_threshold = 3 is a probability"
    )]
    [InlineData(
        "{ transition: auto, gate: domain, gate_domains: { east: 0.5 } }",
        "the data set has no domain 'east'. It has north, south."
    )]
    [InlineData("{ transition: auto, renormalise: true }", "has nothing to scale without a gate")]
    public void EveryMistakeInTheTwoStages_IsNamed(string distillation, string expected)
    {
        (int code, string output, string error) = SalternProcess.Run(
            "train",
            workspace["salt.yaml"],
            "--set",
            "distillation=" + distillation,
            "--out",
            workspace["never-staged"]
        );
        Assert.Equal(2, code);
        Assert.Equal("", output);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(workspace["never-staged"]));
    }

    [Fact]
    public void AMissingTeacher_AndACudaDevice_AreNamedTogether()
    {
        (int code, _, string error) = SalternProcess.Run(
            "train",
            workspace["salt.yaml"],
            "--set",
            $"teacher.path={workspace["gone"]}",
            "--device",
            "cuda"
        );
        Assert.Equal(2, code);
        Assert.Contains($"{workspace["gone"]} does not exist", error, StringComparison.Ordinal);
        Assert.Contains("device = cuda, but the libtorch in use", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ATeacherWithAnotherTokenizer_IsRefused()
    {
        SalternProcess.Run(
            "tokenizer",
            "train",
            "--input",
            workspace["text"],
            "--vocab",
            "300",
            "--out",
            workspace["other.json"]
        );
        SalternProcess.Run(
            "prepare",
            "--input",
            workspace["text"],
            "--tokenizer",
            workspace["other.json"],
            "--out",
            workspace["other"],
            "--valid-percent",
            "15"
        );
        (int code, _, string error) = SalternProcess.Run(
            "train",
            workspace["salt.yaml"],
            "--set",
            $"data.path={workspace["other"]}",
            "--out",
            workspace["refused"]
        );
        Assert.Equal(2, code);
        Assert.Contains("has another tokenizer than the data set", error, StringComparison.Ordinal);
        Assert.Contains(
            "replace the section distillation by 'alignment: { weight: 0.1, start: 0, end: 0.5 }'",
            error,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(workspace["refused"]));
    }

    [Fact]
    public void ATeacherWithAPaddedVocabulary_Teaches_AndOneWithFewerRowsThanIdsIsRefused()
    {
        string padded = workspace["padded"];
        (int code, _, string error) = SalternProcess.Run(
            "train",
            workspace["teacher.yaml"],
            "--set",
            "model.vocab_size=384",
            "--set",
            "training.steps=2",
            "--set",
            "schedule.warmup_steps=1",
            "--out",
            padded
        );
        Assert.True(code == 0, error);
        (code, _, error) = SalternProcess.Run(
            "train",
            workspace["salt.yaml"],
            "--set",
            $"teacher.path={padded}",
            "--set",
            "training.steps=10",
            "--set",
            "schedule.warmup_steps=1",
            "--out",
            workspace["taught"]
        );
        Assert.True(code == 0, error);
        string config = Directory
            .EnumerateFiles(Path.Combine(padded, "checkpoints"), "config.json", SearchOption.AllDirectories)
            .Last();
        string folder = workspace["narrow"];
        Directory.CreateDirectory(folder);
        foreach (string name in new[] { "config.json", "model.safetensors", "tokenizer.json" })
        {
            File.Copy(Path.Combine(Path.GetDirectoryName(config)!, name), Path.Combine(folder, name));
        }

        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            File.ReadAllText(config).Replace("384", "319", StringComparison.Ordinal)
        );
        (code, _, error) = SalternProcess.Run(
            "train",
            workspace["salt.yaml"],
            "--set",
            $"teacher.path={folder}",
            "--out",
            workspace["refused2"]
        );
        Assert.Equal(2, code);
        Assert.Contains(
            "has 319 rows in its vocabulary, fewer than the 320 ids of its tokenizer",
            error,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("missing")]
    [InlineData("flipped")]
    public void ADamagedShard_IsNamed(string damage)
    {
        string copy = workspace["damaged-" + damage];
        string shard = Path.Combine(copy, "train", "north.bin");
        foreach (string file in Directory.EnumerateFiles(workspace["data"], "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(copy, Path.GetRelativePath(workspace["data"], file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        byte[] bytes = File.ReadAllBytes(shard);
        switch (damage)
        {
            case "truncated":
                File.WriteAllBytes(shard, bytes[..^10]);
                break;
            case "missing":
                File.Delete(shard);
                break;
            default:
                bytes[100] ^= 1;
                File.WriteAllBytes(shard, bytes);
                break;
        }

        (int code, _, string error) = SalternProcess.Run(
            "train",
            workspace["baseline.yaml"],
            "--set",
            $"data.path={copy}",
            "--out",
            workspace["never-" + damage]
        );
        Assert.Equal(2, code);
        Assert.Contains("north.", error, StringComparison.Ordinal);
        string named = damage switch
        {
            "flipped" => "SHA-256",
            "missing" => "missing",
            _ => "bytes",
        };
        Assert.Contains(named, error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(workspace["never-" + damage]));
    }

    [Fact]
    public void MissingFilesAndFolders_AreNamed()
    {
        AssertFails(2, ["train", workspace["nowhere.yaml"]], "nowhere.yaml");
        AssertFails(1, ["eval", workspace["nowhere"]], "does not exist");
        AssertFails(1, ["generate", workspace["text"]], "neither a config.json nor a whole checkpoint");
        AssertFails(
            2,
            [
                "prepare",
                "--input",
                workspace["nowhere"],
                "--tokenizer",
                workspace["tokenizer.json"],
                "--out",
                workspace["x"],
            ],
            "nowhere"
        );
        AssertFails(1, ["tokenizer", "show", workspace["salt.yaml"]], "salt.yaml");
        AssertFails(2, ["train"], "Name a recipe");
        AssertFails(2, ["trian"], "trian");
        AssertFails(2, ["demo", "--minutes", "0.1"], "--minutes = 0.1 is outside [1, 600]");
    }

    [Fact]
    public void AWarmUpThatDoesNotFit_IsNamedWithItsPlace()
    {
        (int code, _, string error) = SalternProcess.Run(
            "train",
            workspace["baseline.yaml"],
            "--set",
            "schedule.warmup_steps=100"
        );
        Assert.Equal(2, code);
        Assert.Contains(
            "schedule.warmup_steps = 100 and a decay of 0 steps do not fit into training.steps = 60",
            error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void APeakThatIsNoSpeed_IsNamed()
    {
        var start = new ProcessStartInfo(
            "dotnet",
            [SalternProcess.Program, "train", workspace["baseline.yaml"], "--out", workspace["no-speed"]]
        )
        {
            RedirectStandardError = true,
        };
        start.Environment["SALTERN_MATMUL_GFLOPS"] = "fast";
        using Process process = Process.Start(start)!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(2, process.ExitCode);
        Assert.Contains(
            "SALTERN_MATMUL_GFLOPS = fast is no speed. Give GFLOP/s, such as 50",
            error,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(workspace["no-speed"]));
    }

    [Fact]
    public void AMisspeltOption_IsNoRunFolder()
    {
        AssertFails(
            2,
            ["compare", workspace["a"], workspace["b"], "--reprot", "x.html"],
            "'--reprot' is not an option of 'saltern compare'. Did you mean --report?"
        );
        AssertFails(
            2,
            ["watch", workspace["a"], "--prot=5000"],
            "'--prot=5000' is not an option of 'saltern watch'. Did you mean --port?"
        );
        AssertFails(
            2,
            ["generate", workspace["a"], "--prompt", "--once"],
            "'--once' is not an option of 'saltern generate'. As a value it is written --prompt=--once."
        );
        AssertFails(1, ["generate", workspace["a"], "--prompt=--once"], "does not exist");
        AssertFails(1, ["compare", "--", "--reprot", workspace["b"]], "--reprot");
    }

    [Fact]
    public void EveryOptionOfEveryCommand_IsRefusedWhenMisspelt()
    {
        RootCommand root = CommandLine.Create();
        var missed = new List<string>();
        int tried = 0;
        foreach ((string[] path, Command command) in Verbs(root, []))
        {
            foreach (Option option in command.Options.Where(option => option.Name.Length > 4))
            {
                // The last two letters change places, as they do under hasty fingers; a doubled last letter is left out instead.
                string name = option.Name;
                string wrong = name[^1] == name[^2] ? name[..^1] : $"{name[..^2]}{name[^1]}{name[^2]}";
                foreach (
                    string[] line in new[]
                    {
                        [.. path, wrong, "x"],
                        [.. path, "x", "y", wrong],
                        (string[])[.. path, "x", option.Name, wrong],
                    }
                )
                {
                    IReadOnlyList<UnknownOption> found = UnknownOption.In(root.Parse(line), line);
                    tried++;
                    if (
                        found is not [{ } one]
                        || one.Word != wrong
                        || !one.Meant.Contains("Did you mean --", StringComparison.Ordinal)
                    )
                    {
                        missed.Add($"{string.Join(' ', line)}: {string.Join("; ", found)}");
                    }
                }
            }
        }

        Assert.True(tried > 300, $"{tried} tried");
        Assert.Empty(missed);
    }

    private static IEnumerable<(string[] Path, Command Command)> Verbs(Command command, string[] path)
    {
        if (command.Subcommands.Count == 0)
        {
            return [(path, command)];
        }

        return command.Subcommands.SelectMany(each => Verbs(each, [.. path, each.Name]));
    }

    private static void AssertFails(int expectedCode, string[] arguments, string expected)
    {
        (int code, _, string error) = SalternProcess.Run(arguments);
        Assert.True(code == expectedCode, $"'{string.Join(' ', arguments)}' exited with {code}: {error}");
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }
}
