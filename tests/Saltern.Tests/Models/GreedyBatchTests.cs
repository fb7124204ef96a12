using Saltern.Models;

namespace Saltern.Tests.Models;

// The oracle is TextGenerator, which takes one prompt after the other without padding.
public class GreedyBatchTests
{
    private const int Vocabulary = 40;
    private const int MaxTokens = 12;

    [Theory]
    [InlineData(0, 2)]
    [InlineData(0, 1)]
    [InlineData(7, 1)] // a window that padding and prompts exceed
    public void Batch_IsOneAtATime_TokenForToken(int window, int groups)
    {
        using Transformer model = Model(window, groups);
        var random = new Random(3);
        int[][] prompts =
        [
            .. Enumerable
                .Range(0, 150)
                .Select(_ =>
                    Enumerable.Range(0, random.Next(0, 30)).Select(_ => random.Next(Vocabulary - 1)).ToArray()
                ),
        ];

        // A token that many texts come to, so that they end at different places.
        int endOfText = GreedyBatch
            .Generate(
                model,
                [.. prompts.Where(prompt => prompt.Length > 0)],
                new AnswerLimits(MaxTokens, EndOfText: -1, Vocabulary),
                cancellation: TestContext.Current.CancellationToken
            )
            .SelectMany(text => text.Skip(2))
            .CountBy(token => token)
            .MaxBy(count => count.Value)
            .Key;
        int[][] alone =
        [
            .. prompts.Select(prompt =>
                TextGenerator
                    .Generate(
                        model,
                        prompt,
                        endOfText,
                        Vocabulary,
                        new SamplingOptions { Temperature = 0, MaxTokens = MaxTokens },
                        TestContext.Current.CancellationToken
                    )
                    .ToArray()
            ),
        ];
        int done = 0;
        int[][] together = GreedyBatch.Generate(
            model,
            prompts,
            new AnswerLimits(MaxTokens, endOfText, Vocabulary),
            progress: count => done = count,
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.Equal(alone, together);
        Assert.Equal(150, done);

        // Otherwise padding, leaving texts and different lengths were not tried.
        Assert.True(alone.Select(text => text.Length).Distinct().Count() > 3);
        Assert.True(alone.Count(text => text.Length < MaxTokens) > 10);
    }

    [Fact]
    public void LearnedPositions_AreThoseOfATextAlone()
    {
        // GPT-2's positions are absolute: padding would shift a text to other ones.
        var config = new TransformerConfig
        {
            HiddenSize = 16,
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            IntermediateSize = 24,
            InitializerRange = 0.7,
            LayerNormEps = 1e-5,
            HiddenAct = Activation.GeluNew,
            LearnedPositions = true,
            AttentionBias = true,
            MlpBias = true,
        }.Resolve(Vocabulary, 64);
        using var model = new Transformer(config, trainable: false);
        model.Initialize(4);
        int[][] prompts =
        [
            [1, 2, 3],
            [4, 5],
            [6],
            [7, 8, 9, 10],
            [11, 12],
            [13, 14, 15],
        ];
        int[][] alone =
        [
            .. prompts.Select(prompt =>
                TextGenerator
                    .Generate(
                        model,
                        prompt,
                        Vocabulary - 1,
                        Vocabulary,
                        new SamplingOptions { Temperature = 0, MaxTokens = MaxTokens },
                        TestContext.Current.CancellationToken
                    )
                    .ToArray()
            ),
        ];
        Assert.Equal(
            alone,
            GreedyBatch.Generate(
                model,
                prompts,
                new AnswerLimits(MaxTokens, Vocabulary - 1, Vocabulary),
                cancellation: TestContext.Current.CancellationToken
            )
        );
    }

    [Fact]
    public void TextThatIsOver_LeavesTheOthersAlone()
    {
        using Transformer model = Model(0, 2);
        int[][] prompts =
        [
            [1, 2, 3],
            [4, 5],
            [6],
            [7, 8, 9, 10],
            [11, 12],
        ];
        int[][] whole = GreedyBatch.Generate(
            model,
            prompts,
            new AnswerLimits(MaxTokens, EndOfText: -1, Vocabulary),
            cancellation: TestContext.Current.CancellationToken
        );
        int[][] cut = GreedyBatch.Generate(
            model,
            prompts,
            new AnswerLimits(MaxTokens, EndOfText: -1, Vocabulary)
            {
                IsOver = (prompt, tokens) => prompt != 2 && tokens.Count == prompt + 1,
            },
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.Equal([.. whole.Select((text, i) => i == 2 ? text : text[..(i + 1)])], cut);
    }

    [Fact]
    public void PromptWithoutRoomForItsAnswer_IsRefused()
    {
        using Transformer model = Model(0, 2);
        Assert.Throws<ArgumentException>(() =>
            GreedyBatch.Generate(
                model,
                [new int[60]],
                new AnswerLimits(MaxTokens, EndOfText: -1, Vocabulary),
                cancellation: TestContext.Current.CancellationToken
            )
        );
        Assert.Empty(
            GreedyBatch.Generate(
                model,
                [],
                new AnswerLimits(MaxTokens, EndOfText: -1, Vocabulary),
                cancellation: TestContext.Current.CancellationToken
            )
        );
    }

    private static Transformer Model(int window, int groups)
    {
        var config = new TransformerConfig
        {
            HiddenSize = 16,
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            NumKeyValueHeads = groups,
            IntermediateSize = 24,
            SlidingWindow = window,
            InitializerRange = 0.7,
        }.Resolve(Vocabulary, 64);
        var model = new Transformer(config, trainable: false);
        model.Initialize(4);
        return model;
    }
}
