using System.Text;
using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public sealed class SentencePieceTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Llama_PutsASignInFrontAndKeepsBytes()
    {
        var tokenizer = Load(SentencePieceFiles.Llama());
        int[] ids = tokenizer.Encode("human  中");

        Assert.Equal(" human  中", Encoding.UTF8.GetString(tokenizer.DecodeToBytes(ids)));
        Assert.Equal("human  中", tokenizer.Decode(ids));
        Assert.Equal("<0xE4>", tokenizer.Definition.Tokens[ids[^3]]!.Value.Spelling);
        Assert.Equal(1, tokenizer.ByteLength(ids[^1]));
        Assert.True(tokenizer.PutsBlankInFront);
    }

    [Fact]
    public void EverySampleText_ComesBack()
    {
        foreach (
            var root in (JsonObject[])
                [SentencePieceFiles.Llama(), SentencePieceFiles.LlamaMetaspace(), SentencePieceFiles.Gemma()]
        )
        {
            var tokenizer = Load(root);
            foreach (var text in SampleTexts.All.Concat(SampleTexts.FurtherScripts))
            {
                // A sign in the text is a blank from then on, and a blank of its own may be the one that is not doubled.
                var first = root["pre_tokenizer"] is { } rule && rule["type"]!.GetValue<string>() == "Metaspace";
                Assert.Equal(
                    first && text.StartsWith(' ') ? text[1..] : text,
                    tokenizer.Decode(tokenizer.Encode(text))
                );
            }
        }
    }

    [Fact]
    public void Merges_AreThoseOfTheDefinition()
    {
        // Cutting where no rule joins must change nothing: against merging the whole text by brute force.
        var tokenizer = Load(SentencePieceFiles.Llama());
        var definition = tokenizer.Definition;
        var ids = definition
            .Tokens.Index()
            .Where(entry => entry.Item is { })
            .ToDictionary(entry => entry.Item!.Value.Spelling, entry => entry.Index);
        var rules = new Dictionary<(int, int), (int Rank, int Result)>();
        foreach (var (rank, merge) in definition.Merges.Index())
        {
            rules[(merge.Left, merge.Right)] = (rank, merge.Result);
        }

        foreach (var text in SampleTexts.All)
        {
            var symbols = new List<int>();
            foreach (var rune in ("▁" + text.Replace(' ', '▁')).EnumerateRunes())
            {
                symbols.AddRange(
                    ids.TryGetValue(rune.ToString(), out var id)
                        ? [id]
                        : Encoding.UTF8.GetBytes(rune.ToString()).Select(value => ids[CharacterSymbols.ByteName(value)])
                );
            }

            while (
                Enumerable
                    .Range(0, symbols.Count - 1)
                    .Where(i => rules.ContainsKey((symbols[i], symbols[i + 1])))
                    .OrderBy(i => rules[(symbols[i], symbols[i + 1])].Rank)
                    .Cast<int?>()
                    .FirstOrDefault()
                    is int best
            )
            {
                symbols[best] = rules[(symbols[best], symbols[best + 1])].Result;
                symbols.RemoveAt(best + 1);
            }

            Assert.Equal(symbols, tokenizer.Encode(text));
        }
    }

    [Theory]
    [InlineData("abcd", "abcd")] // -1 beats the sums below
    [InlineData("abce", "ab c e")] // ab + c = -5, a + bc = -6
    [InlineData("abab", "ab ab")]
    [InlineData("ax\u00FFya", "a ? a")] // neighbours without a piece are one unknown
    [InlineData("aa", "a a")]
    public void Unigram_TakesTheBestSum(string text, string expected)
    {
        // By hand: scores as given, no blanks in front.
        var tokenizer = Load(
            Unigram(("a", -3), ("b", -3), ("c", -3), ("d", -3), ("e", -3), ("ab", -2), ("bc", -3), ("abcd", -1))
        );

        Assert.Equal(
            expected,
            string.Join(' ', tokenizer.Encode(text).Select(id => id == 0 ? "?" : tokenizer.DecodeContinuation([id])))
        );
    }

    [Fact]
    public void Unigram_OfEqualSums_TakesTheOneFoundFirst()
    {
        // "abc" as a + bc and as ab + c: the piece that begins first reaches the end first.
        var tokenizer = Load(Unigram(("a", -1), ("b", -1), ("c", -1), ("ab", -1), ("bc", -1)));

        Assert.Equal(
            "a bc",
            string.Join(' ', tokenizer.Encode("abc").Select(id => tokenizer.DecodeContinuation([id])))
        );
    }

    [Fact]
    public void Unigram_CountsWhatIsUnknown()
    {
        var tokenizer = Load(Unigram(("a", -1)));

        Assert.Equal(3, tokenizer.EncodeCounting("a中a"u8, []));
        Assert.Equal(0, tokenizer.EncodeCounting("aa"u8, []));
    }

    [Fact]
    public void Unigram_TakesALongTextInProportion()
    {
        // One piece of 1,000 bytes and a text of a million: a thousand steps for each place at most.
        var tokenizer = Load(Unigram(("a", -10), (new string('a', 1000), -1)));
        var ids = new List<int>();

        tokenizer.EncodeCounting(Encoding.ASCII.GetBytes(new string('a', 1_000_000)), ids);

        Assert.Equal(1000, ids.Count);
        var error = Assert.Throws<DataFormatException>(() => Load(Unigram((new string('a', 1025), -1))));
        Assert.Contains("a piece of at most 1024 bytes", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[["a",0],["a",0]]""", "each once")]
    [InlineData("""[["a"]]""", "a piece and its score")]
    [InlineData("""[["a","b"]]""", "allowed is a number")]
    [InlineData("""{"a":0}""", "allowed is a list")]
    [InlineData("""[]""", "\"model.unk_id\" is 0")]
    public void Unigram_NamesWhatIsWrong(string vocabulary, string expected)
    {
        var root = Unigram();
        root["model"]!["vocab"] = JsonNode.Parse(vocabulary);

        Assert.Contains(
            expected,
            Assert.Throws<DataFormatException>(() => Load(root)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void SpecialTokens_AreNeverMadeFromText()
    {
        // The pieces spell "</s>", and a rule would make it; a text that merely names it must not end a document.
        var root = SentencePieceFiles.Llama();
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        foreach (var piece in (string[])["<", "/", "s", ">", "</", "s>"])
        {
            vocabulary[piece] ??= vocabulary.Count;
        }

        root["model"]!["merges"] = JsonNode.Parse("""[["<","/"],["s",">"],["</","s>"]]""");
        var tokenizer = Load(root);

        Assert.Equal("</s>", tokenizer.Decode(tokenizer.Encode("</s>")));
        Assert.DoesNotContain(2, tokenizer.Encode("</s>"));
        Assert.Contains(2, tokenizer.Encode("</s>", allowSpecial: true));
        Assert.DoesNotContain(2, Load(Unigram(("<", -9), ("/", -9), ("s", -9), (">", -9))).Encode("</s>"));
    }

    [Fact]
    public void Continuations_GetNothingInFront()
    {
        foreach (
            var root in (JsonObject[])
                [SentencePieceFiles.Llama(), SentencePieceFiles.LlamaMetaspace(), SentencePieceFiles.T5()]
        )
        {
            var tokenizer = Load(root);
            var (start, inside, going) = (new List<int>(), new List<int>(), new List<int>());
            tokenizer.Encode("human", PiecePosition.Start, start);
            tokenizer.Encode("human", PiecePosition.Inside, inside);
            tokenizer.Encode("human", PiecePosition.Continuation, going);

            Assert.Equal(" human", tokenizer.DecodeContinuation([.. start]));
            Assert.Equal("human", tokenizer.DecodeContinuation([.. going]));
            bool isFirst = root["pre_tokenizer"]?["prepend_scheme"]?.GetValue<string>() == "first";
            Assert.Equal(isFirst ? going : start, inside);
        }
    }

    [Fact]
    public void EncodeWithEnds_SubtractsTheSignInFront()
    {
        var tokenizer = Load(SentencePieceFiles.Llama());
        foreach (var text in (string[])["human beings", " human", "a", "x\ny  z"])
        {
            var (ids, ends) = (new List<int>(), new List<int>());

            tokenizer.EncodeWithEnds(Encoding.UTF8.GetBytes(text), ids, ends);

            Assert.Equal(ids.Count, ends.Count);
            Assert.Equal(Encoding.UTF8.GetByteCount(text), ends[^1]);
            for (var i = 0; i < ids.Count; i++)
            {
                Assert.Equal(Math.Max(0, ids.Take(i + 1).Sum(tokenizer.ByteLength) - 1), ends[i]);
            }
        }
    }

    [Fact]
    public void Save_WritesWhatWasRead()
    {
        var text = "\uFEFF" + SentencePieceFiles.T5().ToJsonString();
        File.WriteAllText(_folder["read.json"], text);
        var tokenizer = BpeTokenizer.Load(_folder["read.json"]);

        tokenizer.Save(_folder["written.json"]);

        Assert.Equal(File.ReadAllBytes(_folder["read.json"]), File.ReadAllBytes(_folder["written.json"]));
        Assert.Equal(tokenizer.Fingerprint, BpeTokenizer.Load(_folder["written.json"]).Fingerprint);
    }

    [Fact]
    public void Fingerprints_DifferWithAllThatDecidesIds()
    {
        JsonObject[] roots =
        [
            SentencePieceFiles.Llama(),
            SentencePieceFiles.LlamaMetaspace(),
            SentencePieceFiles.Gemma(),
            SentencePieceFiles.T5(),
            SentencePieceFiles.XlmRoberta(),
            SentencePieceFiles.Albert(),
            Changed(root => root["model"]!["byte_fallback"] = false),
            Changed(root => root["model"]!["fuse_unk"] = false),
            Changed(root => root["model"]!["unk_token"] = null),
            Changed(root => root["normalizer"]!["normalizers"]!.AsArray().RemoveAt(0)),
            Changed(root => root["model"]!["merges"]!.AsArray().RemoveAt(0)),
        ];

        Assert.Distinct(roots.Select(root => (string)Load(root).Fingerprint));

        static JsonObject Changed(Action<JsonObject> change)
        {
            var root = SentencePieceFiles.Llama();
            change(root);
            return root;
        }
    }

    private static JsonObject Unigram(params (string Piece, double Score)[] pieces)
    {
        var root = SentencePieceFiles.Unigram("null", "null");
        root["model"]!["vocab"] = new JsonArray([
            new JsonArray("<unk>", 0),
            new JsonArray("<s>", 0),
            new JsonArray("</s>", 0),
            .. pieces.Select(piece => new JsonArray(piece.Piece, piece.Score)),
        ]);
        return root;
    }

    private BpeTokenizer Load(JsonNode root)
    {
        File.WriteAllText(_folder["file.json"], root.ToJsonString());
        return BpeTokenizer.Load(_folder["file.json"]);
    }
}
