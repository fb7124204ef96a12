namespace Saltern.Cli.Tests;

public class ReportTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void Report_OfOneRun_IsAPageAndMarkdown()
    {
        (int code, string output, string error) = SalternProcess.Run(
            "report",
            workspace["teacher"],
            "--report",
            workspace["one/page.html"]
        );
        Assert.True(code == 0, error);
        Assert.Contains("ended at a validation loss of", output, StringComparison.Ordinal);
        Assert.StartsWith("<!DOCTYPE html>", File.ReadAllText(workspace["one/page.html"]), StringComparison.Ordinal);
        Assert.StartsWith("# ", File.ReadAllText(workspace["one/report.md"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_WithoutABaseline_ShowsTheCurves_AndSaysThatItIsNoVerdict()
    {
        (int code, string output, string error) = SalternProcess.Run(
            "compare",
            workspace["teacher"],
            "--report",
            workspace["curves.html"]
        );
        Assert.True(code == 0, error);
        Assert.Contains("A verdict needs one of each", output, StringComparison.Ordinal);
        Assert.Contains("<svg", File.ReadAllText(workspace["curves.html"]), StringComparison.Ordinal);
        (code, _, error) = SalternProcess.Run("compare", workspace["teacher"], "--json");
        Assert.NotEqual(0, code);
        Assert.Contains("at least one of each is needed", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ThePicture_IsDrawnAgainstWhatIsAsked_AndNotAgainstSecondsThatDoNotCompare()
    {
        string svg = workspace["picture.svg"];
        string[] command = ["compare", "--baseline", Archive("BASELINE"), Archive("SALT-auto"), "--picture", svg];
        command = [.. command, "--report", workspace["picture.html"], "--picture-against"];
        (int code, _, string error) = SalternProcess.Run([.. command, "flops"]);
        Assert.True(code == 0, error);
        Assert.Contains("Validation loss against arithmetic", File.ReadAllText(svg), StringComparison.Ordinal);
        (code, _, error) = SalternProcess.Run([.. command, "seconds"]);
        Assert.NotEqual(0, code);
        Assert.Contains("Take steps or flops", error, StringComparison.Ordinal);
    }

    private static string Archive(string arm) =>
        Path.Combine(RecipeTests.Root(), "experiments", "2026-11-26-salt-screening", "results.zip", arm);

    [Fact]
    public void NoRun_IsSaid()
    {
        (int code, _, string error) = SalternProcess.Run("report", workspace.Folder);
        Assert.NotEqual(0, code);
        Assert.Contains("not a run folder", error, StringComparison.Ordinal);
    }
}
