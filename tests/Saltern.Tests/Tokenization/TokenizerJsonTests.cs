using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public sealed class TokenizerJsonTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(SplitPattern.Gpt2)]
    [InlineData(SplitPattern.Llama3)]
    [InlineData(SplitPattern.Qwen2)]
    public void Save_ThenLoad_GivesTheSameTokenizer(SplitPattern pattern)
    {
        var options = new BpeTrainerOptions
        {
            VocabularySize = 700,
            MinimumFrequency = 1,
            Pattern = pattern,
            SpecialTokens = ["<|endoftext|>", "<|pad|>"],
        };
        var tokenizer = TestTraining.Train(SampleTexts.All, options);
        var path = _folder["tokenizer.json"];

        tokenizer.Save(path);
        var loaded = BpeTokenizer.Load(path);
        loaded.Save(_folder["again.json"]);

        Assert.Equal(tokenizer.Fingerprint, loaded.Fingerprint);
        Assert.Equal((700, 698), (loaded.VocabularySize, loaded.EndOfTextId));
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_folder["again.json"]));
        Assert.All(SampleTexts.All, text => Assert.Equal(tokenizer.Encode(text), loaded.Encode(text)));
        Assert.Equal(
            ["again.json", "tokenizer.json"],
            Directory.GetFiles(_folder[""]).Select(Path.GetFileName).Order()
        );
    }

    [Fact]
    public void Load_ReadsWhatTheLibrarysFilesLookLike()
    {
        // By hand: two merges as pairs, ids not in the order of ranks, the special token in the vocabulary, an id unused.
        var root = Minimal();
        root["model"]!["vocab"]!["ab"] = 300;
        root["model"]!["vocab"]!["Ġab"] = 299;
        root["model"]!["merges"] = new JsonArray(new JsonArray("a", "b"), new JsonArray("Ġ", "ab"));

        var tokenizer = Load(root);

        Assert.Equal(301, tokenizer.VocabularySize);
        Assert.Equal([300, 299, 'c'], tokenizer.Encode("ab abc"));
        Assert.Equal(0, tokenizer.ByteLength(280));
        Assert.Empty(tokenizer.DecodeToBytes([280]));
    }

    [Fact]
    public void Load_TakesBothSpellingsOfMergesForTheSame()
    {
        var (pairs, strings) = (Minimal(), Minimal());
        pairs["model"]!["vocab"]!["ab"] = 257;
        strings["model"]!["vocab"]!["ab"] = 257;
        pairs["model"]!["merges"] = new JsonArray(new JsonArray("a", "b"));
        strings["model"]!["merges"] = new JsonArray("a b");

        Assert.Equal(Load(strings).Fingerprint, Load(pairs).Fingerprint);
    }

    [Fact]
    public void Fingerprint_DoesNotDependOnTheFilesLayout()
    {
        var compact = Minimal();
        var other = Minimal();
        other["version"] = "9";
        other["model"]!["vocab"] = new JsonObject(
            ((JsonObject)other["model"]!["vocab"]!)
                .Reverse()
                .Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.DeepClone()))
        );
        File.WriteAllText(_folder["indented.json"], other.ToJsonString(new() { WriteIndented = true }));

        Assert.Equal(Load(compact).Fingerprint, BpeTokenizer.Load(_folder["indented.json"]).Fingerprint);
    }

    [Fact]
    public void Bytes_WithoutAToken_AreDroppedAndCounted()
    {
        // U+42000 is F1 82 80 80; the vocabulary has no F1, as SmolLM's has not.
        var root = Minimal();
        root["model"]!["vocab"]!.AsObject().Remove("ñ");
        var tokenizer = Load(root);
        var ids = new List<int>();

        Assert.Equal(2, tokenizer.EncodeCounting("a\U00042000b\U00042000"u8, ids));

        Assert.Equal(['a', 0x82, 0x80, 0x80, 'b', 0x82, 0x80, 0x80], ids);
        Assert.Equal(0, tokenizer.EncodeCounting("ab"u8, ids));
    }

    [Theory]
    [InlineData(false, new[] { 'a', 257, 257, 'b', 257 })]
    [InlineData(true, new[] { 'a', 257, 'b', 257 })]
    public void Bytes_WithoutAToken_BecomeTheUnknownOne(bool fuses, int[] expected)
    {
        var root = Minimal();
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        vocabulary.Remove("ñ");
        vocabulary["<unk>"] = 257;
        root["model"]!["unk_token"] = "<unk>";
        root["model"]!["fuse_unk"] = fuses;
        var tokenizer = Load(root);
        var ids = new List<int>();

        Assert.Equal(3, tokenizer.EncodeCounting([(byte)'a', 0xF1, 0xF1, (byte)'b', 0xF1], ids));

        Assert.Equal(expected, ids);
        tokenizer.Save(_folder["saved.json"]);
        Assert.Equal(tokenizer.Fingerprint, BpeTokenizer.Load(_folder["saved.json"]).Fingerprint);
        root["model"]!["unk_token"] = null;
        Assert.NotEqual(tokenizer.Fingerprint, Load(root).Fingerprint);
    }

    [Fact]
    public void Load_HonoursAWholeWordInTheVocabulary()
    {
        // "abc" is an entry that no merge makes.
        var root = Minimal();
        root["model"]!["vocab"]!["abc"] = 257;

        Assert.Equal(['a', 'b', 'c'], Load(root).Encode("abc"));

        root["model"]!["ignore_merges"] = true;
        Assert.Equal([257], Load(root).Encode("abc"));
        Assert.Equal(['a', 'b', 'c', 'd'], Load(root).Encode("abcd"));
    }

    [Fact]
    public void Load_HonoursNfc()
    {
        var root = Minimal();
        root["normalizer"] = JsonNode.Parse("""{"type":"NFC"}""");

        var tokenizer = Load(root);

        Assert.Equal("é", tokenizer.Decode(tokenizer.Encode("e\u0301")));
        Assert.NotEqual(Load(Minimal()).Fingerprint, tokenizer.Fingerprint);
        tokenizer.Save(_folder["nfc.json"]);
        Assert.Equal(tokenizer.Fingerprint, BpeTokenizer.Load(_folder["nfc.json"]).Fingerprint);
    }

    [Fact]
    public void Load_FindsOrdinaryAddedTokensAlways_AndSpecialOnesWhenAllowed()
    {
        var root = Minimal();
        root["added_tokens"]!
            .AsArray()
            .Add(JsonNode.Parse("""{"id":257,"content":"  ","special":false,"normalized":true}"""));

        var tokenizer = Load(root);

        Assert.Equal(['a', 257, 'b'], tokenizer.Encode("a  b"));
        Assert.Equal([257, 256], tokenizer.Encode("  <|endoftext|>", allowSpecial: true));
        Assert.Equal(2, tokenizer.ByteLength(257));
    }

    [Theory]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\p{N}"},"behavior":"Isolated","invert":false}""")]
    [InlineData("""{"type":"Digits","individual_digits":true}""")]
    public void Load_HonoursForeignRegularExpressionsBeforeTheByteLevel(string rule)
    {
        // Digits apart first, then GPT-2's cuts in each stretch: "12" never merges although there is a rule for it.
        var root = Minimal();
        root["model"]!["vocab"]!["12"] = 257;
        root["model"]!["vocab"]!["ab"] = 258;
        root["model"]!["merges"] = new JsonArray("1 2", "a b");
        Assert.Equal([258, 257], Load(root).Encode("ab12"));

        root["pre_tokenizer"] = JsonNode.Parse(
            $$"""{"type":"Sequence","pretokenizers":[{{rule}},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]}"""
        );
        var tokenizer = Load(root);

        Assert.Equal([258, '1', '2', 258], tokenizer.Encode("ab12ab"));
        Assert.Equal("😀x𝟙𝟚", tokenizer.Decode(tokenizer.Encode("😀x𝟙𝟚")));
    }

    [Theory]
    [InlineData(
        """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":"""
            + """{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[257],"tokens":["<s>"]}}}"""
    )]
    [InlineData(
        """{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"RobertaProcessing","cls":["<s>",257],"sep":"""
            + """["<|endoftext|>",256],"trim_offsets":true,"add_prefix_space":false}]}"""
    )]
    public void Load_HonoursTheTokenThatBeginsAText(string postProcessor)
    {
        var root = Minimal();
        root["added_tokens"]!.AsArray().Add(JsonNode.Parse("""{"id":257,"content":"<s>","special":true}"""));
        var without = Load(root);
        root["post_processor"] = JsonNode.Parse(postProcessor);

        var tokenizer = Load(root);

        Assert.Equal([257], tokenizer.BeginOfText);
        Assert.Empty(without.BeginOfText);
        Assert.Equal(['a'], tokenizer.Encode("a"));
        Assert.NotEqual(without.Fingerprint, tokenizer.Fingerprint);
        tokenizer.Save(_folder["kept.json"]);
        Assert.Equal(tokenizer.Fingerprint, BpeTokenizer.Load(_folder["kept.json"]).Fingerprint);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Load_HonoursABlankPutInFront(bool usesPattern)
    {
        // "Ġa" is one token; with GPT-2's pattern the second word keeps its own blank either way.
        var root = Minimal();
        root["model"]!["vocab"]!["Ġa"] = 257;
        root["model"]!["merges"] = new JsonArray("Ġ a");
        root["added_tokens"]!
            .AsArray()
            .Add(JsonNode.Parse("""{"id":258,"content":"<x>","special":false,"normalized":false}"""));
        root["pre_tokenizer"] = JsonNode.Parse(
            $$"""{"type":"ByteLevel","add_prefix_space":true,"use_regex":{{(usesPattern ? "true" : "false")}}}"""
        );

        var tokenizer = Load(root);

        Assert.Equal([257, 257], tokenizer.Encode("a a"));
        Assert.Equal([257], tokenizer.Encode(" a"));
        Assert.Equal([257, 258, 257], tokenizer.Encode("a<x>a"));
        Assert.Empty(tokenizer.Encode(""));
        tokenizer.Save(_folder["prefix.json"]);
        Assert.Equal(tokenizer.Fingerprint, BpeTokenizer.Load(_folder["prefix.json"]).Fingerprint);
    }

    [Theory]
    [InlineData("\"String\":\"b\"", "Removed", false)]
    [InlineData("\"Regex\":\"b+\"", "MergedWithNext", true)]
    [InlineData("\"Regex\":\"b\"", "Contiguous", false)]
    public void Save_KeepsSplitsOfEveryKind(string pattern, string behavior, bool isInverted)
    {
        var split =
            $$"""{"type":"Split","pattern":{ {{pattern}} },"behavior":"{{behavior}}","invert":{{(isInverted ? "true" : "false")}}}""";
        var root = Minimal();
        root["pre_tokenizer"] = JsonNode.Parse(
            $$"""{"type":"Sequence","pretokenizers":[{{split}},{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}]}"""
        );
        var tokenizer = Load(root);

        tokenizer.Save(_folder["split.json"]);

        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse(split),
                JsonNode.Parse(File.ReadAllText(_folder["split.json"]))!["pre_tokenizer"]!["pretokenizers"]![0]
            )
        );
        Assert.Equal(tokenizer.Fingerprint, BpeTokenizer.Load(_folder["split.json"]).Fingerprint);
        Assert.NotEqual(Load(Minimal()).Fingerprint, tokenizer.Fingerprint);
    }

    [Theory]
    [InlineData("single_word", "a<m>b <m>, <m>", "a < m > b _ X , _ X")]
    [InlineData("lstrip", "a \t<m> b", "a X _ b")]
    [InlineData("rstrip", "a <m>\n\u3000b", "a _ X b")]
    public void Load_HonoursTheFlagsOfAddedTokens(string flag, string text, string expected)
    {
        // By hand: X is the added token, _ a blank, the rest bytes.
        var root = Minimal();
        root["added_tokens"]!
            .AsArray()
            .Add(JsonNode.Parse($$"""{"id":257,"content":"<m>","special":false,"normalized":false,"{{flag}}":true}"""));

        var tokenizer = Load(root);

        Assert.Equal(
            expected,
            string.Join(
                ' ',
                tokenizer
                    .Encode(text)
                    .Select(id =>
                        id switch
                        {
                            257 => "X",
                            ' ' => "_",
                            _ => ((char)id).ToString(),
                        }
                    )
            )
        );
        tokenizer.Save(_folder["flags.json"]);
        Assert.Equal(tokenizer.Fingerprint, BpeTokenizer.Load(_folder["flags.json"]).Fingerprint);
    }

    [Fact]
    public void Save_KeepsThePostProcessor()
    {
        var root = Minimal();
        root["post_processor"] = JsonNode.Parse("""{"type":"ByteLevel","trim_offsets":false}""");

        Load(root).Save(_folder["kept.json"]);

        var kept = JsonNode.Parse(File.ReadAllText(_folder["kept.json"]))!;
        Assert.True(JsonNode.DeepEquals(root["post_processor"], kept["post_processor"]));
    }

    [Fact]
    public void EndOfText_IsFoundUnderItsOtherNames()
    {
        var root = Minimal();
        root["added_tokens"]![0]!["content"] = "</s>";
        root["model"]!["vocab"]!.AsObject().Remove("<|endoftext|>");

        Assert.Equal(256, Load(root).EndOfTextId);
    }

    private BpeTokenizer Load(JsonNode root)
    {
        var path = _folder["file.json"];
        File.WriteAllText(path, root.ToJsonString());
        return BpeTokenizer.Load(path);
    }

    /// <summary>The smallest file that loads: 256 bytes with their values as ids, and the end of text as 256.</summary>
    internal static JsonObject Minimal()
    {
        var vocabulary = new JsonObject();
        for (var b = 0; b < 256; b++)
        {
            vocabulary[ByteAlphabet.Spell([(byte)b])] = b;
        }

        vocabulary["<|endoftext|>"] = 256;
        return new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse(
                """[{"id":256,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":"""
                    + """false,"special":true}]"""
            ),
            ["normalizer"] = null,
            ["pre_tokenizer"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}"""),
            ["decoder"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}"""),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray(),
            },
        };
    }
}
