using System.Text.Json;

namespace Saltern.Cli.Tests;

public class ImportTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void AnImportedModel_Generates()
    {
        string checkpoint = Directory.GetDirectories(Path.Combine(workspace["teacher"], "checkpoints")).Order().Last();
        string model = workspace["imported"];
        Directory.CreateDirectory(workspace["hf"]);
        foreach (string file in new[] { "config.json", "model.safetensors", "tokenizer.json" })
        {
            File.Copy(Path.Combine(checkpoint, file), Path.Combine(workspace["hf"], file));
        }

        (int code, string output, string error) = SalternProcess.Run("import", workspace["hf"], "--out", model);
        Assert.True(code == 0, error);
        Assert.Contains("llama", output, StringComparison.Ordinal);
        string[] options = ["--prompt", "The cat", "--max-tokens", "10", "--temperature", "0"];
        Assert.Equal(
            SalternProcess.Run(["generate", workspace["hf"], .. options]).Output,
            SalternProcess.Run(["generate", model, .. options]).Output
        );

        // A second time there is something in the way; and a folder that is none is a mistake, not a defect.
        Assert.Equal(2, SalternProcess.Run("import", workspace["hf"], "--out", model).ExitCode);
        Assert.Equal(2, SalternProcess.Run("import", workspace["absent"], "--out", workspace["other"]).ExitCode);
        File.Delete(Path.Combine(workspace["hf"], "model.safetensors"));
        (code, _, error) = SalternProcess.Run("import", workspace["hf"], "--out", workspace["other"]);
        Assert.Equal(1, code);
        Assert.Contains("has neither model.safetensors nor", error, StringComparison.Ordinal);
    }

    [Fact]
    public void AKeyThatNobodyKnows_IsPassedOverByNameAlone()
    {
        string checkpoint = Directory.GetDirectories(Path.Combine(workspace["teacher"], "checkpoints")).Order().Last();
        string odd = workspace["odd"];
        Directory.CreateDirectory(odd);
        foreach (string file in new[] { "model.safetensors", "tokenizer.json" })
        {
            File.Copy(Path.Combine(checkpoint, file), Path.Combine(odd, file));
        }

        string config = File.ReadAllText(Path.Combine(checkpoint, "config.json"));
        File.WriteAllText(
            Path.Combine(odd, "config.json"),
            "\uFEFF{\"made_up\": 1, \"other\": 2, \"unsloth_fixed\": true," + config.TrimStart()[1..]
        );
        string[][] commands =
        [
            ["import", odd, "--out", workspace["odd-imported"]],
            ["eval", odd, "--data", workspace["data"], "--tokens", "1000", "--out", workspace["odd-eval"]],
            ["generate", odd, "--prompt", "The", "--max-tokens", "3"],
            ["grow", odd, "--layers", "4", "--out", workspace["odd-grown"]],
            ["export", odd, "--format", "hf", "--out", workspace["odd-exported"]],
            [
                "teach",
                "--teacher",
                odd,
                "--data",
                workspace["data"],
                "--sequence-length",
                "32",
                "--mode",
                "scores",
                "--out",
                workspace["odd-pass"],
            ],
        ];
        string[] keys = ["--ignore-key", "made_up", "--ignore-key", "other"];
        foreach (string[] command in commands)
        {
            (int code, _, string error) = SalternProcess.Run(command);
            Assert.Equal(1, code);
            Assert.Contains("--ignore-key made_up --ignore-key other", error, StringComparison.Ordinal);
            (code, string output, error) = SalternProcess.Run([.. command, .. keys]);
            Assert.True(code == 0, error);
            string line = Assert.Single(
                (output + "\n" + error).Split('\n'),
                line => line.Contains("unsloth_fixed (without effect", StringComparison.Ordinal)
            );
            Assert.Contains("made_up, other (ignored as you said", line, StringComparison.Ordinal);
        }

        foreach (
            string file in new[]
            {
                "odd-imported/lineage.json",
                "odd-exported/lineage.json",
                "odd-grown/lineage.json",
                "odd-eval/eval.json",
            }
        )
        {
            using var json = JsonDocument.Parse(File.ReadAllText(workspace[file]));
            Assert.Contains("\"made_up\"", json.RootElement.GetRawText(), StringComparison.Ordinal);
        }

        // What was imported is read without a word.
        Assert.DoesNotContain(
            "passed over",
            SalternProcess.Run("generate", workspace["odd-imported"], "--prompt", "The", "--max-tokens", "3").Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AHuggingFaceFolderOfAnotherFamily_TeachesALlama()
    {
        // A GPT-NeoX model with the data's tokenizer, as a bare folder: nothing in it says that it was trained here.
        string recipe = File.ReadAllText(workspace["teacher.yaml"])
            .Replace(
                "intermediate_size: 32, tie_word_embeddings: true }",
                "intermediate_size: 64, layer_norm_eps: 1.0e-5, hidden_act: gelu, "
                    + "attention_bias: true, mlp_bias: true, use_parallel_residual: true, partial_rotary_factor: 0.25 }",
                StringComparison.Ordinal
            )
            .Replace("name: teacher", "name: neox", StringComparison.Ordinal);
        File.WriteAllText(workspace["neox.yaml"], recipe);
        Require("train", workspace["neox.yaml"], "--out", workspace["neox"]);
        string checkpoint = Directory.GetDirectories(Path.Combine(workspace["neox"], "checkpoints")).Order().Last();
        string folder = workspace["neox-hf"];
        Directory.CreateDirectory(folder);
        foreach (string file in new[] { "config.json", "model.safetensors", "tokenizer.json" })
        {
            File.Copy(Path.Combine(checkpoint, file), Path.Combine(folder, file));
        }

        Assert.Contains(
            "\"gpt_neox\"",
            File.ReadAllText(Path.Combine(folder, "config.json")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "gpt_neox,",
            Require("import", folder, "--out", workspace["neox-imported"]),
            StringComparison.Ordinal
        );
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(folder, "model.safetensors")),
            File.ReadAllBytes(Path.Combine(workspace["neox-imported"], "model.safetensors"))
        );

        Require(
            "train",
            workspace["salt.yaml"],
            "--out",
            workspace["taught"],
            "--set",
            "teacher.path=" + folder,
            "name=taught"
        );
        using (var result = JsonDocument.Parse(File.ReadAllText(Path.Combine(workspace["taught"], "result.json"))))
        {
            Assert.True(result.RootElement.GetProperty("teacher_flops").GetDouble() > 0);
            Assert.Equal("neox-hf", result.RootElement.GetProperty("teacher").GetProperty("name").GetString());
        }

        // The student is a Llama; the teacher is measured and continued as it is.
        Assert.Contains(
            "\"llama\"",
            File.ReadAllText(
                Path.Combine(
                    Directory.GetDirectories(Path.Combine(workspace["taught"], "checkpoints")).Order().Last(),
                    "config.json"
                )
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "perplexity",
            Require("eval", workspace["taught"], "--teacher", folder, "--tokens", "2000"),
            StringComparison.Ordinal
        );
        Assert.Equal(
            Require("generate", folder, "--prompt", "The cat", "--max-tokens", "40", "--temperature", "0"),
            Require(
                "generate",
                workspace["neox-imported"],
                "--prompt",
                "The cat",
                "--max-tokens",
                "40",
                "--temperature",
                "0"
            )
        );
        Require(
            "train",
            workspace["neox.yaml"],
            "--out",
            workspace["neox-more"],
            "--set",
            "init_from=" + folder,
            "name=neox-more"
        );
    }

    private static string Require(params string[] arguments)
    {
        (int code, string output, string error) = SalternProcess.Run(arguments);
        Assert.True(code == 0, output + error);
        return output;
    }
}
