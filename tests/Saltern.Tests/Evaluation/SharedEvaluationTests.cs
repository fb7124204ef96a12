using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Evaluation;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Shards;
using Saltern.Tests.Distributed;

namespace Saltern.Tests.Evaluation;

/// <summary>What is measured does not depend on how many ranks share the batches out, to the last bit: batches and the order of sums stay the same.</summary>
public class SharedEvaluationTests
{
    private const int Vocabulary = 40;
    private const int Length = 64;

    public static TheoryData<int> Sizes => [2, 3, 7]; // 7: more ranks than batches

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Evaluation_HasTheSameBits(int size)
    {
        using var folder = new TemporaryFolder();
        using TokenShard north = Shard(folder, "n.bin", 11);
        using TokenShard south = Shard(folder, "s.bin", 12);
        ValidationSet set = ValidationSet.Create(
            [north, south],
            Length,
            20_000,
            wholeDocuments: true,
            endOfText: Vocabulary - 1
        );
        Assert.InRange(set.WindowDomains.Count, 4 * 4_096 / Length, 6 * 4_096 / Length); // four batches and more
        int[] bytes = [.. Enumerable.Range(0, Vocabulary).Select(i => i % 5)];
        EvaluationResult expected = Run(new SingleProcess());
        Assert.All(
            ThreadRanks.Run(size, Run),
            found =>
            {
                Assert.Equal(expected.Total.Sums, found.Total.Sums);
                Assert.Equal(
                    (expected.Total.TextNll, expected.Total.TextBytes, expected.Total.Calibration.Error),
                    (found.Total.TextNll, found.Total.TextBytes, found.Total.Calibration.Error)
                );
                Assert.Equal(expected.Domains.Select(part => part!.Sums), found.Domains.Select(part => part!.Sums));
                Assert.Equal(expected.PositionNll, found.PositionNll);
                Assert.Equal(expected.Documents, found.Documents);
            }
        );

        EvaluationResult Run(ICommunicator ranks)
        {
            using Transformer model = Model();
            using var head = new FusedLossHead(Vocabulary, Vocabulary, 1);
            return ModelEvaluation.Run(model, head, set, bytes, domainCount: 2, ranks);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void TheTeachersLosses_HaveTheSameBits(int size)
    {
        using var folder = new TemporaryFolder();
        using TokenShard shard = Shard(folder, "t.bin", 13);
        ValidationSet set = ValidationSet.Create(
            [shard],
            Length,
            16_000,
            wholeDocuments: true,
            endOfText: Vocabulary - 1
        );
        TeacherLosses expected = Run(new SingleProcess());
        Assert.All(
            ThreadRanks.Run(size, Run),
            found =>
            {
                Assert.Equal(expected.Nll, found.Nll);
                Assert.Equal(expected.NllTempered, found.NllTempered);
            }
        );

        TeacherLosses Run(ICommunicator ranks)
        {
            using var teacher = new LiveTeacher(Model(), 0.5);
            using var head = new FusedLossHead(Vocabulary, Vocabulary, 1);
            return TeacherLosses.Run(teacher, head, set, ranks);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void RequestsAndAnswers_AreTheSame(int size)
    {
        var random = new Random(5);
        int[] Text(int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(Vocabulary - 1))];
        ScoreRequest[] requests =
        [
            .. Enumerable.Range(0, 500).Select(_ => new ScoreRequest(Text(random.Next(4, Length)), 3)),
        ];
        int[] start = Text(40); // and some that share a beginning
        requests = [.. requests, .. Enumerable.Range(0, 60).Select(_ => new ScoreRequest([.. start, .. Text(6)], 4))];
        int[][] prompts = [.. Enumerable.Range(0, 300).Select(_ => Text(random.Next(1, 20)))];
        (RequestScore[] Scores, int[][] Texts) expected = Run(new SingleProcess());
        Assert.All(
            ThreadRanks.Run(size, Run),
            found =>
            {
                Assert.Equal(expected.Scores, found.Scores);
                Assert.Equal(expected.Texts, found.Texts);
            }
        );

        (RequestScore[] Scores, int[][] Texts) Run(ICommunicator ranks)
        {
            using Transformer model = Model();
            using var head = new FusedLossHead(Vocabulary, Vocabulary, 1);
            return (
                RequestScorer.Score(
                    model,
                    head,
                    requests,
                    ranks: ranks,
                    cancellation: TestContext.Current.CancellationToken
                ),
                GreedyBatch.Generate(
                    model,
                    prompts,
                    new AnswerLimits(8, Vocabulary - 1, Vocabulary),
                    ranks: ranks,
                    cancellation: TestContext.Current.CancellationToken
                )
            );
        }
    }

    private static Transformer Model()
    {
        var model = new Transformer(
            new TransformerConfig
            {
                HiddenSize = 16,
                NumHiddenLayers = 1,
                NumAttentionHeads = 2,
                IntermediateSize = 16,
                InitializerRange = 0.7,
                TieWordEmbeddings = true,
            }.Resolve(Vocabulary, Length),
            trainable: false
        );
        model.Initialize(2);
        return model;
    }

    private static TokenShard Shard(TemporaryFolder folder, string name, int seed)
    {
        var random = new Random(seed);
        using (var writer = new TokenShardWriter(folder[name], TokenType.U16))
        {
            for (int document = 0; document < 60; document++)
            {
                writer.WriteDocument([
                    .. Enumerable.Range(0, random.Next(100, 400)).Select(_ => random.Next(Vocabulary - 1)),
                    Vocabulary - 1,
                ]);
            }

            writer.Complete();
        }

        return TokenShard.Open(folder[name]);
    }
}
