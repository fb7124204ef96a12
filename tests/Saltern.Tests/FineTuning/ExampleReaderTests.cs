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
    [InlineData("""["a"]""", "line 1: is no object but Array")]
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
        """{"messages": [{"role": "tool", "content": "a"}]}""",
        "message 1 has the role 'tool'. Allowed are system, user, assistant"
    )]
    [InlineData("""{"messages": [{"role": "user"}]}""", "has no field 'content', but 'role'")]
    [InlineData("""{"messages": "a"}""", "has no list 'messages', but 'messages'")]
    [InlineData("""{"messages": [{"role": "user", "content": "a"}]}""", "the last one must be the assistant's")]
    public void BrokenConversations_AreNamedByLine(string text, string expected)
    {
        string path = _folder.Write("c.jsonl", text);
        string message = Assert
            .Throws<DataFormatException>(() =>
                Read(
                    path,
                    config =>
                        config with
                        {
                            Format = ExampleFormat.Messages,
                            Template = new ChatTemplateConfig { Name = "turns" },
                        }
                )
            )
            .Message;
        Assert.Contains(path + ", line 1", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
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
        var config = new ExampleConfig { Path = path };
        return new ExampleReader(change?.Invoke(config) ?? config, TinyExamples.Tokenizer).Read(path, "data.path");
    }
}
