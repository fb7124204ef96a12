using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Cli.Tests;

// `precision: auto` and the instructions it looks for, from outside.
public class PrecisionTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512BF16", "0")]
    [InlineData("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")]
    [InlineData("ONEDNN_MAX_CPU_ISA", "AVX2")]
    public void WithoutTheInstructions_AutoIsFloat32_AndBf16StillTrains(string variable, string value)
    {
        string name = $"off-{variable}-{value}";
        string told = Train(name, "auto", (variable, value));
        Assert.Contains(
            "precision: fp32 (auto). This processor has no bfloat16 products",
            told,
            StringComparison.Ordinal
        );
        Assert.Equal("fp32", PrecisionOf(name));
        told = Train(name + "-bf16", "bf16", (variable, value));
        Assert.Contains("libtorch's operations compute", told, StringComparison.Ordinal);
        Assert.Equal("bf16", PrecisionOf(name + "-bf16"));
    }

    [Fact]
    public void TheChoice_IsOneForAllArmsOfAStudy_AndStaysThere()
    {
        string study = workspace["open.yaml"];
        File.WriteAllText(
            study,
            $$"""
            name: open
            base: {{workspace["baseline.yaml"]}}
            seeds: [1]
            baseline: A
            common: { precision: auto, training.steps: 20 }
            arms: { A: {}, B: { optimizer.learning_rate: 0.002 } }
            """
        );
        string[] arguments =
        [
            "study",
            study,
            "--out",
            workspace["open"],
            "--runs",
            workspace["open-runs"],
            "--step-times",
            "never",
        ];

        // The first run where nothing but float32 is there; the second where bfloat16 may be.
        (int code, string told) = Run([.. arguments, "--arms", "A"], ("DOTNET_EnableAVX512BF16", "0"));
        Assert.True(code == 0, told);
        Assert.Contains("precision: fp32 for all arms", told, StringComparison.Ordinal);
        (code, told) = Run([.. arguments, "--resume"]);
        Assert.True(code == 0, told);
        Assert.Contains("precision: fp32 for all arms", told, StringComparison.Ordinal);
        Assert.Contains("A, seed 1: was finished before", told, StringComparison.Ordinal);
        (code, told) = Run([.. arguments[..4], "--report-only"]);
        Assert.True(code == 0, told);
    }

    [Fact]
    public void FinishedModels_AreMeasuredAndContinued_InEitherType()
    {
        Train("model", "fp32");
        string model = workspace["model"];
        double exact = Loss("fp32");
        double rounded = Loss("bf16");
        Assert.NotEqual(exact, rounded);
        Assert.InRange(rounded, exact - 0.02, exact + 0.02);
        string[] generate = ["generate", model, "--prompt", "The ", "--max-tokens", "8", "--temperature", "0"];
        (int code, string text) = Run([.. generate, "--precision", "bf16"]);
        Assert.True(code == 0 && text.Length > 4, text);

        double Loss(string precision)
        {
            (int exit, string output, string error) = SalternProcess.Run(
                "eval",
                model,
                "--precision",
                precision,
                "--json"
            );
            Assert.True(exit == 0, error);
            using var result = JsonDocument.Parse(output);
            Assert.Equal(precision, result.RootElement.GetProperty("precision").GetString());
            return result
                .RootElement.GetProperty("student")
                .GetProperty("splits")
                .GetProperty("valid")
                .GetProperty("loss")
                .GetDouble();
        }
    }

    private string Train(string name, string precision, params (string, string)[] environment)
    {
        (int code, string told) = Run(
            [
                "train",
                workspace["baseline.yaml"],
                "--out",
                workspace[name],
                "--set",
                $"precision={precision}",
                "training.steps=20",
            ],
            environment
        );
        Assert.True(code == 0, told);
        return told;
    }

    private string PrecisionOf(string name)
    {
        using var result = JsonDocument.Parse(File.ReadAllText(Path.Combine(workspace[name], "result.json")));
        return result.RootElement.GetProperty("machine").GetProperty("precision").GetString()!;
    }

    private static (int Code, string Told) Run(string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [SalternProcess.Program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["SALTERN_MATMUL_GFLOPS"] = "50";
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }
}
