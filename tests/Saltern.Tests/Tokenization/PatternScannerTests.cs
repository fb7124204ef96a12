using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class PatternScannerTests
{
    /// <summary>Every character that a rule names, and some of each class in one to four bytes.</summary>
    private static readonly string[] Pieces =
    [
        " ",
        " ",
        " ",
        "\n",
        "\r",
        "\t",
        "\u00A0",
        "\u3000",
        "\u0085",
        "'",
        "'",
        "s",
        "S",
        "t",
        "re",
        "E",
        "v",
        "l",
        "L",
        "d",
        "m",
        "a",
        "ä",
        "я",
        "字",
        "ſ",
        "1",
        "2",
        "٣",
        "½",
        "!",
        "_",
        "\u0301",
        "—",
        "€",
        "\0",
    ];

    [Theory]
    [InlineData(SplitPattern.Gpt2, "it's  two words\n\n x", "it|'s| | two| words|\n\n| x")]
    [InlineData(SplitPattern.Gpt2, "IT'S 12345!!", "IT|'|S| 12345|!!")]
    [InlineData(SplitPattern.Llama3, "it's  two words\n\n x", "it|'s| | two| words|\n\n| x")]
    [InlineData(SplitPattern.Llama3, "IT'S 12345!!\n\nA", "IT|'S| |123|45|!!\n\n|A")]
    [InlineData(SplitPattern.Qwen2, "a 123(b)", "a| |1|2|3|(b|)")]
    public void Next_CutsAsWorkedOutByHand(SplitPattern pattern, string text, string expected) =>
        Assert.Equal(expected.Split('|'), Cut(pattern, Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData(SplitPattern.Gpt2)]
    [InlineData(SplitPattern.Llama3)]
    [InlineData(SplitPattern.Qwen2)]
    public void Next_EqualsTheRegularExpression(SplitPattern pattern)
    {
        var regex = Oracle(pattern);
        foreach (var text in SampleTexts.BasicPlane.Append(string.Join(' ', SampleTexts.BasicPlane)))
        {
            Assert.Equal(regex.Matches(text).Select(match => match.Value), Cut(pattern, Encoding.UTF8.GetBytes(text)));
        }

        TestTraining
            .OneOf(Pieces)
            .Array[0, 24]
            .Select(string.Concat)
            .Sample(
                text =>
                    regex
                        .Matches(text)
                        .Select(match => match.Value)
                        .SequenceEqual(Cut(pattern, Encoding.UTF8.GetBytes(text))),
                iter: 20_000
            );
    }

    [Fact]
    public void Next_TakesLettersBeyondTheBasicPlaneForLetters()
    {
        var regex = Oracle(SplitPattern.Llama3);
        var standIn = SampleTexts
            .Astral.EnumerateRunes()
            .Select(rune =>
                rune switch
                {
                    { IsBmp: true } => (char)rune.Value,
                    _ when Rune.IsLetter(rune) => 'ä',
                    _ when Rune.IsNumber(rune) => '7',
                    _ => '!',
                }
            );

        // Lengths in code points, which the stand-ins keep.
        var expected = regex.Matches(string.Concat(standIn)).Select(match => match.Length);

        Assert.Equal(
            expected,
            Cut(SplitPattern.Llama3, Encoding.UTF8.GetBytes(SampleTexts.Astral))
                .Select(piece => piece.EnumerateRunes().Count())
        );
    }

    [Fact]
    public void Next_TakesStrayBytesForSymbols()
    {
        byte[] text = [(byte)'a', 0xFF, 0xC3, (byte)'b', 0xE2, 0x82];

        // "a", then two stray bytes (the second is followed by a letter, so it could only join after a run of one), "b", "E2 82".
        var lengths = new List<int>();
        for (var start = 0; start < text.Length; start += lengths[^1])
        {
            lengths.Add(PatternScanner.Next(SplitPattern.Gpt2, text, start));
        }

        Assert.Equal([1, 2, 1, 2], lengths);
    }

    /// <summary>The files' own expression; .NET does not fold 'ſ' to 's' as Unicode does, so that is written out.</summary>
    private static Regex Oracle(SplitPattern pattern) =>
        new(
            SplitPatterns.Regex(pattern).Replace("(?i:'s|", "(?i:'s|'ſ|", StringComparison.Ordinal),
            RegexOptions.CultureInvariant
        );

    private static List<string> Cut(SplitPattern pattern, byte[] text)
    {
        var pieces = new List<string>();
        var start = 0;
        while (start < text.Length)
        {
            var length = PatternScanner.Next(pattern, text, start);
            pieces.Add(Encoding.UTF8.GetString(text, start, length));
            start += length;
        }

        return pieces;
    }
}
