using System.Diagnostics;
using System.IO.Compression;
using System.Text.RegularExpressions;
using Saltern.Tests;

namespace Saltern.Cli.Tests;

/// <summary>The library's packages, as a stranger's program takes them: packed here, restored from a folder, built and run.</summary>
public sealed class PackageTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AProgramOfOneFile_RunsWithNothingButThePackage()
    {
        foreach (string project in (string[])["src/Saltern.Text", "src/Saltern"])
        {
            Run(
                RepositoryFolder.Path,
                ["pack", project, "-c", "Release", "--no-build", "-o", _folder["packages"], "-v", "quiet"]
            );
        }

        string version = OnlyVersion("Saltern.Text");
        Assert.Equal(version, OnlyVersion("Saltern"));
        using (ZipArchive package = ZipFile.OpenRead(_folder[$"packages/Saltern.{version}.nupkg"]))
        {
            string[] files = [.. package.Entries.Select(entry => entry.FullName)];
            Assert.Contains("README.md", files);
            Assert.Contains("icon.png", files);
            Assert.Contains("lib/net10.0/Saltern.Core.xml", files);
            Assert.Contains("buildTransitive/Saltern.targets", files);
            Assert.DoesNotContain(files, file => file.EndsWith(".so", StringComparison.Ordinal));
        }

        _folder.Write(
            "nuget.config",
            $"""
            <configuration>
              <packageSources><add key="packed" value="{_folder["packages"]}" /></packageSources>
            </configuration>
            """
        );
        // A cache of its own for these two alone: the packages of an earlier commit have the same version.
        string cache = _folder["cache"];
        string shared =
            Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        string sample = File.ReadAllText(Path.Combine(RepositoryFolder.Path, "samples/first-run.cs"))
            .Replace("Saltern@0.1.0", $"Saltern@{version}", StringComparison.Ordinal)
            .Replace(
                "#:property PublishAot=false",
                $"#:property PublishAot=false\n#:property RestoreFallbackFolders={shared}\n#:property RestorePackagesPath={cache}",
                StringComparison.Ordinal
            );
        _folder.Write("first-run.cs", sample);

        string output = Run(_folder["."], ["run", "first-run.cs"]);

        Assert.Matches("final loss [0-9.]+ nats per token", output);
        Assert.Contains("12 plus 30 is", output, StringComparison.Ordinal);
    }

    private string OnlyVersion(string package)
    {
        string file = Assert.Single(
            Directory.GetFiles(_folder["packages"], "*.nupkg").Select(path => Path.GetFileName(path)),
            name => Regex.IsMatch(name, $@"^{Regex.Escape(package)}\.[0-9]")
        );
        return file[(package.Length + 1)..^".nupkg".Length];
    }

    private static string Run(string folder, string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        Assert.True(process.ExitCode == 0, output + error.Result);
        return output;
    }
}
