using Saltern.Models;

namespace Saltern.Tests.Models;

public class TextGeneratorTests
{
    private static readonly float[] Logits = [1f, 3f, 2f, 0f]; // probabilities at temperature 1: 0.087, 0.644, 0.237, 0.032

    [Fact]
    public void TemperatureZero_TakesTheMostLikely() =>
        Assert.All(
            Enumerable.Range(0, 20),
            seed =>
                Assert.Equal(1, TextGenerator.Draw(Logits, new SamplingOptions { Temperature = 0 }, new Random(seed)))
        );

    [Theory]
    [InlineData(2, 1.0, new[] { 1, 2 })]
    [InlineData(0, 0.6, new[] { 1 })]
    [InlineData(0, 0.7, new[] { 1, 2 })]
    [InlineData(3, 0.95, new[] { 0, 1, 2 })]
    [InlineData(0, 1.0, new[] { 0, 1, 2, 3 })]
    public void TopKAndTopP_LeaveTheseTokens(int topK, double topP, int[] expected)
    {
        var random = new Random(1);
        var options = new SamplingOptions
        {
            Temperature = 1,
            TopK = topK,
            TopP = topP,
        };
        Assert.Equal(
            expected,
            Enumerable.Range(0, 2_000).Select(_ => TextGenerator.Draw(Logits, options, random)).Distinct().Order()
        );
    }

    [Fact]
    public void Draws_HaveTheModelsProbabilities()
    {
        var random = new Random(2);
        int[] counts = new int[4];
        for (int i = 0; i < 20_000; i++)
        {
            counts[TextGenerator.Draw(Logits, new SamplingOptions { Temperature = 1 }, random)]++;
        }

        double[] expected = [0.0871, 0.6439, 0.2369, 0.0321];
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(expected[i], counts[i] / 20_000.0, 0.015); // four standard errors
        }
    }

    [Fact]
    public void LongTexts_GoOnPastTheModelsPositions()
    {
        var config = new TransformerConfig
        {
            HiddenSize = 8,
            NumHiddenLayers = 1,
            NumAttentionHeads = 2,
            IntermediateSize = 8,
        }.Resolve(20, 16);
        using var model = new Transformer(config, trainable: false);
        model.Initialize(1);
        int[] added =
        [
            .. TextGenerator.Generate(
                model,
                [1, 2, 3],
                endOfText: 19,
                vocabulary: 18,
                new SamplingOptions { MaxTokens = 60, Temperature = 1 },
                TestContext.Current.CancellationToken
            ),
        ];
        Assert.Equal(60, added.Length);
        Assert.All(added, token => Assert.InRange(token, 0, 17));
    }

    [Fact]
    public void RepetitionPenalty_DividesAboveZero_AndMultipliesBelow()
    {
        // By hand; id 7 is of the prompt and beyond the real vocabulary.
        float[] logits = [2f, -1f, 3f, -4f];
        TextGenerator.Penalise(logits, new HashSet<int> { 0, 1, 7 }, 2);
        Assert.Equal([1f, -2f, 3f, -4f], logits);
        TextGenerator.Penalise(logits, new HashSet<int> { 2, 3 }, 1);
        Assert.Equal([1f, -2f, 3f, -4f], logits);
    }

    [Fact]
    public void AHighPenalty_KeepsAGreedyTextFromRepeatingItself()
    {
        var config = new TransformerConfig
        {
            HiddenSize = 8,
            NumHiddenLayers = 1,
            NumAttentionHeads = 2,
            IntermediateSize = 8,
        }.Resolve(40, 64);
        using var model = new Transformer(config, trainable: false);
        model.Initialize(1);
        int[] Text(double penalty) =>
            [
                .. TextGenerator.Generate(
                    model,
                    [1, 2, 3],
                    endOfText: 39,
                    vocabulary: 38,
                    new SamplingOptions
                    {
                        MaxTokens = 12,
                        Temperature = 0,
                        RepetitionPenalty = penalty,
                    },
                    TestContext.Current.CancellationToken
                ),
            ];

        Assert.True(Text(1).Distinct().Count() < 12, "the plain text repeats nothing, so this shows nothing");
        int[] apart = Text(100);
        Assert.Equal(apart.Length, apart.Concat([1, 2, 3]).Distinct().Count() - 3);
    }

    [Fact]
    public void OptionsOutOfRange_AreAllListed()
    {
        var options = new SamplingOptions
        {
            MaxTokens = 0,
            Temperature = -1,
            TopK = -1,
            TopP = 0,
            RepetitionPenalty = 0,
        };
        Assert.Equal(5, Assert.Throws<ConfigurationException>(options.Validate).Problems.Count);
    }
}
