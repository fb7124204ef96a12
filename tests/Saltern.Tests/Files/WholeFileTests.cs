using Saltern.Files;

namespace Saltern.Tests.Files;

public sealed class WholeFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Path => _folder["file.txt"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_ReplacesTheFileAndLeavesNothingElse()
    {
        File.WriteAllText(Path, "old and longer");

        WholeFile.WriteText(Path, "new é");

        Assert.Equal("new é"u8.ToArray(), File.ReadAllBytes(Path));
        Assert.Equal([Path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Write_ThatFails_LeavesTheOldFileAlone()
    {
        File.WriteAllText(Path, "old");

        Assert.Throws<InvalidDataException>(() =>
            WholeFile.Write(
                Path,
                file =>
                {
                    file.Write("half"u8);
                    throw new InvalidDataException();
                }
            )
        );

        Assert.Equal("old", File.ReadAllText(Path));
        Assert.Equal([Path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Write_WhatAKillLeftIsReplaced()
    {
        File.WriteAllText(Path + WholeFile.TemporaryEnding, "half of an earlier one");

        WholeFile.WriteText(Path, "new");

        Assert.Equal("new", File.ReadAllText(Path));
        Assert.Equal([Path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task Write_WhileAnotherWrites_WaitsForItsTemporaryFile()
    {
        string temporary = Path + WholeFile.TemporaryEnding;
        Task second;
        await using (new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            second = Task.Run(() => WholeFile.WriteText(Path, "second"), TestContext.Current.CancellationToken);
            await Task.Delay(100, TestContext.Current.CancellationToken);
            Assert.False(second.IsCompleted);
            Assert.False(File.Exists(Path));
        }

        await second;
        Assert.Equal("second", File.ReadAllText(Path));
    }

    [Fact]
    public void Write_WhileAnotherDoesNotEnd_LeavesItsTemporaryFileAlone()
    {
        string temporary = Path + WholeFile.TemporaryEnding;
        using (new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            Assert.Contains(
                "Another process is writing",
                Assert.Throws<IOException>(() => LockedFile.Open(temporary, 1, TimeSpan.FromMilliseconds(50))).Message,
                StringComparison.Ordinal
            );
        }

        Assert.True(File.Exists(temporary));
    }
}
