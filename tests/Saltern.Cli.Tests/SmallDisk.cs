using System.Diagnostics;

namespace Saltern.Cli.Tests;

/// <summary>A disk of 64 MiB in memory (tmpfs), which can be filled and made read-only. Needs root.</summary>
internal sealed class SmallDisk : IDisposable
{
    /// <summary>Mounts it; skips the test where that is not possible.</summary>
    public SmallDisk(string path)
    {
        Path = path;
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "a disk of 64 MiB needs root, to mount it");
        Directory.CreateDirectory(path);
        (int code, string words) = Run("mount", "-t", "tmpfs", "-o", "size=64m", "saltern-test", path);
        Assert.SkipUnless(code == 0, $"this system does not allow mounting: {words}");
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Fills it but for some room.</summary>
    public void Leave(long bytes)
    {
        using FileStream filler = File.Create(this["filler"]);
        byte[] block = new byte[1 << 16];
        for (long free = new DriveInfo(Path).AvailableFreeSpace; free > bytes; free -= block.Length)
        {
            filler.Write(block, 0, (int)Math.Min(block.Length, free - bytes));
        }
    }

    /// <summary>Makes room again.</summary>
    public void Empty() => File.Delete(this["filler"]);

    /// <summary>Forbids or allows writing.</summary>
    public void SetReadOnly(bool readOnly)
    {
        (int code, string words) = Run("mount", "-o", "remount," + (readOnly ? "ro" : "rw"), Path);
        Assert.True(code == 0, words);
    }

    public void Dispose() => Run("umount", Path);

    private static (int Code, string Words) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        string words = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, words);
    }
}
