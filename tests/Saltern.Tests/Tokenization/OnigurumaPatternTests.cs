using System.Text;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class OnigurumaPatternTests
{
    [Theory]
    [InlineData(@"\p{L}+| ?[^\s\p{L}]+", @"\p{L}+| ?[^\s\p{L}]+")] // nothing to change
    [InlineData(@"a?+b", @"(?>a?)b")] // possessive
    [InlineData(@"[^\r\n]?+\p{L}++", @"(?>[^\r\n]?)(?>\p{L}+)")]
    [InlineData(@"(ab)*+", @"(?>(ab)*)")]
    [InlineData(@"a{1,3}+", @"(?:a{1,3})+")] // no possessive in Ruby, but a quantifier more
    [InlineData(@"a{2}?", @"(?:a{2})?")]
    [InlineData(@"a{1,2}?", @"(?:a{1,2}?)")]
    [InlineData(@"a{,3}", @"a{0,3}")]
    [InlineData(@"a{x}", @"a\{x}")]
    [InlineData(@"[^(\s|[.,!?…])]+", @"[^(\s|.,!?…)]+")] // a set within a set (Bloom)
    [InlineData(@"[+-[*]]", @"[+\-*]")]
    [InlineData(@"[a-c-e]", @"[a-c\-e]")]
    [InlineData(@"[]a]", @"[\]a]")]
    [InlineData(@"\h", "[0-9a-fA-F]")]
    [InlineData(@"(?m:.)", "(?s:.)")]
    [InlineData(@"(?i:'s|'t)", "(?i:'s|'t)")]
    [InlineData(@"\p{^L}", @"\P{L}")]
    [InlineData(@"\x{2581}", @"\u2581")]
    public void Translate_KeepsTheMeaning(string pattern, string expected) =>
        Assert.Equal(expected, OnigurumaPattern.Translate(pattern));

    [Theory]
    [InlineData(@"[a&&b]", "&&")]
    [InlineData(@"[[:alpha:]]", "[: :]")]
    [InlineData(@"[a[^b]]", "a negated set within a set")]
    [InlineData(@"\p{Han}", @"\p{Han}")]
    [InlineData(@"\R", @"\R")]
    [InlineData(@"(?~a)", "(?~a")]
    [InlineData(@"+", "+ with nothing before it")]
    [InlineData(@"[a", "an end in the middle")]
    [InlineData(@"\xE4", @"\xE4")]
    [InlineData("[\U00020000]", "beyond U+FFFF")]
    public void Translate_RefusesWhatHasNoCounterpart(string pattern, string expected) =>
        Assert.Contains(
            expected,
            Assert.Throws<ArgumentException>(() => OnigurumaPattern.Translate(pattern)).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Lines_EndAtLineFeeds()
    {
        var pieces = new List<(int Start, int End)>();

        new RegexSplitter(@"\s+$").Split(Encoding.UTF8.GetBytes("a \nb "), pieces);

        Assert.Equal([(0, 1), (1, 2), (2, 4), (4, 5)], pieces);
    }
}
