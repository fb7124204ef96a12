using System.Text;
using CsCheck;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

public class TokenEndsTests
{
    [Fact]
    public void UnchangedText_EndsTokensWhereTheirBytesEnd() =>
        Assert.Equal([2, 3, 7, 7], Ends("ab\ncdé", "ab\ncdé", 2, 1, 4, 0));

    [Fact]
    public void BlankPutInFront_StandsForNoText() => Assert.Equal([0, 1, 4], Ends("abcd", " abcd", 1, 1, 3));

    [Fact]
    public void ComposedLine_EndsAllItsTokensWhereItEnds()
    {
        // "x\n" is as it was; "e" + U+0301 (3 bytes) became "é" (2 bytes); "z" is as it was. The tokens are "x", "\né", "y\n", "z".
        Assert.Equal([1, 7, 7, 8], Ends("x\ne\u0301y\nz", "x\néy\nz", 1, 3, 2, 1));
    }

    [Fact]
    public void TextThatLostANewline_EndsAllTokensAtItsEnd() => Assert.Equal([5, 5], Ends("a\nb c", "ab c", 1, 3));

    [Fact]
    public void AnyBytes_EndWhereTheJoinedBytesDo()
    {
        // Text and noise, cut anywhere, inside characters too: what tokens say together is a prefix of the text.
        BpeTokenizer tokenizer = TestTraining.Train(
            SampleTexts.All,
            new BpeTrainerOptions { VocabularySize = 500, MinimumFrequency = 1 }
        );
        byte[] all = [.. SampleTexts.All.SelectMany(Encoding.UTF8.GetBytes)];
        Gen.Select(Gen.Int[0, all.Length - 200], Gen.Int[0, 200])
            .Sample(
                (start, length) =>
                {
                    ReadOnlySpan<byte> text = all.AsSpan(start, length);
                    List<int> ids = [];
                    List<int> ends = [];
                    tokenizer.EncodeWithEnds(text, ids, ends);
                    for (int i = 0; i < ids.Count; i++)
                    {
                        Assert.True(text[..ends[i]].SequenceEqual(tokenizer.DecodeToBytes([.. ids.Take(i + 1)])));
                    }

                    Assert.Equal(length, ends.Count == 0 ? 0 : ends[^1]);
                },
                iter: 300
            );
    }

    private static int[] Ends(string text, string joined, params int[] lengths)
    {
        var ends = new List<int>();
        TokenEnds.Append(Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetBytes(joined), lengths, ends);
        return [.. ends];
    }
}
