using System.Text;
using System.Text.Json.Serialization;
using Parquet.Serialization;
using Saltern.Configuration;
using Saltern.FineTuning;

namespace Saltern.Tests.FineTuning;

public sealed class ExampleReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void PromptAndResponse_PlainAndCompressed()
    {
        string line =
            """{"id": "x", "prompt": "q:", "response": " a"}""" + "\n\n" + """{"prompt": "r:", "response": " b"}""";
        string[] paths =
        [
            _folder.Write("a.jsonl", line),
            _folder.Write("a.jsonl.gz", TemporaryFolder.Gzip(line)),
            _folder.Write("a.jsonl.zst", TemporaryFolder.Zstandard(line)),
        ];
        foreach (string path in paths)
        {
            (Example Example, string SplitKey)[] read = [.. Read(path)];
            Assert.Equal([("x", "q:"), ("line 3", "r:")], read.Select(entry => (entry.Example.Id, entry.SplitKey)));
            Assert.Equal("q: a<|endoftext|>", TinyExamples.Tokenizer.Decode(read[0].Example.Tokens));
        }
    }

    [Fact]
    public void TemplatesOverOtherFields_AreFilled()
    {
        // GSM8K as it is published.
        string path = _folder.Write("g.jsonl", """{"question": "Two and two?", "answer": "2 + 2 = 4\n#### 4"}""");
        Example example = Assert
            .Single(
                Read(
                    path,
                    config =>
                        config with
                        {
                            Prompt = "Question: {question}\nAnswer:",
                            Response = " {answer|before:####|trim}",
                        }
                )
            )
            .Example;
        Assert.Equal(
            "Question: Two and two?\nAnswer: 2 + 2 = 4<|endoftext|>",
            TinyExamples.Tokenizer.Decode(example.Tokens)
        );
    }

    [Fact]
    public void Alpaca_HasItsTwoWordings()
    {
        string path = _folder.Write(
            "a.jsonl",
            """
            {"instruction": "Add.", "input": "1 2", "output": "3"}
            {"instruction": "Greet.", "input": "", "output": "Hi"}
            {"instruction": "Greet.", "output": "Hi"}
            """
        );
        string[] texts =
        [
            .. Read(path, config => config with { Format = ExampleFormat.Alpaca })
                .Select(entry => TinyExamples.Tokenizer.Decode(entry.Example.Tokens)),
        ];
        Assert.Equal(
            "Below is an instruction that describes a task, paired with an input that provides further context. "
                + "Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### "
                + "Response:\n3<|endoftext|>",
            texts[0]
        );
        Assert.Equal(
            "Below is an instruction that describes a task. Write a response that appropriately completes the "
                + "request.\n\n### Instruction:\nGreet.\n\n### Response:\nHi<|endoftext|>",
            texts[1]
        );
        Assert.Equal(texts[1], texts[2]);
    }

    [Fact]
    public void Messages_WithOtherNames()
    {
        // ShareGPT's names.
        string path = _folder.Write(
            "s.jsonl",
            """{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"""
        );
        Example example = Assert
            .Single(
                Read(
                    path,
                    config =>
                        config with
                        {
                            Format = ExampleFormat.Messages,
                            Template = new ChatTemplateConfig { Name = "turns" },
                            Fields = new Dictionary<string, string>
                            {
                                ["messages"] = "conversations",
                                ["role"] = "from",
                                ["content"] = "value",
                            },
                            Roles = new Dictionary<string, string> { ["human"] = "user", ["gpt"] = "assistant" },
                        }
                )
            )
            .Example;
        Assert.Equal("User:\na\n\nAssistant:\nb<|endoftext|>", TinyExamples.Tokenizer.Decode(example.Tokens));
    }

    [Theory]
    [InlineData("""{"prompt": "a"}""", "line 1: has no field 'response', but 'prompt'")]
    [InlineData("""{"prompt": "a", "response": " "}""", "line 1: has an empty response")]
    [InlineData("""{"prompt": "", "response": "b"}""", "line 1: has an empty prompt")]
    [InlineData("""{"prompt": {"x": 1}, "response": "b"}""", "is an object, where a text is needed")]
    [InlineData("""["a"]""", "record 1: is no object but String")]
    [InlineData("{", "line 1 is not JSON")]
    [InlineData("\n", "holds no example")]
    public void BrokenRecords_AreNamedByLine(string text, string expected) =>
        Assert.Contains(
            expected,
            Assert.Throws<DataFormatException>(() => Read(_folder.Write("b.jsonl", text))).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData(
        """{"messages": [{"role": "narrator", "content": "a"}]}""",
        "message 1 has the role 'narrator'. Allowed are system, user, assistant, tool"
    )]
    [InlineData("""{"messages": [{"role": "user"}]}""", "message 1 has no field 'content', but 'role'")]
    [InlineData("""{"messages": "a"}""", "has no list 'messages', but 'messages'")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}]}""", "has no message of the assistant")]
    [InlineData("""{"messages": []}""", "has no messages")]
    [InlineData(
        """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]}]}""",
        "message 2 has 'tool_calls', for which templates have no text"
    )]
    [InlineData(
        """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null}]}""",
        "message 2 has null for its content"
    )]
    [InlineData(
        """{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, {"role": "assistant", "content": "b"}]}""",
        "message 1 has a part that is no text"
    )]
    [InlineData(
        """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0.5}]}""",
        "message 2 has the weight 0.5. Allowed are 0 (not learned) and 1"
    )]
    [InlineData(
        """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]}""",
        "all have weight 0"
    )]
    [InlineData(
        """{"system": "x", "messages": [{"role": "system", "content": "y"}, {"role": "assistant", "content": "b"}]}""",
        "has a system message in its list and another one"
    )]
    public void BrokenConversations_AreNamedByLine(string text, string expected)
    {
        string path = _folder.Write("c.jsonl", text);
        string message = Assert.Throws<DataFormatException>(() => Read(path, Chat)).Message;
        Assert.Contains(path + ", line 1", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    // With '|' before what is learned and behind it.
    [Theory]
    [InlineData(
        """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}, """
            + """{"role": "user", "content": "c"}, {"role": "assistant", "content": "d", "weight": 1}]}""",
        "User:\na\n\nAssistant:\nb$\nUser:\nc\n\nAssistant:\n|d$|"
    )]
    [InlineData(
        """{"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": [{"type": "text", """
            + """ "text": "a"}, {"type": "text", "text": "b"}]}, {"role": "assistant", "content": "c", """
            + """ "tool_calls": null}]}""",
        "s\n\nUser:\nab\n\nAssistant:\n|c$|"
    )]
    [InlineData(
        """{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, """
            + """{"from": "human", "value": "nobody answers"}]}""",
        "User:\na\n\nAssistant:\n|b$|"
    )]
    [InlineData(
        """{"system": "s", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}""",
        "s\n\nUser:\na\n\nAssistant:\n|b$|"
    )]
    [InlineData(
        """{"messages": [{"role": "system", "content": ""}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}""",
        "User:\na\n\nAssistant:\n|b$|"
    )]
    [InlineData(
        """{"conversations": [{"from": "system", "value": null}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}""",
        "User:\na\n\nAssistant:\n|b$|"
    )]
    [InlineData(
        """{"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": "7"}, {"role": "assistant", "content": "b"}]}""",
        "User:\na\n\nTool:\n7\n\nAssistant:\n|b$|"
    )]
    [InlineData(
        """{"messages": [{"role": "assistant", "content": "hello"}, {"role": "user", "content": "a"}, """
            + """{"role": "assistant", "content": "b"}]}""",
        "Assistant:\n|hello$|\nUser:\na\n\nAssistant:\n|b$|"
    )]
    public void Conversations_AreLearnedAsTheirAuthorsMean(string record, string expected)
    {
        Example example = Assert.Single(Read(_folder.Write("c.jsonl", record), Chat)).Example;

        string marked = string.Concat(
            example.Tokens.Select(
                (token, i) =>
                    (i > 0 && example.Counts[i] != example.Counts[i - 1] ? "|" : "")
                    + TinyExamples.Tokenizer.Decode([token])
            )
        );
        string end = example.Counts[^1] ? "|" : "";
        Assert.Equal(expected, (marked + end).Replace("<|endoftext|>", "$", StringComparison.Ordinal));
    }

    [Fact]
    public void OneBadRecord_IsPassedOverAndNamed()
    {
        string good = """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}""";
        string path = _folder.Write("c.jsonl", $"{good}\n{{}}\nno JSON\n{good}\n{good}\n");
        ReadExamples read = Reader(path, Chat).Read(path, "data.path");

        Assert.Equal((3, 2), (read.Examples.Count, read.PassedOver));
        Assert.Contains("line 2: has no list 'messages'", read.FirstPassedOver[0], StringComparison.Ordinal);
        Assert.Contains("line 3 is not JSON", read.FirstPassedOver[1], StringComparison.Ordinal);
        Assert.Contains(
            "holds too few examples: 3 of 5 records are none",
            Assert
                .Throws<DataFormatException>(() =>
                    Read(_folder.Write("d.jsonl", $"{good}\n{{}}\n{{}}\n{{}}\n{good}"), Chat)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void FieldsOfConversationsThatAreNotRead_AreNamedWithTheirCount()
    {
        string path = _folder.Write(
            "c.jsonl",
            """{"tools": [{"type": "function"}], "messages": [{"role": "User", "content": "a", "name": "x"}, """
                + """{"role": "Assistant", "content": "b", "train": true, "reasoning_content": "so", "weight": true}]}"""
                + "\n"
                + """{"tools": [], "messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d", "train": true}]}"""
        );
        IReadOnlyDictionary<string, int> unread = Reader(path, Chat).Read(path, "data.path").UnreadFields;
        Assert.Equal(
            [("reasoning_content", 1), ("tools", 1), ("train", 2)],
            unread.Select(field => (field.Key, field.Value)).Order()
        );
    }

    [Fact]
    public void OneBadRecordOfTwo_DoesNotRefuseTheFile()
    {
        string good = """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}""";
        ReadExamples read = Reader(_folder.Write("c.jsonl", $"{good}\n{{}}\n"), Chat)
            .Read(_folder["c.jsonl"], "data.path");
        Assert.Equal((1, 1), (read.Examples.Count, read.PassedOver));
        Assert.Throws<DataFormatException>(() => Read(_folder.Write("e.jsonl", "\n"), Chat));
    }

    [Fact]
    public void AFolderOfShards_IsReadInOrder_AndWhatIsNotReadIsNamed()
    {
        _folder.Write("sft/train-00001-of-00002.jsonl", """{"prompt": "r:", "response": " b"}""");
        _folder.Write(
            "sft/train-00000-of-00002.jsonl.gz",
            TemporaryFolder.Gzip("""{"prompt": "q:", "response": " a"}""")
        );
        _folder.Write("sft/README.md", "about it");
        _folder.Write("sft/notes.txt", "more");
        ReadExamples read = Reader(_folder["sft"], null).Read(_folder["sft"], "data.path");
        Assert.Equal(
            ["train-00000-of-00002.jsonl.gz, line 1", "train-00001-of-00002.jsonl, line 1"],
            read.Examples.Select(entry => entry.Example.Id)
        );
        Assert.Equal(["README.md", "notes.txt"], read.LeftOut.Select(Path.GetFileName));
        Assert.Single(Read(_folder["sft/*-00001-*.jsonl"]));
        Assert.Contains(
            "leads to no file of records",
            Assert.Throws<ConfigurationException>(() => Read(_folder["sft/*.txt"])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AnEncoding_IsThatOfJsonWithoutAMark()
    {
        string line = """{"prompt": "é:", "response": " ü"}""";
        string latin = _folder.Write("latin.jsonl", Encoding.Latin1.GetBytes(line));
        string marked = _folder.Write(
            "marked.jsonl",
            [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(line)]
        );
        foreach (string path in new[] { latin, marked })
        {
            Example read = Assert.Single(Read(path, config => config with { Encoding = "iso-8859-1" })).Example;
            Assert.Equal("é: ü<|endoftext|>", TinyExamples.Tokenizer.Decode(read.Tokens));
        }

        Assert.Throws<DataFormatException>(() => Read(latin));
    }

    [Fact]
    public async Task ListsAndParquet_AreReadAsLinesAre()
    {
        string alpaca = _folder.Write(
            "alpaca_data.json",
            """
            [
              {"instruction": "Add.", "input": "", "output": "3"},
              {"instruction": "Greet.", "input": "", "output": "Hi"}
            ]
            """
        );
        Assert.Equal(2, Read(alpaca, config => config with { Format = ExampleFormat.Alpaca }).Count);

        string path = _folder["chat.parquet"];
        await using (FileStream file = File.Create(path))
        {
            await ParquetSerializer.SerializeAsync(
                [new ParquetChat([new ParquetMessage("user", "a"), new ParquetMessage("assistant", "b")])],
                file,
                cancellationToken: TestContext.Current.CancellationToken
            );
        }

        Assert.Equal(
            "User:\na\n\nAssistant:\nb<|endoftext|>",
            TinyExamples.Tokenizer.Decode(Assert.Single(Read(path, Chat)).Example.Tokens)
        );
    }

    [Fact]
    public void TheSplit_DoesNotDependOnTheFirstTurn()
    {
        string path = _folder.Write(
            "c.jsonl",
            string.Concat(
                Enumerable
                    .Range(0, 100)
                    .Select(i =>
                        $$"""{"messages": [{"role": "assistant", "content": "Welcome"}, {"role": "user", "content": "{{i}}"}, """
                        + $$"""{"role": "assistant", "content": "b"}]}"""
                        + "\n"
                    )
            )
        );
        int valid = Read(path, Chat).Count(entry => ExampleSet.IsValid(entry.SplitKey, 20));

        Assert.InRange(valid, 4, 36); // 20 % of 100 by hash: four standard deviations are 16
    }

    [Fact]
    public void CutArchive_IsRefused()
    {
        byte[] whole = TemporaryFolder.Gzip(string.Concat(TinyExamples.Lines(500)));
        Assert.Throws<DataFormatException>(() => Read(_folder.Write("cut.jsonl.gz", whole[..(whole.Length / 2)])));
        Assert.Contains(
            "does not exist",
            Assert.Throws<ConfigurationException>(() => Read(_folder["absent.jsonl"])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "another ending",
            Assert.Throws<ConfigurationException>(() => Read(_folder.Write("a.csv", "x"))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TooLongExamples_AreCountedNamedAndLeftOut()
    {
        string path = TinyExamples.Write(_folder);
        File.AppendAllText(path, $$"""{"id": "long", "prompt": "q:", "response": "{{new string('x', 300)}}"}""");
        ExampleConfig config = TinyExamples.Recipe(path).Data;
        ExampleSet set = ExampleSet.Open(config, TinyExamples.Tokenizer);
        Assert.Equal(["long"], set.Counts.TooLong);
        Assert.Equal(120, set.Counts.Train + set.Counts.Valid);
        Assert.InRange(set.Counts.Valid, 12, 36); // 20 % of 120 by hash: four standard deviations are 17
        Assert.Contains(
            "121 are longer",
            Assert
                .Throws<ConfigurationException>(() =>
                    ExampleSet.Open(
                        config with
                        {
                            Path = _folder.Write(
                                "l.jsonl",
                                string.Concat(Enumerable.Repeat(File.ReadLines(path).Last() + "\n", 121))
                            ),
                        },
                        TinyExamples.Tokenizer
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(null, 30, 10, 0, 10)]
    [InlineData(null, 10, 30, 30, 0)]
    [InlineData("CutPrompt", 30, 10, 10, 0)]
    [InlineData("LeaveOut", 10, 30, 0, 30)]
    public void LongPrompts_LoseTheirBeginnings_WhereMostAreLongOrItIsAskedFor(
        string? how,
        int fitting,
        int longer,
        int cut,
        int leftOut
    )
    {
        string path = _folder.Write(
            "l.jsonl",
            string.Concat(
                Enumerable
                    .Range(0, fitting + longer)
                    .Select(i =>
                        $$"""{"prompt": "{{(i < fitting ? "" : new string('x', 300))}}q {{i}}:", "response": " a"}"""
                        + "\n"
                    )
            )
        );
        ExampleConfig config = TinyExamples.Recipe(path).Data with
        {
            TooLong = how is null ? null : Enum.Parse<TooLongExamples>(how),
        };
        ExampleSet set = ExampleSet.Open(config, TinyExamples.Tokenizer);

        Assert.Equal(fitting + longer - leftOut, set.Counts.Train + set.Counts.Valid);
        Assert.Equal((cut, leftOut), (set.Counts.CutPrompts, set.Counts.TooLong.Count));
        Assert.Equal(
            cut > 0,
            set.Remarks.Any(line => line.Contains("lose their beginnings", StringComparison.Ordinal))
        );
    }

    [Fact]
    public void CuttingAPrompt_KeepsTheBeginOfTextAndTheLastReply()
    {
        var example = new Example("1", [9, 1, 2, 3, 4, 5, 6], [false, false, true, false, false, true, true]);

        Example cut = example.CutTo(4, begin: 1)!;
        Assert.Equal([9, 3, 4, 5, 6], cut.Tokens);
        Assert.Equal([false, false, false, true, true], cut.Counts);
        Assert.Equal([false, false, true, true], example.CutTo(3, begin: 1)!.Counts);
        Assert.Null(example.CutTo(2, begin: 1));
    }

    [Fact]
    public void ExactlyTheSequenceLength_Fits()
    {
        // 9 tokens, of which the last is predicted and never fed: 8 positions.
        var example = new Example(
            "1",
            [1, 2, 3, 4, 5, 6, 7, 8, 9],
            [false, true, true, true, true, true, true, true, true]
        );
        Assert.Equal([8L, 1L], [example.Positions, new ExampleRows([example], 8, 0).Sizes[0]]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ExampleRows([example], 7, 0));
    }

    [Fact]
    public void Split_KeepsEqualKeysTogether_AndDoesNotDependOnTheRest()
    {
        string path = _folder.Write(
            "p.jsonl",
            string.Concat(
                Enumerable
                    .Range(0, 200)
                    .Select(i =>
                        $$"""{"id": "{{i}}", "prompt": "passage {{i / 4}}|question {{i}}:", "response": " a"}""" + "\n"
                    )
            )
        );
        ExampleConfig config = TinyExamples.Recipe(path).Data with
        {
            SplitBy = "{prompt|before:question}",
            SequenceLength = 64,
        };
        var sides = Read(path, _ => config)
            .Select(entry => (Passage: entry.SplitKey, IsValid: ExampleSet.IsValid(entry.SplitKey, 20)))
            .Distinct()
            .ToArray();
        Assert.Equal(50, sides.Length);
        Assert.Contains(sides, side => side.IsValid);
        Assert.Empty(ExampleSet.Open(config, TinyExamples.Tokenizer).Remarks);
    }

    [Fact]
    public void ValidationFileThatRepeatsTraining_IsSaid()
    {
        ExampleConfig config = TinyExamples.Recipe(TinyExamples.Write(_folder)).Data with
        {
            ValidPercent = null,
            ValidPath = TinyExamples.Write(_folder, "valid.jsonl", 7),
        };
        Assert.StartsWith(
            "7 of 7 validation examples have a prompt that is trained on too",
            Assert.Single(ExampleSet.Open(config, TinyExamples.Tokenizer).Remarks),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("format: messages", "data.template")]
    [InlineData("format: alpaca\n  prompt: \"{x}\"", "used by 'format: prompt_response' only")]
    [InlineData("encoding: klingon", "klingon is not known")]
    [InlineData("prompt: \"no field\"", "names no field")]
    [InlineData("prompt: \"{x\"", "single '{'")]
    [InlineData("format: alpaca\n  fields: { prompt: x }", "Allowed are instruction, input, output")]
    [InlineData("format: messages\n  template: { name: nosuch }", "none of turns, chatml")]
    [InlineData("format: messages\n  template: { name: turns, user: \"{content}\" }", "goes without texts")]
    [InlineData("format: messages\n  template: { user: \"x\", assistant: \"y\" }", "has not just one {content}")]
    [InlineData("valid_path: v.jsonl\n  valid_percent: 3", "Remove one of them")]
    public void ContradictionsInTheSection_AreErrors(string lines, string expected)
    {
        string yaml = $"name: x\ninit_from: m\ntraining: {{ steps: 1 }}\ndata:\n  path: p.jsonl\n  {lines}\n";
        Assert.Contains(
            expected,
            Assert.Throws<ConfigurationException>(() => RecipeReader.Parse<FineTuneConfig>(yaml, "x.yaml", [])).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("{}", "epochs is missing")]
    [InlineData("{ steps: 1, batch_sequences: 8, micro_batch_sequences: 3 }", "does not divide")]
    public void LengthOfTheRun_IsNeeded(string section, string expected)
    {
        string yaml = $"name: x\ninit_from: m\ndata: {{ path: p.jsonl }}\ntraining: {section}\n";
        Assert.Contains(
            expected,
            Assert.Throws<ConfigurationException>(() => RecipeReader.Parse<FineTuneConfig>(yaml, "x.yaml", [])).Message,
            StringComparison.Ordinal
        );
    }

    public void Dispose() => _folder.Dispose();

    private static IReadOnlyList<(Example Example, string SplitKey)> Read(
        string path,
        Func<ExampleConfig, ExampleConfig>? change = null
    )
    {
        return Reader(path, change).Read(path, "data.path").Examples;
    }

    private static ExampleReader Reader(string path, Func<ExampleConfig, ExampleConfig>? change)
    {
        var config = new ExampleConfig { Path = path };
        return new ExampleReader(change?.Invoke(config) ?? config, TinyExamples.Tokenizer);
    }

    private static ExampleConfig Chat(ExampleConfig config) =>
        config with
        {
            Format = ExampleFormat.Messages,
            Template = new ChatTemplateConfig { Name = "turns" },
        };
}

internal sealed record ParquetMessage(
    [property: JsonPropertyName("role")] string Role,
    [property: JsonPropertyName("content")] string Content
);

internal sealed record ParquetChat([property: JsonPropertyName("messages")] List<ParquetMessage> Messages);
