using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class PairedStandardErrorTests
{
    [Fact]
    public void Compute_IsTheFormulaByDocument()
    {
        // Differences X = (2, 1) over n = (10, 30): x̄ = 3/40; Σ(X − x̄n)² = (2 − 0.75)² + (1 − 2.25)² = 3.125; √(2/1·3.125)/40 = 0.0625.
        PairedStandardError error = PairedStandardError.Compute(
            [Score(0, 10, 12), Score(1, 30, 31)],
            [Score(1, 30, 30), Score(0, 10, 10)]
        )!;

        Assert.Equal(0.075, error.MeanDifference, 12);
        Assert.Equal(0.0625, error.StandardError!.Value, 12);
        Assert.Equal(1563, error.TokensNeeded);
    }

    [Fact]
    public void ThreeDocuments_HaveThreeOverTwo()
    {
        // X = (0, 1, 2) over n = 10 each: x̄ = 0.1; Σ(X − 1)² = 2; √(3/2·2)/30 = 0.057735.
        PairedStandardError error = PairedStandardError.Of([(0, 10), (1, 10), (2, 10)]);
        Assert.Equal(0.1, error.MeanDifference, 12);
        Assert.Equal(Math.Sqrt(3) / 30, error.StandardError!.Value, 12);
    }

    [Fact]
    public void DocumentsWithoutTokens_AreRefused() =>
        Assert.Contains(
            "no tokens were scored",
            Assert.Throws<DataFormatException>(() => PairedStandardError.Of([(0, 0), (0, 0)])).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void SameShiftInEveryDocument_HasNoError()
    {
        PairedStandardError error = PairedStandardError.Compute(
            [Score(0, 10, 5), Score(1, 20, 20)],
            [Score(0, 10, 4), Score(1, 20, 18)]
        )!;
        Assert.Equal(0.1, error.MeanDifference, 12);
        Assert.Equal(0, error.StandardError!.Value, 12);
    }

    [Fact]
    public void OneDocument_HasNoKnownError() =>
        Assert.Null(PairedStandardError.Compute([Score(0, 10, 5)], [Score(0, 10, 4)])!.StandardError);

    [Fact]
    public void NoDocuments_IsNull() => Assert.Null(PairedStandardError.Compute([], [Score(0, 10, 5)]));

    [Fact]
    public void OtherDocuments_AreRefusedByName()
    {
        string Message(DocumentScore[] a, DocumentScore[] b) =>
            Assert.Throws<DataFormatException>(() => PairedStandardError.Compute(a, b)).Message;

        Assert.Contains(
            "document 7 of 'wiki' has 10 tokens in one run and is not in the other",
            Message([Score(7, 10, 5)], [Score(8, 10, 5)]),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "10 tokens in one run and 11",
            Message([Score(7, 10, 5)], [Score(7, 11, 5)]),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "2 documents in one run, 1",
            Message([Score(7, 10, 5), Score(8, 1, 1)], [Score(7, 10, 5)]),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "twice",
            Message([Score(7, 10, 5)], [Score(7, 10, 5), Score(7, 10, 5)]),
            StringComparison.Ordinal
        );
    }

    private static DocumentScore Score(long document, long tokens, double nll) => new("wiki", document, tokens, nll);
}
