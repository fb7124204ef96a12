using System.Text;
using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public sealed class TokenizerJsonFuzzTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ChangedFiles_GiveErrorsOfOurOwn()
    {
        JsonObject root = TokenizerJsonTests.Minimal();
        JsonObject merging = TokenizerJsonTests.Minimal();
        JsonObject vocabulary = merging["model"]!["vocab"]!.AsObject();
        (vocabulary["ab"], vocabulary["abc"]) = (257, 258);
        merging["model"]!["merges"] = JsonNode.Parse("""["a b",["ab","c"]]""");
        merging["pre_tokenizer"] = JsonNode.Parse(
            """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}| """
                + """?\\p{L}+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":"""
                + """true,"use_regex":false}]}"""
        );

        // Tables of a vocabulary take a few megabytes whatever its size.
        new MutationFuzz(
            Encoding.UTF8.GetBytes(root.ToJsonString()),
            Encoding.UTF8.GetBytes(merging.ToJsonString())
        ).Run(
            file => BpeTokenizer.Parse("tokenizer.json", file),
            mostBytes: 16 << 20,
            share: MutationFuzz.IsLong ? 1 : 0.1
        );
    }

    [Fact]
    public void AFarId_AsksForNoMemory()
    {
        JsonObject root = TokenizerJsonTests.Minimal();
        root["model"]!["vocab"]!["far"] = 4_000_000;
        File.WriteAllText(_folder["tokenizer.json"], root.ToJsonString());
        Assert.Contains(
            "the largest id is 4000000, but there are 25",
            Assert.Throws<DataFormatException>(() => BpeTokenizer.Load(_folder["tokenizer.json"])).Message,
            StringComparison.Ordinal
        );
    }
}
