using Saltern.Batches;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Tests.Batches;

/// <summary>A training shard of given documents, and a byte-level tokenizer with sentinels: letters are tokens.</summary>
internal sealed class SampleShard : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public SampleShard(IReadOnlyList<string> documents, int sentinels = 100)
    {
        string[] special = ["<|endoftext|>", .. Enumerable.Range(0, sentinels).Select(SentinelTokens.Name)];
        Tokenizer = BpeTrainer.Train(
            ["a"],
            new BpeTrainerOptions { VocabularySize = 256 + special.Length, SpecialTokens = special }
        );
        using (var writer = new TokenShardWriter(_folder["train.bin"], TokenType.U16))
        {
            foreach (string document in documents)
            {
                writer.WriteDocument([.. Tokenizer.Encode(document), Tokenizer.EndOfTextId]);
            }

            writer.Complete();
        }

        Shard = TokenShard.Open(_folder["train.bin"]);
    }

    public BpeTokenizer Tokenizer { get; }

    public TokenShard Shard { get; }

    public SampleReader Reader(DataConfig data, ObjectiveConfig? objective = null) =>
        SampleReader.Create([Shard], data, objective, Tokenizer);

    public static Batch Sample(SampleReader reader, long index) => new([new SampleKey(0, index, 0)], reader, 0);

    public void Dispose()
    {
        Shard.Dispose();
        _folder.Dispose();
    }
}
