namespace Saltern.Cli.Tests;

public class ImportTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void AnImportedModel_Generates()
    {
        string checkpoint = Directory.GetDirectories(Path.Combine(workspace["teacher"], "checkpoints")).Order().Last(), model = workspace["imported"];
        Directory.CreateDirectory(workspace["hf"]);
        foreach (string file in new[] { "config.json", "model.safetensors", "tokenizer.json" })
        {
            File.Copy(Path.Combine(checkpoint, file), Path.Combine(workspace["hf"], file));
        }

        (int code, string output, string error) = SalternProcess.Run("import", workspace["hf"], "--out", model);
        Assert.True(code == 0, error);
        Assert.Contains("llama", output, StringComparison.Ordinal);
        string[] options = ["--prompt", "The cat", "--max-tokens", "10", "--temperature", "0"];
        Assert.Equal(SalternProcess.Run(["generate", workspace["hf"], .. options]).Output, SalternProcess.Run(["generate", model, .. options]).Output);

        // A second time there is something in the way; and a folder that is none is a mistake, not a defect.
        Assert.Equal(2, SalternProcess.Run("import", workspace["hf"], "--out", model).ExitCode);
        Assert.Equal(2, SalternProcess.Run("import", workspace["absent"], "--out", workspace["other"]).ExitCode);
        File.Delete(Path.Combine(workspace["hf"], "model.safetensors"));
        (code, _, error) = SalternProcess.Run("import", workspace["hf"], "--out", workspace["other"]);
        Assert.Equal(1, code);
        Assert.Contains("has neither model.safetensors nor", error, StringComparison.Ordinal);
    }
}
