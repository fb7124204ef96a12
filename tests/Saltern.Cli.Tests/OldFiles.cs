using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;

namespace Saltern.Cli.Tests;

/// <summary>A folder of its own with what saltern 0.1 wrote (tests/fixtures/0.1/make.sh), and the program started in it.</summary>
internal sealed class OldFiles : IDisposable
{
    private static readonly string Fixtures = Path.Combine(RecipeTests.Root(), "tests", "fixtures", "0.1");

    public OldFiles() => ZipFile.ExtractToDirectory(Path.Combine(Fixtures, "files.zip"), Folder);

    /// <summary>What the old program read out of them.</summary>
    public static JsonElement Expected { get; } = Parse(File.ReadAllText(Path.Combine(Fixtures, "expected.json")));

    public string Folder { get; } = Directory.CreateTempSubdirectory("saltern-old-").FullName;

    public string this[string name] => Path.Combine(Folder, name);

    public static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    public JsonElement Json(string name) => Parse(File.ReadAllText(this[name]));

    /// <summary>Lines of a run's metrics; a torn one is an error.</summary>
    public IReadOnlyList<JsonElement> Metrics(string run) =>
        [.. File.ReadLines(this[run + "/metrics.jsonl"]).Select(Parse)];

    /// <summary>Starts the program in the folder, as the paths in old recipes expect.</summary>
    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            WorkingDirectory = Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(SalternProcess.Program);
        Array.ForEach(arguments, start.ArgumentList.Add);
        return Process.Start(start)!;
    }

    /// <summary>Runs the program to a good end and returns its standard output.</summary>
    public string Run(params string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        Assert.True(process.ExitCode == 0, output + error.Result);
        return output;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
