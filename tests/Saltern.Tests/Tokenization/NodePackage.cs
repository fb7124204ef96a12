using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Tests.Tokenization;

/// <summary>A package of npm that encodes texts, run by Node.</summary>
/// <param name="entry">The module in it that a script imports.</param>
internal sealed class NodePackage(string name, string version, string entry)
{
    private static readonly TimeSpan LongestInstall = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(20);

    private readonly Lazy<(string? Library, string Reason)> _found = new(() => Find(name, version, entry));

    /// <summary>Runs a script that writes numbers: the module, then the arguments, then the file for the numbers; skips the test, with the reason, where Node or the package cannot be had.</summary>
    /// <param name="script">An ECMAScript module.</param>
    /// <param name="texts">Written as JSON into the file that follows the module.</param>
    /// <returns>Each text's numbers, which the script writes behind their count, as int32.</returns>
    public List<int[]> Run(string script, IReadOnlyList<string> texts, params string[] arguments)
    {
        var (library, reason) = _found.Value;
        if (library is null)
        {
            Assert.Skip(reason);
        }

        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["encode.mjs"], script);
        File.WriteAllText(folder["texts.json"], JsonSerializer.Serialize(texts));
        var (code, error) = Run(
            "node",
            LongestRun,
            [
                "--max-old-space-size=4096",
                folder["encode.mjs"],
                library,
                folder["texts.json"],
                folder["ids.bin"],
                .. arguments,
            ]
        );
        Assert.True(code == 0, error);
        return Read(File.ReadAllBytes(folder["ids.bin"]));
    }

    private static List<int[]> Read(ReadOnlySpan<byte> numbers)
    {
        var all = new List<int[]>();
        var position = 0;
        while (position < numbers.Length)
        {
            var ids = new int[BinaryPrimitives.ReadInt32LittleEndian(numbers[position..])];
            position += sizeof(int);
            for (var i = 0; i < ids.Length; i++, position += sizeof(int))
            {
                ids[i] = BinaryPrimitives.ReadInt32LittleEndian(numbers[position..]);
            }

            all.Add(ids);
        }

        return all;
    }

    // Where .ci/run puts the package; else npm is asked for it.
    private static (string? Library, string Reason) Find(string name, string version, string entry)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Library(Path.Combine(folder.FullName, "artifacts", "node"), name, entry) is { } installed)
            {
                return (installed, "");
            }
        }

        try
        {
            var (_, missing) = Run("node", LongestInstall, ["--version"]);
            var place = Path.Combine(TestDisk.Lasting, $"saltern-node-{name.Replace('/', '-')}-{version}");
            if (Library(place, name, entry) is null)
            {
                Directory.CreateDirectory(place);
                (_, missing) = Run(
                    "npm",
                    LongestInstall,
                    ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", place, $"{name}@{version}"]
                );
            }

            if (Library(place, name, entry) is { } library)
            {
                return (library, "");
            }

            return (null, $"npm cannot install {name}: {missing}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (null, $"Node.js with npm is not on this machine: {e.Message}");
        }
    }

    private static string? Library(string place, string name, string entry)
    {
        var path = Path.Combine(place, "node_modules", name, entry);
        return File.Exists(path) ? path : null;
    }

    private static (int Code, string Error) Run(string program, TimeSpan longest, string[] arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardError = true, RedirectStandardOutput = true };
        Array.ForEach(arguments, start.ArgumentList.Add);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        if (!process.WaitForExit(longest))
        {
            process.Kill(entireProcessTree: true);
            return (-1, $"{program} did not end within {longest.TotalSeconds} s");
        }

        Task.WaitAll([output, error], TestContext.Current.CancellationToken);
        return (process.ExitCode, error.Result);
    }
}
