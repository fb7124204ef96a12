using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json;

namespace Saltern.Tests.Tokenization;

/// <summary>The npm package @huggingface/tokenizers, an implementation of tokenizer.json that shares no code with ours, run by Node.</summary>
internal static class NodeTokenizers
{
    private const string Package = "@huggingface/tokenizers";
    private const string Version = "0.2.0";

    private const string Script = """
        import { readFileSync, writeFileSync } from "node:fs";
        import { pathToFileURL } from "node:url";
        const [library, tokenizerPath, textsPath, idsPath] = process.argv.slice(2);
        const { Tokenizer } = await import(pathToFileURL(library));
        const tokenizer = new Tokenizer(JSON.parse(readFileSync(tokenizerPath, "utf8")), {});
        const numbers = [];
        for (const text of JSON.parse(readFileSync(textsPath, "utf8"))) {
            const { ids } = tokenizer.encode(text);
            numbers.push(ids.length, ...ids);
        }
        writeFileSync(idsPath, Buffer.from(Int32Array.from(numbers).buffer));
        """;

    private static readonly TimeSpan LongestInstall = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(20);

    private static readonly Lazy<(string? Library, string Reason)> Found = new(Find);

    /// <summary>Ids of texts; skips the test, with the reason, where Node or the package cannot be had.</summary>
    public static List<int[]> Encode(string tokenizerPath, IReadOnlyList<string> texts)
    {
        var (library, reason) = Found.Value;
        if (library is null)
        {
            Assert.Skip(reason);
        }

        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["encode.mjs"], Script);
        File.WriteAllText(folder["texts.json"], JsonSerializer.Serialize(texts));
        var (code, error) = Run(
            "node",
            LongestRun,
            "--max-old-space-size=4096",
            folder["encode.mjs"],
            library,
            tokenizerPath,
            folder["texts.json"],
            folder["ids.bin"]
        );
        Assert.True(code == 0, error);
        ReadOnlySpan<byte> numbers = File.ReadAllBytes(folder["ids.bin"]);
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
    private static (string? Library, string Reason) Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Library(Path.Combine(folder.FullName, "artifacts", "node")) is { } installed)
            {
                return (installed, "");
            }
        }

        try
        {
            var (_, missing) = Run("node", LongestInstall, "--version");
            var place = Path.Combine(Path.GetTempPath(), $"saltern-node-{Version}");
            if (Library(place) is null)
            {
                Directory.CreateDirectory(place);
                (_, missing) = Run(
                    "npm",
                    LongestInstall,
                    "install",
                    "--no-audit",
                    "--no-fund",
                    "--prefix",
                    place,
                    $"{Package}@{Version}"
                );
            }

            if (Library(place) is { } library)
            {
                return (library, "");
            }

            return (null, $"npm cannot install {Package}: {missing}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return (null, $"Node.js with npm is not on this machine: {e.Message}");
        }
    }

    private static string? Library(string place)
    {
        var path = Path.Combine(place, "node_modules", Package, "dist", "tokenizers.mjs");
        return File.Exists(path) ? path : null;
    }

    private static (int Code, string Error) Run(string program, TimeSpan longest, params string[] arguments)
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
