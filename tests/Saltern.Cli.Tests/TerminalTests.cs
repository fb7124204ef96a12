using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Saltern.Cli.Tests;

// What reaches a file or another program is text alone, and a terminal whose owner wants no colours gets none.
public class TerminalTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void Pipes_GetNoEscapesAndNoRedrawnLines()
    {
        string[][] commands =
        [
            ["--help"],
            ["recipe", "list"],
            ["train", workspace["baseline.yaml"], "--out", workspace["piped"]],
            ["eval", workspace["piped"], "--tokens", "2000"],
            ["plan", workspace["baseline.yaml"], "--seconds", "0.1"],
            ["generate", workspace["piped"], "--prompt", "The", "--max-tokens", "4"],
            ["train", "nowhere.yaml"],
            ["trian"],
        ];
        Assert.All(
            commands,
            command =>
            {
                (_, string output, string error) = SalternProcess.Run(command);
                Assert.NotEqual("", output + error);
                Assert.DoesNotContain('\e', output + error);
                Assert.DoesNotContain('\r', output + error);
            }
        );
    }

    [Theory]
    [InlineData("", true, false)]
    [InlineData("NO_COLOR=1", false, false)]
    [InlineData("TERM=dumb", false, true)]
    public void ATerminal_GetsColours_UnlessItsOwnerWantsNone_AndADumbOneNoRedrawing(
        string setting,
        bool coloured,
        bool dumb
    )
    {
        Assert.SkipUnless(File.Exists("/usr/bin/script"), "script (util-linux) is not installed.");
        string folder = workspace["terminal-" + setting.Replace('=', '-')];
        string line =
            $"{setting} dotnet '{SalternProcess.Program}' train '{workspace["baseline.yaml"]}' --out '{folder}'";
        var start = new ProcessStartInfo("script", ["-qec", line, "/dev/null"])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        start.Environment["TERM"] = "xterm-256color";
        // The tests' own runner may have been asked for no colours.
        start.Environment.Remove("NO_COLOR");
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Contains("final loss", output, StringComparison.Ordinal);
        // SGR, the escape that colours.
        Assert.Equal(coloured, Regex.IsMatch(output, @"\e\[[0-9;]*m"));
        Assert.Contains(
            "saltern compare",
            output[output.IndexOf("next: ", StringComparison.Ordinal)..],
            StringComparison.Ordinal
        );
        // What was set in the C runtime is for who asks (bench, demo --verbose).
        Assert.DoesNotContain("GOMP", output, StringComparison.Ordinal);
        // The first step takes many times as long as the others, so nothing is said from it.
        Assert.DoesNotMatch(@"step 1/\d+ [^\r\n]* left", output);
        if (dumb)
        {
            Assert.DoesNotContain('\e', output);
            Assert.DoesNotContain('\r', output.Replace("\r\n", "\n", StringComparison.Ordinal));
        }
    }
}
