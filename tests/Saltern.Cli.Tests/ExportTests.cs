namespace Saltern.Cli.Tests;

public class ExportTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void AnExportedFolder_GeneratesTheSame_AndAGgufFileIsOne()
    {
        (int code, string output, string error) = SalternProcess.Run(
            "export",
            workspace["teacher"],
            "--format",
            "hf",
            "--out",
            workspace["hf"],
            "--shard-gb",
            "0.00001"
        );
        Assert.True(code == 0, error);
        Assert.Contains("parameters in f32, ", output, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(workspace["hf"], "model.safetensors.index.json")));
        string[] options = ["--prompt", "The cat", "--max-tokens", "10", "--temperature", "0"];
        Assert.Equal(
            SalternProcess.Run(["generate", workspace["teacher"], .. options]).Output,
            SalternProcess.Run(["generate", workspace["hf"], .. options]).Output
        );

        (code, _, error) = SalternProcess.Run(
            "export",
            workspace["hf"],
            "--format",
            "gguf",
            "--dtype",
            "f16",
            "--out",
            workspace["teacher.gguf"]
        );
        Assert.True(code == 0, error);
        Assert.Equal("GGUF"u8, File.ReadAllBytes(workspace["teacher.gguf"]).AsSpan(0, 4));
    }

    [Theory]
    [InlineData("there is something already", "--format", "gguf", "--out", "teacher")]
    [InlineData("--shard-gb is for --format hf", "--format", "gguf", "--out", "x", "--shard-gb", "1")]
    [InlineData("--shard-gb = -1 is outside", "--format", "hf", "--out", "x", "--shard-gb", "-1")]
    [InlineData("q8_0 is a type of GGUF files", "--format", "hf", "--out", "x", "--dtype", "q8_0")]
    [InlineData("'onnx' not recognized", "--format", "onnx", "--out", "x")]
    [InlineData("'int4' not recognized", "--format", "gguf", "--out", "x", "--dtype", "int4")]
    public void Mistakes_AreWrongUsage(string message, params string[] options)
    {
        int target = Array.IndexOf(options, "--out") + 1;
        options[target] = workspace[options[target]];
        (int code, _, string error) = SalternProcess.Run(["export", workspace["teacher"], .. options]);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }
}
