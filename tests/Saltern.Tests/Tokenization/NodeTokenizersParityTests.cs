using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

/// <summary>Ids against an independent implementation that reads the same tokenizer.json.</summary>
public sealed class NodeTokenizersParityTests : IDisposable
{
    private const int Million = 1_000_000;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(SplitPattern.Gpt2)]
    [InlineData(SplitPattern.Llama3)]
    [InlineData(SplitPattern.Qwen2)]
    public void Ids_AreEqual_OnAMillionTokensOfAllDomains(SplitPattern pattern)
    {
        if (SharedData.Folder is null)
        {
            Assert.Skip("no shared/data beside the repository");
        }

        var corpus = Path.Combine(SharedData.Folder, "corpus");
        string[] valid = [.. Directory.GetFiles(corpus, "*.valid.jsonl.gz").Order().SelectMany(file => Texts(file))];
        string[] train =
        [
            .. Directory.GetFiles(corpus, "*.train.jsonl.gz").Order().SelectMany(file => Texts(file).Take(60)),
        ];
        var ours = TestTraining.Train(
            [.. valid, .. SampleTexts.All],
            new BpeTrainerOptions { VocabularySize = 8192, Pattern = pattern }
        );

        var tokens = AssertEqual(ours, [.. SampleTexts.All, .. SampleTexts.Blanks(), .. valid, .. train]);

        Assert.InRange(tokens, Million, int.MaxValue);
    }

    [Theory]
    [InlineData(SplitPattern.Gpt2)]
    [InlineData(SplitPattern.Llama3)]
    [InlineData(SplitPattern.Qwen2)]
    public void Ids_AreEqual_OnScriptsEmojiCodeAndBlanks(SplitPattern pattern)
    {
        Assert.InRange(SampleTexts.Scripts.Length, 20, int.MaxValue);
        var ours = TestTraining.Train(
            SampleTexts.All,
            new BpeTrainerOptions
            {
                VocabularySize = 900,
                MinimumFrequency = 1,
                Pattern = pattern,
            }
        );

        // Each alone, and each pair joined, so that every kind of text meets every other.
        AssertEqual(
            ours,
            [
                .. SampleTexts.All,
                .. SampleTexts.Blanks(),
                .. SampleTexts.All.SelectMany(first => SampleTexts.All.Select(second => first + second)),
            ]
        );
    }

    [Fact]
    public void Ids_AreEqual_ForAFileWithEverythingThatOthersUse()
    {
        var trained = TestTraining.Train(
            SampleTexts.All,
            new BpeTrainerOptions
            {
                VocabularySize = 700,
                MinimumFrequency = 1,
                Pattern = SplitPattern.Gpt2,
            }
        );
        trained.Save(_folder["plain.json"]);
        var root = JsonNode.Parse(File.ReadAllText(_folder["plain.json"]))!;
        root["normalizer"] = JsonNode.Parse("""{"type":"NFC"}""");
        root["added_tokens"]!
            .AsArray()
            .Add(
                JsonNode.Parse(
                    """{"id":700,"content":"<left>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true}"""
                )
            );
        root["added_tokens"]!
            .AsArray()
            .Add(
                JsonNode.Parse(
                    """{"id":701,"content":"<right>","single_word":false,"lstrip":false,"rstrip":true,"normalized":false,"special":false}"""
                )
            );
        root["added_tokens"]!
            .AsArray()
            .Add(
                JsonNode.Parse(
                    """{"id":702,"content":"é!","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}"""
                )
            );
        root["added_tokens"]!
            .AsArray()
            .Add(
                JsonNode.Parse(
                    """{"id":703,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}"""
                )
            );
        root["pre_tokenizer"] = JsonNode.Parse(
            """
            {"type":"Sequence","pretokenizers":[
                {"type":"Split","pattern":{"Regex":"\\p{N}{1,2}"},"behavior":"Isolated","invert":false},
                {"type":"Split","pattern":{"Regex":"#"},"behavior":"Removed","invert":false},
                {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}]}
            """
        );
        root["post_processor"] = JsonNode.Parse(
            """
            {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
             "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
             "special_tokens":{"<s>":{"id":"<s>","ids":[703],"tokens":["<s>"]}}}
            """
        );
        File.WriteAllText(_folder["tokenizer.json"], root.ToJsonString());

        AssertEqual(
            BpeTokenizer.Load(_folder["tokenizer.json"]),
            [.. SampleTexts.All, "a \t<left> b <right> \n c", "e\u0301! é! x#y##1234", "<s>a<s>"]
        );
    }

    private int AssertEqual(BpeTokenizer ours, IReadOnlyList<string> texts)
    {
        ours.Save(_folder["saved.json"]);
        var theirs = NodeTokenizers.Encode(_folder["saved.json"], texts);
        var tokens = 0;
        Assert.Equal(texts.Count, theirs.Count);
        for (var i = 0; i < texts.Count; i++)
        {
            int[] ids = [.. ours.BeginOfText, .. ours.Encode(texts[i], allowSpecial: true)]; // theirs always finds special tokens
            Assert.True(
                ids.AsSpan().SequenceEqual(theirs[i]),
                $"text {i}, \"{texts[i][..Math.Min(200, texts[i].Length)]}\": {string.Join(' ', ids.Take(50))} "
                    + $"against {string.Join(' ', theirs[i].Take(50))}"
            );
            tokens += ids.Length;
        }

        return tokens;
    }

    private static IEnumerable<string> Texts(string path)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
        {
            using var document = JsonDocument.Parse(line);
            yield return document.RootElement.GetProperty("text").GetString()!;
        }
    }
}
