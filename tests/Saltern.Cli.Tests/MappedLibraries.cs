using System.Diagnostics;
using System.Text.RegularExpressions;
using Saltern.Tests;

namespace Saltern.Cli.Tests;

/// <summary>What programs had mapped when they ended: a startup hook of the runtime copies <c>/proc/self/maps</c> into a folder.</summary>
internal sealed partial class MappedLibraries : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    /// <summary>For the programs that are looked at.</summary>
    public (string Name, string Value)[] Variables =>
        [("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location), (StartupHook.FolderVariable, _folder.Path)];

    /// <summary>Starts a program that is looked at.</summary>
    public Process Start(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Array.ForEach(Variables, variable => start.Environment[variable.Name] = variable.Value);
        return Process.Start(start)!;
    }

    /// <summary>File names of libtorch and what it brings, of all processes together.</summary>
    /// <param name="processes">How many must have ended.</param>
    public string[] Torch(int processes)
    {
        string[] files = Directory.GetFiles(_folder.Path);
        Assert.Equal(processes, files.Length);
        return
        [
            .. files
                .SelectMany(File.ReadLines)
                .Select(line => Path.GetFileName(line))
                .Where(name => OfLibtorch().IsMatch(name))
                .Distinct()
                .Order(StringComparer.Ordinal),
        ];
    }

    public void Dispose() => _folder.Dispose();

    [GeneratedRegex("torch|^libc10|^libmkl|^libgomp|^libcud", RegexOptions.IgnoreCase)]
    private static partial Regex OfLibtorch();
}
