namespace Saltern.Cli.Tests;

// Token data of other programs, from recipe to result.
public class ForeignDataTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void NanoGptFiles_AreTrainedOnAndMarkedUnverified()
    {
        string data = workspace["nano"];
        string run = workspace["nano-run"];
        Directory.CreateDirectory(data);
        foreach ((string split, string name) in new[] { ("train", "train.bin"), ("valid", "val.bin") })
        {
            File.WriteAllBytes(
                Path.Combine(data, name),
                [
                    .. new[] { "north", "south" }.SelectMany(domain =>
                        File.ReadAllBytes(workspace[$"data/{split}/{domain}.bin"])
                    ),
                ]
            );
        }

        string[] train =
        [
            "train",
            workspace["baseline.yaml"],
            "--out",
            run,
            "--set",
            $"data.path={data}",
            "training.steps=10",
        ];
        (int code, _, string error) = SalternProcess.Run(train);
        Assert.Equal(2, code);
        Assert.Contains("Name the tokenizer: data.tokenizer", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));

        (code, string output, error) = SalternProcess.Run([.. train, $"data.tokenizer={workspace["tokenizer.json"]}"]);
        Assert.True(code == 0, error);
        Assert.Contains("was written by another program", output, StringComparison.Ordinal);
        Assert.Contains("unverified:", File.ReadAllText(Path.Combine(run, "result.json")), StringComparison.Ordinal);

        (code, output, error) = SalternProcess.Run("eval", run, "--data", data, "--verify");
        Assert.True(code == 0, error);
        Assert.Contains("bits/byte", output, StringComparison.Ordinal);
    }
}
