using System.Text;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public class JsonRecordParserTests
{
    [Theory]
    [InlineData("""{"text":"a"}""", "a", null)]
    [InlineData("""{"text":"a\n\u00e9\ud83d\ude00","domain":"wiki"}""", "a\né😀", "wiki")]
    [InlineData("""{"id":[{"text":"no"}],"meta":{"text":"no","pile_set_name":"Books"},"text":"yes"}""", "yes", "Books")]
    [InlineData("""{"domain":null,"meta":{"a":{},"pile_set_name":"P"},"text":"x"}""", "x", "P")]
    [InlineData("""{"domain":"first","meta":{"pile_set_name":"second"},"text":"x"}""", "x", "first")]
    [InlineData("""{"text":"one","text":"two","domain":""}""", "two", null)]
    [InlineData("""{"meta":"plain","text":"x"}""", "x", null)]
    [InlineData("""  {"text":""}  """, "", null)]
    public void Parse_TakesTextAndDomain(string line, string text, string? domain)
    {
        Assert.Null(Parse(line, out string foundText, out string? foundDomain));
        Assert.Equal(text, foundText);
        Assert.Equal(domain, foundDomain);
    }

    [Theory]
    [InlineData("""{"other":"a"}""", "has no field 'text'")]
    [InlineData("""{"text":null}""", "field 'text' is null")]
    [InlineData("""{"text":["a"]}""", "field 'text' is not a string")]
    [InlineData("""{"text":"a" """, "is not a JSON object")]
    [InlineData("""{"text":"a"} {}""", "is not a JSON object")]
    [InlineData("""["text"]""", "is not a JSON object")]
    [InlineData("""{"text":"\ud800"}""", "not valid Unicode")]
    public void Parse_SaysWhyALineIsBroken(string line, string reason) =>
        Assert.Contains(reason, Parse(line, out _, out _), StringComparison.Ordinal);

    [Fact]
    public void Parse_RefusesInvalidUtf8()
    {
        byte[] line = [.. "{\"text\":\"a"u8, 0xFF, .. "\"}"u8];
        Assert.Contains("not valid Unicode", new JsonRecordParser(new()).Parse(line, out _), StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_RefusesNestingWithoutEnd() =>
        Assert.Contains(
            "is not a JSON object",
            Parse("{\"x\":" + new string('[', 100_000), out _, out _),
            StringComparison.Ordinal
        );

    [Fact]
    public void Parse_FollowsDottedPaths()
    {
        CorpusReaderOptions options = new() { TextFields = ["content.body"], DomainFields = ["a.b.c"] };
        const string line =
            """{"body":"no","content":{"x":{"body":"no"},"body":"yes"},"a":{"b":{"c":"deep"},"c":"no"},"b":{"c":"no"}}""";

        Assert.Null(new JsonRecordParser(options).Parse(Encoding.UTF8.GetBytes(line), out RecordFields fields));

        Assert.Equal("yes", Encoding.UTF8.GetString(fields.Text.Span));
        Assert.Equal("deep", fields.Domain);
    }

    [Theory]
    [InlineData("""{"text":"a","domain":7}""", null, "field 'domain' is not a string")]
    [InlineData("""{"text":"a","domain":["x"]}""", null, "field 'domain' is not a string")]
    [InlineData("""{"text":"a","domain":null}""", null, null)]
    public void Parse_TakesNoDomainThatIsNoneWhereNobodyNamedTheField(string line, string? domain, string? odd)
    {
        Assert.Null(new JsonRecordParser(new()).Parse(Encoding.UTF8.GetBytes(line), out RecordFields fields));

        Assert.Equal(domain, fields.Domain);
        Assert.StartsWith(odd ?? "", fields.OddDomain ?? "", StringComparison.Ordinal);
        Assert.Equal(odd is null, fields.OddDomain is null);
    }

    [Fact]
    public void Parse_WritesOutNumbersOfADomainFieldThatWasNamed()
    {
        var parser = new JsonRecordParser(new() { DomainFields = ["domain"] });

        Assert.Null(parser.Parse("""{"text":"a","domain":7}"""u8, out RecordFields fields));
        Assert.Equal("7", fields.Domain);
        Assert.Contains(
            "is not a string",
            parser.Parse("""{"text":"a","domain":{}}"""u8, out _),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    public void Parse_PassesOverNumbersThatPythonWritesAndJsonDoesNotHave(string number)
    {
        string line = $$"""{"a":{{number}},"b":["{{number}}\"",{{number}}],"text":"is {{number}}","c":{{number}}}""";

        Assert.Null(Parse(line, out string text, out _));
        Assert.Equal($"is {number}", text);
        Assert.Contains(
            "is not a JSON object",
            Parse("{\"text\":\"a\",\"b\":Nan}", out _, out _),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Parse_PassesOverAnyDepth()
    {
        string deep = new string('[', 5000) + new string(']', 5000);

        Assert.Null(Parse($$"""{"meta":{{deep}},"text":"a"}""", out string text, out _));
        Assert.Equal("a", text);
    }

    private static string? Parse(string line, out string text, out string? domain)
    {
        string? problem = new JsonRecordParser(new()).Parse(Encoding.UTF8.GetBytes(line), out RecordFields fields);
        text = Encoding.UTF8.GetString(fields.Text.Span);
        domain = fields.Domain;
        return problem;
    }
}
