using Saltern.Evaluation;
using Saltern.Losses;
using Saltern.Models;

namespace Saltern.Tests.Evaluation;

public class RequestScorerTests
{
    // float32 sums of a handful of logarithms.
    private const double Rounding = 1e-5;

    [Fact]
    public void LogProbabilities_AreThoseOfTheModel()
    {
        using TaskModel model = BigramModel.Create(8, ("a", "b", 0.6), ("b", "c", 0.25), ("b", "d", 0.5));
        RequestScore[] scores = model.Score(
            [
                model.Encoder.Pair("a", "b"),
                model.Encoder.Pair("a", "bc"),
                model.Encoder.Pair("za", "bd"),
                model.Encoder.Pair("", "q"),
            ],
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.Equal(Math.Log(0.6), scores[0].LogProb, Rounding);
        Assert.True(scores[0].IsGreedy);
        Assert.Equal(Math.Log(0.6 * 0.25), scores[1].LogProb, Rounding);
        Assert.False(scores[1].IsGreedy); // after b, d is more likely
        Assert.Equal(Math.Log(0.6 * 0.5), scores[2].LogProb, Rounding);
        Assert.True(scores[2].IsGreedy);
        Assert.Equal(Math.Log(BigramModel.Uniform), scores[3].LogProb, Rounding);
    }

    [Fact]
    public void InputsThatBeginAnother_ShareItsRow()
    {
        // One-token choices after the same prompt have the same input; a longer one begins with it.
        var encoder = new RequestEncoder(BigramModel.Tokenizer, 16);
        Assert.Single(RequestRows.Of([encoder.Pair("abc", "d"), encoder.Pair("abc", "e"), encoder.Pair("abc", "def")]));
        Assert.Equal(2, RequestRows.Of([encoder.Pair("abc", "d"), encoder.Pair("xbc", "d")]).Count);
    }

    [Fact]
    public void ABeginning_IsComputedOnceForAllChoices()
    {
        // 16 letters and 3 of each choice, the last letter of the context with its choice because it predicts the first; a token is a letter here.
        var encoder = new RequestEncoder(BigramModel.Tokenizer, 64);
        string context = "abcdefghijklmnop";
        ScoreRequest[] choices =
        [
            encoder.Pair(context, "qqq"),
            encoder.Pair(context, "rrr"),
            encoder.Pair(context, "sss"),
        ];
        RowGroup group = Assert.Single(RequestRows.Groups(choices, RequestRows.Of(choices)));
        Assert.Equal(
            (3, 15, 18, 15 + (3 * 3)),
            (group.Rows.Count, group.Shared, group.Length, RequestScorer.CountTokens(choices))
        );

        // Saving less than was asked for is no saving: 54 tokens in whole rows, 24 in the group.
        Assert.Equal(3, RequestRows.Groups(choices, RequestRows.Of(choices), leastSaving: 2.3).Count);

        // Another context shares nothing; a choice after half of it would cost the others more than it saves.
        ScoreRequest[] more = [.. choices, encoder.Pair("zbcdefghijklmnop", "qqq"), encoder.Pair("abcdefgh", "zzz")];
        Assert.Equal(24 + 18 + 10, RequestScorer.CountTokens(more));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(24, false)]
    [InlineData(0, true)]
    public void SharedBeginnings_ChangeNothing(int window, bool learnedPositions)
    {
        var config = new TransformerConfig
        {
            HiddenSize = 32,
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            IntermediateSize = 48,
            SlidingWindow = window,
        };
        config = learnedPositions
            ? config with
            {
                LearnedPositions = true,
                LayerNormEps = 1e-5,
                HiddenAct = Activation.Gelu,
                AttentionBias = true,
                MlpBias = true,
            }
            : config;
        using var transformer = new Transformer(
            config.Resolve(BigramModel.Tokenizer.VocabularySize, 64),
            trainable: false
        );
        transformer.Initialize(4);
        transformer.UsesKernels = false;
        using var head = new FusedLossHead(BigramModel.Tokenizer.VocabularySize, transformer.Config.VocabSize, 2);
        var encoder = new RequestEncoder(BigramModel.Tokenizer, 64);
        var random = new Random(3);
        string Letters(int least, int most) =>
            string.Concat(Enumerable.Range(0, random.Next(least, most)).Select(_ => (char)('a' + random.Next(20))));
        ScoreRequest[] requests =
        [
            .. Enumerable
                .Range(0, 60)
                .Select(_ => Letters(10, 45))
                .SelectMany(context => Enumerable.Range(0, 4).Select(_ => encoder.Pair(context, Letters(1, 12)))),
        ];
        RequestScore[] together = RequestScorer.Score(
            transformer,
            head,
            requests,
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.InRange(RequestScorer.CountTokens(requests), 1, requests.Sum(request => request.Input.Length) / 2);
        for (int i = 0; i < requests.Length; i += 7)
        {
            RequestScore alone = RequestScorer.Score(
                transformer,
                head,
                [requests[i]],
                cancellation: TestContext.Current.CancellationToken
            )[0];
            Assert.Equal(alone.LogProb, together[i].LogProb, 1e-4); // other batch shapes, other orders of float32 sums
            Assert.Equal(alone.IsGreedy, together[i].IsGreedy);
        }
    }

    [Fact]
    public void BatchesAndSharedRows_ChangeNothing()
    {
        using var transformer = new Transformer(
            new TransformerConfig
            {
                HiddenSize = 32,
                NumHiddenLayers = 2,
                NumAttentionHeads = 2,
                IntermediateSize = 48,
            }.Resolve(BigramModel.Tokenizer.VocabularySize, 64),
            trainable: false
        );
        transformer.Initialize(4);
        using var head = new FusedLossHead(BigramModel.Tokenizer.VocabularySize, transformer.Config.VocabSize, 2);
        var encoder = new RequestEncoder(BigramModel.Tokenizer, 64);
        var random = new Random(3);
        string[] texts =
        [
            .. Enumerable
                .Range(0, 300)
                .Select(_ =>
                    string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => (char)('a' + random.Next(3))))
                ),
        ];
        ScoreRequest[] requests =
        [
            .. texts.SelectMany(text => new[] { encoder.Pair(text, " x"), encoder.Pair(text, "bc") }),
        ];
        RequestScore[] together = RequestScorer.Score(
            transformer,
            head,
            requests,
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.True(RequestRows.Of(requests).Count < requests.Length);
        for (int i = 0; i < requests.Length; i += 37)
        {
            RequestScore alone = RequestScorer.Score(
                transformer,
                head,
                [requests[i]],
                cancellation: TestContext.Current.CancellationToken
            )[0];
            Assert.Equal(alone.LogProb, together[i].LogProb, 1e-4); // other batch shapes, other orders of float32 sums
            Assert.Equal(alone.IsGreedy, together[i].IsGreedy);
        }
    }
}
