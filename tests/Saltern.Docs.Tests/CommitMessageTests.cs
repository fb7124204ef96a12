using System.Diagnostics;

namespace Saltern.Docs.Tests;

// The hook that CONTRIBUTING.md names.
public sealed class CommitMessageTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Theory]
    [InlineData("Losses: divide by counted positions, not by micro-batches\n\nThe proof.\n")]
    [InlineData("Add a line\n# what git strips\n")]
    [InlineData("Added value is not a verb here\n", "not the imperative")]
    [InlineData("\n# nothing but a comment\n", "no subject")]
    [InlineData(
        "Read every file of the data whole, and compare its checksum with the one in dataset.json\n",
        "at most 72"
    )]
    [InlineData("Count skipped documents.\n", "full stop")]
    [InlineData("WIP\n", "says nothing")]
    [InlineData("Count skipped documents\nby reason\n", "one empty line")]
    [InlineData("Corpora: counts skipped documents\n\nBody.\n")]
    [InlineData("Merge branch 'a very long name of a branch that git itself has written' into another\n")]
    public void Message_IsTakenOrRefusedWithItsReason(string message, string? reason = null)
    {
        File.WriteAllText(_file, message);
        using Process hook = Process.Start(
            new ProcessStartInfo("bash", [Path.Combine(Repository.Root, ".githooks", "commit-msg"), _file])
            {
                RedirectStandardError = true,
            }
        )!;
        string said = hook.StandardError.ReadToEnd();
        hook.WaitForExit();
        Assert.Equal(reason is null ? 0 : 1, hook.ExitCode);
        Assert.Contains(reason ?? "", said, StringComparison.Ordinal);
    }
}
