using System.Text;
using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

/// <summary>Ids and texts against Hugging Face's own library, on files made here and on real ones.</summary>
/// <remarks>Real tokenizer.json files are looked for under the folder that SALTERN_TOKENIZER_FILES names; docs/data-format.md has what came of it.</remarks>
public sealed class RustTokenizersParityTests : IDisposable
{
    private const int Million = 1_000_000;

    private static readonly string[] Spelled =
    [
        "<s>Hello</s> world <unk> x",
        "  <s>  a",
        "▁a▁▁b",
        "<0x41><0xE4>",
        "",
        "a",
        "\n\n\n\n\nfoo\t\t\t",
        "``quoted'' ﬁ ½ … ｶﾞ e\u0301 a\u0308\u0323",
        "e" + new string('\u0301', 40),
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> MadeFiles() =>
        [
            "llama",
            "llama without bytes",
            "llama, unknown one by one",
            "llama-metaspace",
            "gemma",
            "t5",
            "xlm-roberta",
            "albert",
            "byte-level with gaps",
            "falcon",
        ];

    [Theory]
    [MemberData(nameof(MadeFiles))]
    public void IdsAndTexts_AreEqual_OnFilesOfEachForm(string name)
    {
        File.WriteAllText(_folder["tokenizer.json"], Make(name).ToJsonString());
        string[] texts =
        [
            .. Spelled,
            .. SampleTexts.All,
            .. SampleTexts.FurtherScripts,
            .. SampleTexts.Blanks(),
            .. SampleTexts.All.SelectMany(first => SampleTexts.All.Select(second => first + second)),
        ];

        AssertEqual(_folder["tokenizer.json"], texts);

        var tokenizer = BpeTokenizer.Load(_folder["tokenizer.json"]);
        var decoded = NodeTokenizers.RoundTripByRust(_folder["tokenizer.json"], texts);
        for (var i = 0; i < texts.Length; i++)
        {
            var theirs = Encoding.UTF8.GetString([.. decoded[i].Select(value => (byte)value)]);

            // Of bytes that are no UTF-8 the library makes one sign each, .NET one for what can be no beginning.
            if (!theirs.Contains('\uFFFD', StringComparison.Ordinal))
            {
                Assert.Equal(theirs, tokenizer.Decode(tokenizer.Encode(texts[i], allowSpecial: true)));
            }
        }
    }

    public static TheoryData<string> RealFiles()
    {
        var folder = Environment.GetEnvironmentVariable("SALTERN_TOKENIZER_FILES");
        string[] files = folder is null
            ? [""]
            : [.. Directory.GetFiles(folder, "tokenizer.json", SearchOption.AllDirectories).Order()];
        return [.. files];
    }

    [Theory]
    [MemberData(nameof(RealFiles), DisableDiscoveryEnumeration = true)]
    public void Ids_AreEqual_OnEveryCharacterAndFortyScripts(string file)
    {
        if (file.Length == 0)
        {
            Assert.Skip("SALTERN_TOKENIZER_FILES names no folder with tokenizer.json files");
        }

        Assert.InRange(SampleTexts.Scripts.Length + SampleTexts.FurtherScripts.Length, 40, int.MaxValue);
        string[] texts =
        [
            .. Spelled,
            .. SampleTexts.All,
            .. SampleTexts.FurtherScripts,
            .. SampleTexts.Blanks(),
            .. SampleTexts.All.SelectMany(first => SampleTexts.FurtherScripts.Select(second => first + second)),
            .. SampleTexts.Characters(),
        ];

        var tokens = AssertEqual(file, texts);

        TestContext.Current.TestOutputHelper?.WriteLine($"{file}: {tokens} tokens");
        Assert.InRange(tokens, Million, int.MaxValue);
    }

    private static int AssertEqual(string file, string[] texts)
    {
        var tokenizer = BpeTokenizer.Load(file);
        var theirs = NodeTokenizers.EncodeByRust(file, texts);
        var tokens = 0;
        var different = new List<string>();
        for (var i = 0; i < texts.Length; i++)
        {
            var ids = tokenizer.Encode(texts[i], allowSpecial: true);
            tokens += ids.Length;
            if (!ids.AsSpan().SequenceEqual(theirs[i]))
            {
                different.Add(
                    $"{string.Join(' ', texts[i].EnumerateRunes().Take(40).Select(rune => $"{rune.Value:X}"))}: "
                        + $"{string.Join(' ', ids.Take(40))} against {string.Join(' ', theirs[i].Take(40))}"
                );
            }
        }

        Assert.True(
            different.Count == 0,
            $"{different.Count} of {texts.Length} texts\n{string.Join('\n', different.Take(40))}"
        );
        return tokens;
    }

    private static JsonObject Make(string name)
    {
        switch (name)
        {
            case "llama":
                return SentencePieceFiles.Llama();
            case "llama without bytes":
                var without = SentencePieceFiles.Llama();
                without["model"]!["byte_fallback"] = false;
                return without;
            case "llama, unknown one by one":
                var single = SentencePieceFiles.Llama();
                single["model"]!["byte_fallback"] = false;
                single["model"]!["fuse_unk"] = false;
                single["model"]!["ignore_merges"] = true;
                return single;
            case "llama-metaspace":
                return SentencePieceFiles.LlamaMetaspace();
            case "gemma":
                return SentencePieceFiles.Gemma();
            case "t5":
                return SentencePieceFiles.T5();
            case "xlm-roberta":
                return SentencePieceFiles.XlmRoberta();
            case "albert":
                return SentencePieceFiles.Albert();
            case "byte-level with gaps":
                var gaps = TokenizerJsonTests.Minimal();
                foreach (var value in (byte[])[0xC0, 0xC1, 0xE4, 0xF0, 0xF5, 0xFF])
                {
                    gaps["model"]!["vocab"]!.AsObject().Remove(ByteAlphabet.Spell([value]));
                }

                return gaps;
            case "falcon":
                var falcon = TokenizerJsonTests.Minimal();
                falcon["pre_tokenizer"] = JsonNode.Parse(
                    """
                    {"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},
                     {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
                     {"type":"Digits","individual_digits":false},
                     {"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]"},"behavior":"Isolated","invert":false}]}
                    """
                );
                var vocabulary = falcon["model"]!["vocab"]!;
                (vocabulary["12"], vocabulary["Â½"], vocabulary["..."], vocabulary[".."]) = (257, 258, 259, 260);
                falcon["model"]!["merges"] = new JsonArray("1 2", "Â ½", ". .", ".. .");
                return falcon;
            default:
                throw new ArgumentOutOfRangeException(nameof(name), name, null);
        }
    }
}
