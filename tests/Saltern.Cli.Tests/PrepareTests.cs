using System.Diagnostics;
using System.Text;

namespace Saltern.Cli.Tests;

// Preparing a data set as a user meets it: interrupted, killed, with fields of other names.
public class PrepareTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void AnInterruptedAndThenKilledRun_EndsInTheSameBytes()
    {
        string text = workspace["many.jsonl"];
        WriteCorpus(text, 25_000_000);
        string[] Arguments(string folder) =>
            ["prepare", "--input", text, "--tokenizer", workspace["tokenizer.json"], "--out", folder];
        string whole = workspace["many-whole"];
        string folder = workspace["many-cut"];
        (int code, _, string error) = SalternProcess.Run(Arguments(whole));
        Assert.True(code == 0, error);

        // SIGTERM is handled like Ctrl-C.
        Assert.Equal(130, EndOnceItWrites(Arguments(folder), folder, "-TERM"));
        Assert.True(File.Exists(Path.Combine(folder, "dataset.progress.json")));
        Assert.Equal(137, EndOnceItWrites(Arguments(folder), folder, "-KILL"));
        Assert.False(File.Exists(Path.Combine(folder, "dataset.json")));
        (code, string output, error) = SalternProcess.Run(Arguments(folder));

        Assert.True(code == 0, error);
        Assert.Matches("Went on with an interrupted run that had written [1-9][0-9]* documents", output);
        string[] files =
        [
            .. Directory
                .GetFiles(whole, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(whole, file))
                .Order(),
        ];
        Assert.Equal(
            files,
            Directory
                .GetFiles(folder, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(folder, file))
                .Order()
        );
        Assert.All(
            files,
            file =>
                Assert.True(
                    File.ReadAllBytes(Path.Combine(whole, file))
                        .AsSpan()
                        .SequenceEqual(File.ReadAllBytes(Path.Combine(folder, file))),
                    file
                )
        );
    }

    [Fact]
    public void FieldsOfOtherNames_AreFoundOrNamed()
    {
        string text = workspace["other-fields.jsonl"];
        string folder = workspace["other-fields"];
        File.WriteAllText(
            text,
            string.Concat(
                Enumerable
                    .Range(0, 200)
                    .Select(i => $"{{\"content\":{{\"body\":\"A cat sees {i}.\"}},\"kind\":\"k{i % 2}\"}}\n")
            )
        );
        string[] common = ["prepare", "--input", text, "--tokenizer", workspace["tokenizer.json"], "--out", folder];

        (int code, _, string error) = SalternProcess.Run(common);
        Assert.Equal(1, code);
        Assert.Contains(
            "other-fields.jsonl:1: has no field 'text', but 'content', 'kind'",
            error,
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(folder));

        (code, string output, error) = SalternProcess.Run([
            .. common,
            "--text-field",
            "text",
            "content.body",
            "--domain-field",
            "kind",
            "--max-broken-percent",
            "0",
        ]);
        Assert.True(code == 0, error);
        Assert.Matches(@"k0 +train +\d+ documents", output);

        (code, _, error) = SalternProcess.Run([
            .. common,
            "--overwrite",
            "--text-field",
            "content.body",
            "--domain-field",
            "kin",
        ]);
        Assert.Equal(1, code);
        Assert.Contains("None of 200 records has a domain in 'kin'", error, StringComparison.Ordinal);
    }

    private static int EndOnceItWrites(string[] arguments, string folder, string signal)
    {
        using Process process = SalternProcess.StartQuietly(arguments);
        process.BeginOutputReadLine();
        long size = Size(folder);
        while (Size(folder) is var now && (now == 0 || now == size) && !process.HasExited)
        {
            Thread.Sleep(10);
        }

        using (Process kill = Process.Start("kill", [signal, $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        Assert.True(process.WaitForExit(Wait.LongestRun), "the program did not end");
        return process.ExitCode;
    }

    private static long Size(string folder)
    {
        var train = new DirectoryInfo(Path.Combine(folder, "train"));
        if (train.Exists)
        {
            return train.GetFiles("*.bin.partial").Sum(file => file.Length);
        }

        return 0;
    }

    private static void WriteCorpus(string path, int bytes)
    {
        var random = new Random(1);
        using var file = new StreamWriter(path);
        var line = new StringBuilder();
        for (int written = 0; written < bytes; written += line.Length)
        {
            line.Clear().Append("{\"text\":\"");
            for (int word = 0; word < 400; word++)
            {
                line.Append("the cat follows old ").Append(random.Next(10_000)).Append(' ');
            }

            file.WriteLine(line.Append("\"}"));
        }
    }
}
