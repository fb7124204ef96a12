using System.Text.Json;

namespace Saltern.Docs.Tests;

public sealed class SampleTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("saltern-samples-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Samples_DoWhatTheySay()
    {
        string output = ProgramProcess.Run("Saltern.Samples.dll", _folder, "train", "runs");
        Assert.Contains(
            "A reading from 1 seed, not a finding",
            output.ReplaceLineEndings(" "),
            StringComparison.Ordinal
        );

        // The gap of this teacher closes at some step, and the reason that the sample gives is what the run says of itself.
        output = ProgramProcess.Run("Saltern.Samples.dll", _folder, "transition", "runs");
        Assert.Contains("transition: OwnTransition, which the caller gave", output, StringComparison.Ordinal);
        Assert.Matches("(?m)^after step [0-9]+: [0-9.]+ nats per token, weight 0[.][0-9]{2}$", output);
        using (
            var result = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "runs/own-transition/result.json")))
        )
        {
            Assert.Equal("a tenth of a nat", result.RootElement.GetProperty("stage1_end_reason").GetString());
            Assert.NotEqual(25, result.RootElement.GetProperty("stage1_end_step").GetInt32()); // the recipe's
        }

        output = ProgramProcess.Run("Saltern.Samples.dll", _folder, "score", "runs");
        Assert.Contains("samples by \"between 1 and 4 nats\"", output, StringComparison.Ordinal);
        using var selection = JsonDocument.Parse(
            File.ReadAllText(Path.Combine(_folder, "runs/selection/selection.json"))
        );
        Assert.Equal("between 1 and 4 nats", selection.RootElement.GetProperty("own_score").GetString());

        output = ProgramProcess.Run("Saltern.Samples.dll", _folder, "teacher", "runs");
        Assert.Contains(
            "teacher: OwnTeacher, which the caller gave, around the recipe's",
            output,
            StringComparison.Ordinal
        );

        output = ProgramProcess.Run("Saltern.Samples.dll", _folder, "generate", "runs");
        Assert.Matches("generated: 12 plus 30 is.*[0-9]", output);

        // What the sample measures is what the run itself wrote, on more of the same text.
        output = ProgramProcess.Run("Saltern.Samples.dll", _folder, "evaluate", "runs");
        Assert.Matches("baseline: [0-9.]+ nats per token", output);
        Assert.Matches("salt: [0-9.]+ nats per token", output);
        output = ProgramProcess.Run("Saltern.Samples.dll", _folder, "host", "runs");
        Assert.Matches("hosted: [0-9.]+ nats per token", output);
        Assert.Contains(
            "\"arm\": \"salt_ds\"",
            File.ReadAllText(Path.Combine(_folder, "runs/own-score/result.json")),
            StringComparison.Ordinal
        );
    }
}
