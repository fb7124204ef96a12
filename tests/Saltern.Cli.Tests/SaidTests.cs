namespace Saltern.Cli.Tests;

// What the program leaves out, cuts or takes otherwise than asked, it says; docs/silent.md lists all of it, these tests read what no other one does.
public class SaidTests(Workspace workspace) : IClassFixture<Workspace>
{
    [Fact]
    public void Prepare_SaysWhatItDidNotRead_WhatWasBroken_AndWhatItLeftOut()
    {
        string folder = workspace["mixed"];
        Directory.CreateDirectory(folder);
        File.WriteAllLines(
            Path.Combine(folder, "a.jsonl"),
            [
                .. Enumerable.Range(0, 300).Select(i => $$"""{"text": "The cat sees the harbour {{i}}."}"""),
                """{"text": "The cat sees the harbour 7."}""",
                """{"text": ""}""",
                """{"text": "torn""",
            ]
        );
        File.WriteAllText(Path.Combine(folder, "notes.pdf"), "%PDF-1.4");
        (int code, string output, string error) = SalternProcess.Run(
            "prepare",
            "--input",
            folder,
            "--tokenizer",
            workspace["tokenizer.json"],
            "--out",
            workspace["mixed-data"],
            "--max-broken-percent",
            "5",
            "--valid-percent",
            "0"
        );
        Assert.True(code == 0, output + error);
        Assert.Contains("Not read: 1 other files: ", output, StringComparison.Ordinal);
        Assert.Contains("notes.pdf", output, StringComparison.Ordinal);
        Assert.Contains("Passed over: 1 broken records, 0 broken files.", output, StringComparison.Ordinal);
        Assert.Contains("a.jsonl:303", output, StringComparison.Ordinal);
        Assert.Contains(
            "Left out: 1 duplicates, 0 that are also validation text, 1 empty.",
            output,
            StringComparison.Ordinal
        );
        Assert.Contains("has no validation text", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("prepare")]
    [InlineData("tokenizer")]
    public void FilesNamedLikeTextToMeasureOn_AreWarnedOf(string verb)
    {
        string folder = workspace["naive-" + verb];
        Directory.CreateDirectory(folder);
        foreach (string name in (string[])["a.train.jsonl", "a.valid.jsonl", "b-test.jsonl"])
        {
            File.WriteAllLines(
                Path.Combine(folder, name),
                Enumerable.Range(0, 60).Select(i => $$"""{"text": "The cat sees the harbour {{i}} of {{name}}."}""")
            );
        }

        string[] files = [folder];
        (int code, string output, string error) = verb == "prepare" ? Prepare(files) : Train(files);
        Assert.True(code == 0, output + error);
        Assert.Contains(
            "Warning: 2 of 3 input files are named like text to measure on, and are read as training text all the same: "
                + $"{folder}/a.valid.jsonl, {folder}/b-test.jsonl.",
            output,
            StringComparison.Ordinal
        );

        // As the warning says: named, or given as what they are.
        files = [Path.Combine(folder, "*.train.*")];
        (code, output, error) = verb == "prepare" ? Prepare(files) : Train(files);
        Assert.True(code == 0, output + error);
        Assert.DoesNotContain("Warning", output, StringComparison.Ordinal);
        if (verb == "prepare")
        {
            (code, output, error) = Prepare(
                [folder],
                "--valid",
                Path.Combine(folder, "a.valid.jsonl"),
                Path.Combine(folder, "b-test.jsonl")
            );
            Assert.True(code == 0, output + error);
            Assert.DoesNotContain("Warning", output, StringComparison.Ordinal);
            Assert.Contains("120 that are also validation text", output, StringComparison.Ordinal);
        }

        (int, string, string) Prepare(string[] input, params string[] more) =>
            SalternProcess.Run([
                "prepare",
                "--input",
                .. input,
                "--tokenizer",
                workspace["tokenizer.json"],
                "--out",
                workspace["naive-data"],
                "--overwrite",
                "--valid-percent",
                "5",
                .. more,
            ]);

        (int, string, string) Train(string[] input) =>
            SalternProcess.Run([
                "tokenizer",
                "train",
                "--input",
                .. input,
                "--vocab",
                "270",
                "--out",
                workspace["naive.json"],
            ]);
    }

    [Fact]
    public void NearDuplicates_AreLeftOutWhereAsked_CountedAndNamed()
    {
        string path = workspace["near.jsonl"];
        var random = new Random(6);
        string[] texts =
        [
            .. Enumerable
                .Range(0, 200)
                .Select(_ => string.Join(' ', Enumerable.Range(0, 50).Select(_ => $"word{random.Next(100_000)}"))),
        ];
        File.WriteAllLines(
            path,
            texts
                .Concat(texts.Take(7).Select(text => text.ToUpperInvariant() + "!"))
                .Select(text => $$"""{"text": "{{text}}"}""")
        );
        string output = Prepare("--near-duplicates");
        Assert.Contains("Left out: 7 near-duplicates of documents before them", output, StringComparison.Ordinal);
        Assert.Contains($"  {path}:201 is like {path}:1 (1.00)", output, StringComparison.Ordinal);
        Assert.Contains(": 200 documents, ", output, StringComparison.Ordinal);
        output = Prepare();
        Assert.DoesNotContain("near-duplicates", output, StringComparison.Ordinal);
        Assert.Contains(": 207 documents, ", output, StringComparison.Ordinal);

        string Prepare(params string[] more)
        {
            (int code, string said, string error) = SalternProcess.Run([
                "prepare",
                "--input",
                path,
                "--tokenizer",
                workspace["tokenizer.json"],
                "--out",
                workspace["near-data"],
                "--overwrite",
                .. more,
            ]);
            Assert.True(code == 0, said + error);
            return said;
        }
    }

    [Fact]
    public void ATokenizerWithFewerTokensThanAskedFor_SaysSo()
    {
        (int code, string output, _) = SalternProcess.Run(
            "tokenizer",
            "train",
            "--input",
            workspace["text"],
            "--vocab",
            "60000",
            "--out",
            workspace["small.json"]
        );
        Assert.Equal(0, code);
        Assert.Contains("tokens only, 60000 were asked for.", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "--sentinels = -3 is below 0",
        "tokenizer",
        "train",
        "--input",
        "x",
        "--vocab",
        "300",
        "--out",
        "y",
        "--sentinels",
        "-3"
    )]
    [InlineData("--elements = 0 is outside", "nccl-check", "--elements", "0")]
    public void NumbersOutOfRange_AreRefused_NotClamped(string words, params string[] arguments)
    {
        (int code, _, string error) = SalternProcess.Run(arguments);
        Assert.Equal(2, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnswersAndPromptsThatAWindowCuts_AreCounted()
    {
        File.WriteAllText(
            workspace["long.yaml"],
            "task: long\nkind: generate\nmax_tokens: 1000\nreadings: [{ prompt: \"{q}\", answers: [a] }]\n"
        );
        File.WriteAllLines(
            workspace["long.jsonl"],
            [
                """{"id": "short", "q": "The", "a": "x"}""",
                $$"""{"id": "far", "q": "{{string.Concat(Enumerable.Repeat("The cat sees. ", 60))}}", "a": "x"}""",
            ]
        );
        (int code, string output, string error) = SalternProcess.Run(
            "eval",
            workspace["teacher"],
            "--tasks",
            workspace["long.yaml"],
            "--data-dir",
            workspace.Folder
        );
        Assert.True(code == 0, output + error);
        Assert.Contains("not max_tokens = 1000.", output, StringComparison.Ordinal);
        Assert.Contains("1 of them longer than the ", output, StringComparison.Ordinal);
        Assert.Contains("cut from the left: far", output, StringComparison.Ordinal);
    }
}
