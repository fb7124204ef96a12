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
        var splitter = new RegexSplitter(
            SplitPatterns.Regex(pattern).Replace("(?i:'s|", "(?i:'s|'ſ|", StringComparison.Ordinal)
        );
        foreach (var text in SampleTexts.All)
        {
            Assert.Equal(Scan(pattern, Encoding.UTF8.GetBytes(text)), Ends(splitter, Encoding.UTF8.GetBytes(text)));
        }

        // Stray bytes too: both take each for a symbol.
        Gen.OneOf(Gen.Byte, Gen.Byte[(byte)' ', (byte)'z'])
            .Array[1, 30]
            .Sample(bytes => Scan(pattern, bytes).SequenceEqual(Ends(splitter, bytes)), iter: 5_000);
    }

    [Fact]
    public void Split_KeepsMatchesAndWhatLiesBetween() =>
        Assert.Equal([2, 3, 4, 7], Ends(new RegexSplitter("[0-9]"), "ab12xyz"u8.ToArray()));

    [Fact]
    public void Split_SkipsEmptyMatches() => Assert.Equal([1, 2, 3], Ends(new RegexSplitter("b*"), "abc"u8.ToArray()));

    // The examples of Hugging Face's own documentation of the five behaviours.
    [Theory]
    [InlineData("Removed", false, "the|final|countdown")]
    [InlineData("Isolated", false, "the|-|final|-|-|countdown")]
    [InlineData("MergedWithPrevious", false, "the-|final-|-|countdown")]
    [InlineData("MergedWithNext", false, "the|-final|-|-countdown")]
    [InlineData("Contiguous", false, "the|-|final|--|countdown")]
    [InlineData("Removed", true, "-|-|-")]
    [InlineData("Isolated", true, "the|-|final|-|-|countdown")]
    public void Split_TreatsMatchesAsTheBehaviourSays(string behavior, bool isInverted, string expected)
    {
        foreach (var isLiteral in (bool[])[false, true])
        {
            var splitter = new RegexSplitter("-", Enum.Parse<SplitBehavior>(behavior), isInverted, isLiteral);
            var pieces = new List<(int Start, int End)>();
            splitter.Split("the-final--countdown"u8, pieces);
            Assert.Equal(
                expected,
                string.Join('|', pieces.Select(piece => "the-final--countdown"[piece.Start..piece.End]))
            );
        }
    }

    [Fact]
    public void Split_TakesALiteralForWhatItIs() =>
        Assert.Equal([1, 3, 4], Ends(new RegexSplitter(".*", isLiteral: true), "a.*b"u8.ToArray()));

    [Fact]
    public void Constructor_RefusesAnExpressionThatIsTooLong() =>
        Assert.Contains(
            "10001 characters",
            Assert.Throws<ArgumentException>(() => new RegexSplitter(new string('(', 10_001))).Message,
            StringComparison.Ordinal
        );

    private static List<int> Ends(RegexSplitter splitter, byte[] text)
    {
        var pieces = new List<(int Start, int End)>();
        splitter.Split(text, pieces);
        return [.. pieces.Select(piece => piece.End)];
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
