using Saltern.Models;
using Saltern.Planning;

namespace Saltern.Tests.Planning;

public class SizeLawsTests
{
    [Theory]
    [InlineData(1.3e6, 4_096)]
    [InlineData(3.5e6, 4_096)]
    [InlineData(7e6, 8_192)]
    [InlineData(30e6, 8_192)]
    [InlineData(120e6, 32_768)]
    [InlineData(1.5e9, 32_768)]
    [InlineData(8e9, 128_000)]
    public void Shape_HasTheSizeAndAForm(double size, int vocabulary)
    {
        TransformerConfig shape = SizeLaws.Shape(size, vocabulary, 256);
        Assert.InRange(ModelFlops.Parameters(shape) / size, 0.88, 1.12);
        double form = (double)shape.HiddenSize / shape.NumHiddenLayers;
        Assert.InRange(form / SizeLaws.WidthOverDepth(size), 0.7, 1.4);
        Assert.Equal(shape.HiddenSize, shape.NumAttentionHeads * shape.HeadDim);
        Assert.Equal(0, shape.IntermediateSize % 32);
        Assert.InRange(shape.IntermediateSize, 8 * shape.HiddenSize / 3, (8 * shape.HiddenSize / 3) + 64);
    }

    [Fact]
    public void Shape_ThatGrows_HasLayersInFours() =>
        Assert.Equal(0, SizeLaws.Shape(7e6, 8_192, 512, layersMultipleOf: 4).NumHiddenLayers % 4);

    [Fact]
    public void Shape_WithoutRoomForTheVocabulary_IsAnError()
    {
        ConfigurationException error = Assert.Throws<ConfigurationException>(() => SizeLaws.Shape(1e6, 128_000, 256));
        Assert.Contains("128,000 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains("4.1m", error.Message, StringComparison.Ordinal); // 128,000 rows of 32, and two small layers
    }

    // By hand: 1e8^-0.713 = 1.9770e-6, 1e9^0.307 = 579.43, 1.79 · 0.65 times both is 1.33e-3; 1e9^0.571 = 137,721, times 0.58 is 79,878.
    [Fact]
    public void RateAndBatch_AreStepLaws()
    {
        Assert.Equal(1.3e-3, SizeLaws.LearningRate(1e8, 1e9), 1e-9);
        Assert.Equal(79_878, SizeLaws.BatchTokens(1e9), 5.0);
        Assert.Equal(SizeLaws.HighestLearningRate, SizeLaws.LearningRate(1e5, 1e9), 1e-12);
    }

    [Theory]
    [InlineData(4_096, 256, 16)]
    [InlineData(100, 256, 2)]
    [InlineData(80_000, 1_024, 80)]
    [InlineData(1_500, 256, 6)]
    public void Batches_AreCountsThatRanksCanShare(double tokens, int length, int expected) =>
        Assert.Equal(expected, SizeLaws.BatchSequences(tokens, length));

    [Theory]
    [InlineData(0.004149, 0.0041)]
    [InlineData(123, 120)]
    [InlineData(9.96, 10)]
    public void TwoDigits_Rounds(double value, double expected) =>
        Assert.Equal(expected, SizeLaws.TwoDigits(value), expected * 1e-9);

    [Theory]
    [InlineData(1.3e6, "1.3m")]
    [InlineData(350e3, "350k")]
    [InlineData(2.84e9, "2.8b")]
    [InlineData(117.2e6, "117m")]
    public void Counts_AreWrittenAsTheyAreRead(double count, string text)
    {
        Assert.Equal(text, SizeLaws.Text(count));
        Assert.Equal(count, SizeDial.ParseCount(text, "--size", 1, 1e12), 0.02 * count);
    }

    [Theory]
    [InlineData("7")]
    [InlineData("-7m")]
    [InlineData("seven")]
    [InlineData("")]
    [InlineData("7mm")]
    [InlineData("NaN")]
    [InlineData("1e6")]
    public void WhatIsNoCount_IsRefused(string text) =>
        Assert.Contains(
            "--size",
            Assert.Throws<ConfigurationException>(() => SizeDial.ParseCount(text, "--size", 50e3, 20e9)).Message,
            StringComparison.Ordinal
        );
}
