using System.Text;
using System.Text.Json;
using Saltern.Files;

namespace Saltern.Tests.Files;

public class SelfChecksumTests
{
    private const string Json =
        "{\n  \"schema\": \"x/1\",\n  \"count\": 12,\n  \"names\": [\n    \"a\",\n    \"ü\"\n  ]\n}\n";
    private const string Yaml = "name: x\nseed: 12\ntraining:\n  steps: 100\n";

    [Fact]
    public void ADocumentWithItsChecksum_IsTheSameDocument_AndWhole()
    {
        string json = SelfChecksum.Add(Json);
        using var read = JsonDocument.Parse(json);
        Assert.Equal(
            ["schema", "count", "names", "checksum"],
            read.RootElement.EnumerateObject().Select(member => member.Name)
        );
        Assert.Null(SelfChecksum.Problem(Encoding.UTF8.GetBytes(json)));
        string yaml = SelfChecksum.AddLine(Yaml);
        Assert.EndsWith("\n" + Yaml, yaml, StringComparison.Ordinal);
        Assert.Equal(yaml, SelfChecksum.AddLine(yaml));
        Assert.Null(SelfChecksum.LineProblem(Encoding.UTF8.GetBytes(yaml)));
    }

    [Fact]
    public void ADocumentWithout_IsReadAsItIs()
    {
        foreach (
            string text in new[]
            {
                "",
                "{}",
                "{ \"a\": 1 }",
                Json,
                Yaml,
                "# a recipe of mine\n" + Yaml,
                new string(' ', 500),
            }
        )
        {
            Assert.Null(SelfChecksum.Problem(Encoding.UTF8.GetBytes(text)));
            Assert.Null(SelfChecksum.LineProblem(Encoding.UTF8.GetBytes(text)));
        }
    }

    [Fact]
    public void EveryChangeOfEveryByte_IsNoticed()
    {
        byte[] json = Encoding.UTF8.GetBytes(SelfChecksum.Add(Json));
        byte[] yaml = Encoding.UTF8.GetBytes(SelfChecksum.AddLine(Yaml));
        for (int change = 1; change < 256; change++)
        {
            for (int at = 0; at < json.Length; at++)
            {
                json[at] ^= (byte)change;
                Assert.NotNull(SelfChecksum.Problem(json));
                json[at] ^= (byte)change;
            }

            for (int at = 0; at < yaml.Length; at++)
            {
                yaml[at] ^= (byte)change;
                Assert.NotNull(SelfChecksum.LineProblem(yaml));
                yaml[at] ^= (byte)change;
            }
        }
    }

    [Fact]
    public void ACutDocument_IsNoticed()
    {
        byte[] json = Encoding.UTF8.GetBytes(SelfChecksum.Add(Json));
        byte[] yaml = Encoding.UTF8.GetBytes(SelfChecksum.AddLine(Yaml));
        Assert.NotNull(SelfChecksum.Problem(json.AsSpan(0, json.Length - 1))); // still JSON; shorter ones are not
        for (int length = 1; length < yaml.Length; length++)
        {
            Assert.NotNull(SelfChecksum.LineProblem(yaml.AsSpan(0, length)));
        }
    }
}
