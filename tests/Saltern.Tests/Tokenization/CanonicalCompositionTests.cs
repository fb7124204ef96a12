using System.Text;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class CanonicalCompositionTests
{
    [Theory]
    [InlineData("e\u0301", "é")] // a letter and its mark
    [InlineData("a\u0323\u0302", "ậ")] // two marks, one after the other
    [InlineData("a\u0302\u0323", "ậ")] // the same in the other order: sorted first
    [InlineData("\u212B\u2126", "ÅΩ")] // singletons: Ångström, Ohm
    [InlineData("\u0958", "\u0915\u093C")] // excluded from composition: comes apart and stays so
    [InlineData("\u1112\u1161\u11AB", "한")] // Hangul: lead, vowel, tail
    [InlineData("\uAC00\u11A8", "각")] // Hangul: syllable and tail
    [InlineData("\uAC00\u11A7", "\uAC00\u11A7")] // U+11A7 is no tail
    [InlineData("a\u0315\u0300", "à\u0315")] // a mark of a higher class does not block
    [InlineData("a\u0300\u0300", "à\u0300")] // a mark takes part once
    [InlineData("a\u0305\u0301", "a\u0305\u0301")] // a mark of the same class blocks
    [InlineData("a\u0334\u0334\u0301", "á\u0334\u0334")] // classes 1, 1, 230
    [InlineData("\u0301e", "\u0301e")] // nothing before the mark
    [InlineData("\U000110A5\U000110BA", "\U000110AB")] // beyond U+FFFF
    [InlineData("\uF900", "\u8C48")] // compatibility ideograph
    [InlineData("ﬁ①", "ﬁ①")] // compatibility mappings are not canonical
    public void Compose_FollowsTheStandard(string text, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(CanonicalComposition.Compose(Encoding.UTF8.GetBytes(text))));

    [Fact]
    public void Compose_ChangesNothingTheSecondTime()
    {
        foreach (var text in SampleTexts.All)
        {
            var once = CanonicalComposition.Compose(Encoding.UTF8.GetBytes(text));

            Assert.Equal(once, CanonicalComposition.Compose(once));
        }
    }

    [Fact]
    public void Compose_KeepsStrayBytes()
    {
        byte[] text = [(byte)'e', 0xFF, 0xCC, 0x81, 0xC3];

        Assert.Equal(text, CanonicalComposition.Compose(text));
    }

    [Fact]
    public void IsSurelyComposed_IsTrueOfLatin1Only()
    {
        Assert.True(CanonicalComposition.IsSurelyComposed("Größe ʿ"u8));
        Assert.False(CanonicalComposition.IsSurelyComposed("e\u0301"u8));
    }
}
