using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public sealed class TokenizerJsonErrorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("truncation", """{"max_length":512}""", "\"truncation\"")]
    [InlineData("normalizer", """{"type":"BertNormalizer"}""", "\"normalizer.type\" is \"BertNormalizer\"")]
    [InlineData("normalizer", """{"type":"Precompiled","precompiled_charsmap":"AAAA"}""", "a table of SentencePiece's")]
    [InlineData(
        "normalizer",
        """{"type":"Precompiled","precompiled_charsmap":"/////w=="}""",
        "does not fit into 4 bytes"
    )]
    [InlineData(
        "normalizer",
        """{"type":"Replace","pattern":{"String":""},"content":""}""",
        "a pattern that is not empty"
    )]
    [InlineData(
        "normalizer",
        """{"type":"Replace","pattern":{"Regex":"(?<n>a)"},"content":""}""",
        "(?<n is not supported"
    )]
    [InlineData(
        "normalizer",
        """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Bert"}]}""",
        "\"normalizer.normalizers[1].type\" is \"Bert\""
    )]
    [InlineData("pre_tokenizer", "null", "\"decoder.type\" is \"ByteLevel\"; allowed is \"Replace\"")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace"}""", "\"pre_tokenizer.replacement\" is missing")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"ab"}""", "allowed is one character")]
    [InlineData(
        "pre_tokenizer",
        """{"type":"Metaspace","replacement":"_","prepend_scheme":"first","add_prefix_space":false}""",
        "\"pre_tokenizer.add_prefix_space\" is false"
    )]
    [InlineData("pre_tokenizer", """{"type":"BertPreTokenizer"}""", "\"pre_tokenizer.type\" is \"BertPreTokenizer\"")]
    [InlineData("pre_tokenizer", """{"type":"ByteLevel"}""", "\"pre_tokenizer.add_prefix_space\" is missing")]
    [InlineData(
        "pre_tokenizer",
        """{"type":"Split","pattern":{"Regex":"a"},"behavior":"Dropped","invert":false}""",
        "\"pre_tokenizer.behavior\" is \"Dropped\"; allowed is \"Isolated\", \"Removed\""
    )]
    [InlineData(
        "pre_tokenizer",
        """{"type":"Split","pattern":{"Glob":"a"},"behavior":"Isolated","invert":false}""",
        "a \"Regex\" or a \"String\""
    )]
    [InlineData("post_processor", """{"type":"Unknown"}""", "\"post_processor.type\" is \"Unknown\"")]
    [InlineData(
        "post_processor",
        """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":"""
            + """{"id":"A","type_id":0}}],"special_tokens":{}}""",
        "\"post_processor.single[0].SpecialToken.id\" is \"<s>\"; allowed is a name of \"special_tokens\""
    )]
    [InlineData(
        "post_processor",
        """{"type":"TemplateProcessing","single":[],"special_tokens":{}}""",
        "a template with a \"Sequence\""
    )]
    [InlineData(
        "post_processor",
        """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"x"}}],"special_tokens":"""
            + """{"x":{"ids":[65]}}}""",
        "puts the ids 65 behind each text; allowed is nothing, or the end-of-text token 256"
    )]
    [InlineData(
        "post_processor",
        """{"type":"RobertaProcessing","sep":["</s>",256],"cls":["<s>",999]}""",
        "\"post_processor.cls[1]\" is 999"
    )]
    [InlineData("pre_tokenizer", """{"type":"Digits","individual_digits":true}""", "\"decoder.type\" is \"ByteLevel\"")]
    [InlineData(
        "pre_tokenizer",
        """{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated","invert":false}""",
        "\"pre_tokenizer.pattern.Regex\" is \"(\""
    )]
    [InlineData("decoder", """{"type":"WordPiece"}""", "\"decoder.type\" is \"WordPiece\"")]
    [InlineData("decoder", "null", "\"decoder\" is missing")]
    [InlineData("added_tokens", "[]", "no added token marks the end of a text")]
    [InlineData("added_tokens", """[{"id":-1,"content":"<x>","special":true}]""", "\"added_tokens[0].id\" is -1")]
    [InlineData(
        "added_tokens",
        """[{"id":2000000000,"content":"<x>","special":true}]""",
        "\"added_tokens[0].id\" is 2000000000"
    )]
    [InlineData(
        "added_tokens",
        """[{"id":65,"content":"<x>","special":true}]""",
        "id 65 belongs to both \"A\" and \"<x>\""
    )]
    [InlineData(
        "added_tokens",
        """[{"id":300,"content":"<|endoftext|>","special":true}]""",
        "id 256 that it has in model.vocab"
    )]
    [InlineData("added_tokens", """[{"id":300,"content":"","special":true}]""", "\"added_tokens[0].content\"")]
    [InlineData("added_tokens", """[{"id":300,"content":"\ud800","special":true}]""", "valid Unicode")]
    [InlineData("model", "[]", "\"model\" is []; allowed is an object")]
    [InlineData("model.type", "\"WordPiece\"", "\"model.type\" is \"WordPiece\"; allowed is \"BPE\" or \"Unigram\"")]
    [InlineData(
        "model.type",
        "\"Unigram\"",
        "\"model.type\" is \"Unigram\"; allowed is \"BPE\" with a pre_tokenizer ByteLevel"
    )]
    [InlineData("model.dropout", "0.1", "\"model.dropout\" is 0.1")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "\"model.end_of_word_suffix\"")]
    [InlineData(
        "model.unk_token",
        "\"<nowhere>\"",
        "\"model.unk_token\" is \"<nowhere>\"; allowed is null, or a token"
    )]
    [InlineData("model.vocab", """{"a":0,"b":0}""", "id 0 belongs to both \"a\" and \"b\"")]
    [InlineData("model.vocab", """{"a":0,"a":1}""", "no valid JSON")]
    [InlineData("model.vocab", """{"\ud800":0}""", "a name in it is no valid Unicode")]
    [InlineData("model.vocab", """{"a":0.5}""", "is 0.5; allowed is a whole number")]
    [InlineData("model.merges", """["a b c"]""", "\"model.merges[0]\" is \"a b c\"; allowed is two tokens")]
    [InlineData("model.merges", """[["a"]]""", "\"model.merges[0]\"")]
    [InlineData("model.merges", """["a b"]""", "\"ab\" is not there")]
    [InlineData("model.merges", """[" a"]""", "\"model.merges[0]\" is \" a\"; allowed is two tokens")]
    [InlineData("model.merges", """{}""", "\"model.merges\" is {}; allowed is a list")]
    public void Load_NamesWhatIsWrong(string place, string value, string expected)
    {
        // Put in as text, so that values no JSON library would write can be tried too.
        var root = TokenizerJsonTests.Minimal();
        var names = place.Split('.');
        var parent = names.Length == 1 ? root : root[names[0]]!.AsObject();
        parent[names[^1]] = "@here@";
        File.WriteAllText(
            _folder["bad.json"],
            root.ToJsonString().Replace("\"@here@\"", value, StringComparison.Ordinal)
        );

        AssertNamed("bad.json", expected);
    }

    [Theory]
    [InlineData("", "no valid JSON")]
    [InlineData("{", "no valid JSON")]
    [InlineData("[]", "allowed is an object")]
    [InlineData("{}", "\"model\" is missing")]
    [InlineData("\u0000\u0001binary", "no valid JSON")]
    public void Load_OfSomethingElse_SaysSo(string content, string expected)
    {
        File.WriteAllText(_folder["other.json"], content);

        AssertNamed("other.json", expected);
    }

    [Fact]
    public void Load_OfACutFile_SaysSo()
    {
        var text = TokenizerJsonTests.Minimal().ToJsonString();
        File.WriteAllText(_folder["cut.json"], text[..(text.Length / 2)]);

        AssertNamed("cut.json", "no valid JSON");
    }

    [Fact]
    public void Load_OfAMissingFile_SaysSo() => AssertNamed("absent.json", "cannot be read");

    [Fact]
    public void Load_OfAnEnormousFile_ReadsNothing()
    {
        using (var file = File.Create(_folder["huge.json"]))
        {
            file.SetLength(1L << 40); // sparse: takes no room
        }

        AssertNamed("huge.json", "at most 268435456 are read");
    }

    [Fact]
    public void Load_OfAPipe_DoesNotWait()
    {
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", _folder["pipe.json"]))
        {
            mkfifo.WaitForExit();
        }

        AssertNamed("pipe.json", "the file is empty");
    }

    [Fact]
    public void Load_OfDeeplyNestedJson_SaysSo()
    {
        File.WriteAllText(_folder["deep.json"], string.Concat(Enumerable.Repeat("{\"model\":", 10_000)));

        AssertNamed("deep.json", "no valid JSON");
    }

    private void AssertNamed(string file, string expected)
    {
        var error = Assert.Throws<DataFormatException>(() => BpeTokenizer.Load(_folder[file]));

        Assert.StartsWith(_folder[file] + ": ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }
}
