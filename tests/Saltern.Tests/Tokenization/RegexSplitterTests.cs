using System.Text;
using CsCheck;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class RegexSplitterTests
{
    [Theory]
    [InlineData(SplitPattern.Gpt2)]
    [InlineData(SplitPattern.Llama3)]
    public void Split_OfAKnownPattern_EqualsItsScanner(SplitPattern pattern)
    {
        var splitter = new RegexSplitter(SplitPatterns.Regex(pattern).Replace("(?i:'s|", "(?i:'s|'ſ|", StringComparison.Ordinal));
        foreach (var text in SampleTexts.All)
        {
            Assert.Equal(Scan(pattern, Encoding.UTF8.GetBytes(text)), Ends(splitter, Encoding.UTF8.GetBytes(text)));
        }

        // Stray bytes too: both take each for a symbol.
        Gen.OneOf(Gen.Byte, Gen.Byte[(byte)' ', (byte)'z']).Array[1, 30].Sample(
            bytes => Scan(pattern, bytes).SequenceEqual(Ends(splitter, bytes)), iter: 5_000);
    }

    [Fact]
    public void Split_KeepsMatchesAndWhatLiesBetween() =>
        Assert.Equal([2, 3, 4, 7], Ends(new RegexSplitter("[0-9]"), "ab12xyz"u8.ToArray()));

    [Fact]
    public void Split_SkipsEmptyMatches() => Assert.Equal([1, 2, 3], Ends(new RegexSplitter("b*"), "abc"u8.ToArray()));

    [Fact]
    public void Constructor_RefusesAnExpressionThatIsTooLong() =>
        Assert.Contains("10001 characters", Assert.Throws<ArgumentException>(() => new RegexSplitter(new string('(', 10_001))).Message, StringComparison.Ordinal);

    private static List<int> Ends(RegexSplitter splitter, byte[] text)
    {
        var ends = new List<int>();
        splitter.Split(text, ends);
        return ends;
    }

    private static List<int> Scan(SplitPattern pattern, byte[] text)
    {
        var ends = new List<int> { 0 };
        while (ends[^1] < text.Length)
        {
            ends.Add(ends[^1] + PatternScanner.Next(pattern, text, ends[^1]));
        }

        return ends[1..];
    }
}
