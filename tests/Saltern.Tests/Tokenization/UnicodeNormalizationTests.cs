using System.Text;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class UnicodeNormalizationTests
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
    [InlineData("a\u0EB8\u0EBA", "a\u0EB8\u0EBA")] // U+0EBA combines since Unicode 12.0 only
    [InlineData("x\u08D3\u0898", "x\u08D3\u0898")] // both came after 9.0
    [InlineData("\U00011935\U00011930", "\U00011935\U00011930")] // composes to U+11938 since 13.0
    public void Compose_FollowsTheStandard(string text, string expected) =>
        Assert.Equal(
            expected,
            Encoding.UTF8.GetString(UnicodeNormalization.Normalize(UnicodeForm.NFC, Encoding.UTF8.GetBytes(text)))
        );

    [Theory]
    [InlineData("NFD", "é각", "e\u0301\u1100\u1161\u11A8")]
    [InlineData("NFD", "ﬁ", "ﬁ")]
    [InlineData("NFKC", "ﬁ①ｱ゙", "fi1ア\u3099")] // half-width katakana; composed below
    [InlineData("NFKC", "\uFB01e\u0301\u00BD", "fié1\u20442")]
    [InlineData("NFKC", "\u32FF", "\u32FF")] // came with 12.1
    [InlineData("NFKD", "ａé\u2103", "ae\u0301\u00B0C")]
    public void Normalize_KnowsTheOtherForms(string form, string text, string expected) =>
        Assert.Equal(
            expected,
            Encoding.UTF8.GetString(
                UnicodeNormalization.Normalize(Enum.Parse<UnicodeForm>(form), Encoding.UTF8.GetBytes(text))
            )
        );

    [Fact]
    public void Compose_ChangesNothingTheSecondTime()
    {
        foreach (var text in SampleTexts.All)
        {
            var once = UnicodeNormalization.Normalize(UnicodeForm.NFC, Encoding.UTF8.GetBytes(text));

            Assert.Equal(once, UnicodeNormalization.Normalize(UnicodeForm.NFC, once));
        }
    }

    [Fact]
    public void Compose_KeepsStrayBytes()
    {
        byte[] text = [(byte)'e', 0xFF, 0xCC, 0x81, 0xC3];

        Assert.Equal(text, UnicodeNormalization.Normalize(UnicodeForm.NFC, text));
    }

    [Fact]
    public void IsSurely_IsTrueOfLatin1Only()
    {
        Assert.True(UnicodeNormalization.IsSurely(UnicodeForm.NFC, "Größe ʿ"u8));
        Assert.False(UnicodeNormalization.IsSurely(UnicodeForm.NFC, "e\u0301"u8));
    }
}
