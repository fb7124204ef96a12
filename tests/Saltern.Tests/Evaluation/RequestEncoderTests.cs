using Saltern.Evaluation;

namespace Saltern.Tests.Evaluation;

public class RequestEncoderTests
{
    private static readonly RequestEncoder Encoder = new(BigramModel.Tokenizer, window: 8);

    [Fact]
    public void BlanksAtTheEndOfTheContext_MoveToTheContinuation()
    {
        // "q " + "x": apart that would be q, blank, x; the model knows " x" as one token.
        ScoreRequest request = Encoder.Pair("q ", "x");
        Assert.Equal([BigramModel.Id("q"), BigramModel.Id(" x")], request.Tokens);
        Assert.Equal(1, request.TargetCount);
        Assert.Equal(Encoder.Pair("q", " x").Tokens, request.Tokens);
    }

    [Fact]
    public void ContextAndContinuation_AreEncodedTogether()
    {
        // The blank alone is a token of the context "q  " only until the x behind it takes it: whole = q, blank, " x".
        ScoreRequest request = Encoder.Pair("q", "  x");
        Assert.Equal([BigramModel.Id("q"), BigramModel.Id(" "), BigramModel.Id(" x")], request.Tokens);
        Assert.Equal(2, request.TargetCount);
    }

    [Fact]
    public void EmptyContext_IsTheStartToken()
    {
        ScoreRequest request = Encoder.Pair("", "ab");
        Assert.Equal([BigramModel.Id(""), BigramModel.Id("a"), BigramModel.Id("b")], request.Tokens);
        Assert.Equal(2, request.TargetCount);
    }

    [Fact]
    public void TooLong_IsCutFromTheLeft()
    {
        // The model reads two tokens, so three are kept: the last is only predicted.
        ScoreRequest request = new RequestEncoder(BigramModel.Tokenizer, window: 2).Pair("abc", "d");
        Assert.Equal([BigramModel.Id("b"), BigramModel.Id("c"), BigramModel.Id("d")], request.Tokens);
        Assert.True(request is { IsCut: true, LosesTargets: false, TargetCount: 1 });
        Assert.True(
            new RequestEncoder(BigramModel.Tokenizer, window: 2).Pair("a", "bcd")
                is { IsCut: true, LosesTargets: true, TargetCount: 2 }
        );
        Assert.False(new RequestEncoder(BigramModel.Tokenizer, window: 3).Pair("abc", "d").IsCut);
    }

    [Fact]
    public void EmptyContinuation_IsRefused() => Assert.Throws<DataFormatException>(() => Encoder.Pair("a", ""));

    [Fact]
    public void RollingWindows_ScoreEveryTokenOnce()
    {
        // Five tokens after the start, three at a time: start a b → a b c; then b c d → d e, the last window with as much before it as fits.
        IReadOnlyList<ScoreRequest> windows = new RequestEncoder(BigramModel.Tokenizer, window: 3).Rolling("abcde");
        Assert.Equal(2, windows.Count);
        Assert.Equal([BigramModel.Id(""), .. BigramModel.Tokenizer.Encode("abc")], windows[0].Tokens);
        Assert.Equal(3, windows[0].TargetCount);
        Assert.Equal(BigramModel.Tokenizer.Encode("bcde"), windows[1].Tokens);
        Assert.Equal(2, windows[1].TargetCount);
    }
}
