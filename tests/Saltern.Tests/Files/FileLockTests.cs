using System.Collections.Concurrent;
using System.Diagnostics;
using Saltern.Files;

namespace Saltern.Tests.Files;

public sealed class FileLockTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string LockPath => _folder["work/run.lock"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ASecondTaker_IsToldWhoHoldsIt_AndSinceWhen()
    {
        using FileLock held = FileLock.Take(LockPath, "Work goes on", "Wait.");
        var error = Assert.Throws<ConfigurationException>(() => FileLock.Take(LockPath, "Work goes on", "Wait."));
        Assert.True(error.IsHeldByAnother);
        Assert.StartsWith(
            $"Work goes on: {LockPath} is held by process {Environment.ProcessId} on {Environment.MachineName} since 20",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.EndsWith("). Wait.", error.Message, StringComparison.Ordinal);
        Assert.Null(held.Remark);
    }

    [Fact]
    public void TheFileGoesWithTheLock_AndTheFoldersMadeForIt()
    {
        string deep = _folder["a/b/run.lock"];
        FileLock.Take(deep, "", "").Dispose();
        Assert.False(Directory.Exists(_folder["a"]));

        using (FileLock.Take(deep, "", ""))
        {
            File.WriteAllText(_folder["a/result"], "");
        }

        Assert.True(File.Exists(_folder["a/result"]));
        Assert.False(Directory.Exists(_folder["a/b"]));
    }

    [Fact]
    public void AFileThatAKillLeft_IsNoLock()
    {
        Directory.CreateDirectory(_folder["work"]);
        File.WriteAllText(
            LockPath,
            "process 1 on elsewhere since long ago (a longer line than the one that follows)\n"
        );
        using FileLock held = FileLock.Take(LockPath, "", "");
        Assert.Null(FileLock.TryTake(LockPath, out string holder));
        Assert.StartsWith($"process {Environment.ProcessId} ", holder, StringComparison.Ordinal);
    }

    [Fact]
    public void ALockThatSaysNothing_HoldsAllTheSame()
    {
        Directory.CreateDirectory(_folder["work"]);
        using var other = new FileStream(LockPath, FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        Assert.Null(FileLock.TryTake(LockPath, out string holder));
        Assert.Contains("has not said its number", holder, StringComparison.Ordinal);
    }

    // The file goes at every release, and the folder with it, so that takers meet every state in between.
    [Fact]
    public void NeverTwoHoldIt_HoweverOftenItIsTakenAndGiven()
    {
        int inside = 0;
        int taken = 0;
        var wrong = new ConcurrentBag<string>();
        var clock = Stopwatch.StartNew();
        Parallel.For(
            0,
            8,
            new ParallelOptions { MaxDegreeOfParallelism = 8 },
            _ =>
            {
                for (int i = 0; i < 300 && clock.Elapsed < TimeSpan.FromSeconds(20); i++)
                {
                    if (FileLock.TryTake(LockPath, out string holder) is FileLock held)
                    {
                        if (Interlocked.Increment(ref inside) != 1)
                        {
                            wrong.Add("two at once");
                        }

                        Interlocked.Increment(ref taken);
                        Interlocked.Decrement(ref inside);
                        held.Dispose();
                    }
                    else if (holder.Length == 0)
                    {
                        wrong.Add("nobody");
                    }
                }
            }
        );
        Assert.Empty(wrong);
        Assert.True(taken > 0);
        Assert.False(File.Exists(LockPath));
    }

    [Fact]
    public void TwoWritersOfOneFile_BothWriteItWhole()
    {
        string path = _folder["report"];
        byte[][] contents = [.. Enumerable.Range(0, 4).Select(i => Enumerable.Repeat((byte)i, 400_000).ToArray())];
        Parallel.For(
            0,
            80,
            new ParallelOptions { MaxDegreeOfParallelism = 4 },
            i =>
            {
                WholeFile.Write(path, file => file.Write(contents[i % 4]));
                byte[] found = File.ReadAllBytes(path);
                Assert.Equal(400_000, found.Length);
                Assert.All(found.Distinct(), value => Assert.Equal(found[0], value));
            }
        );
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Theory]
    [InlineData("model")]
    [InlineData("model/")]
    [InlineData("deep/model")]
    public void ANewFolder_IsMadeByOneAlone(string name)
    {
        string target = _folder[name];
        int made = 0;
        DurableFolder.WriteNew(
            target,
            temporary =>
            {
                Refused("is held by process", () => DurableFolder.WriteNew(target, _ => made++));
                File.WriteAllText(Path.Combine(temporary, "weights"), "whole");
                made++;
            }
        );
        Refused("there is something already", () => DurableFolder.WriteNew(target, _ => made++));
        Assert.Equal(1, made);
        Assert.Equal("whole", File.ReadAllText(Path.Combine(target, "weights")));
        Assert.Single(
            Directory.GetFileSystemEntries(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(target))!)
        );
    }

    [Fact]
    public void ANewFile_IsMadeByOneAlone()
    {
        string target = _folder["model.gguf"];
        WholeFile.WriteNew(
            target,
            file =>
            {
                Refused("is held by process", () => WholeFile.WriteNew(target, _ => { }));
                file.WriteByte(1);
            }
        );
        Refused("there is something already", () => WholeFile.WriteNew(target, _ => { }));
        Assert.Equal([target], Directory.GetFiles(_folder.Path));
    }

    private static void Refused(string words, Action write) =>
        Assert.Contains(words, Assert.Throws<ConfigurationException>(write).Message, StringComparison.Ordinal);
}
