using Saltern.Batches;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Guidance;

// Records from logits in a buffer of the teacher's device are those from logits in place; the device is the CPU here, a GPU's are in CudaTests.
public sealed class TeacherRowsTests
{
    private const int Vocabulary = 701;
    private const int Length = 40;

    [Theory]
    [InlineData(CacheMode.Sampled)]
    [InlineData(CacheMode.TopK)]
    [InlineData(CacheMode.Scores)]
    public void LogitsOnTheDevice_GiveTheSameRecords(CacheMode mode)
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
            }.Resolve(Vocabulary + 3, Length),
            trainable: false
        );
        model.Initialize(2);
        using var teacher = new LiveTeacher(model, 0.5);
        var plan = new TeachPlan
        {
            Samples = new SampleSpace("none", Length, false, "causal"),
            Tokenizer = "none",
            VocabularySize = Vocabulary,
            TeacherWeights = "none",
            Temperature = 0.5,
            Mode = mode,
            Draws = mode == CacheMode.Sampled ? 6 : 0,
            Kept = mode == CacheMode.TopK ? 6 : 0,
            Coverage = new TeachCoverage(20, 20, "none", null, 20),
            ShardSamples = 20,
        };
        var batch = new Batch([.. Enumerable.Range(0, 20).Select(i => new SampleKey(0, i, 0))], new RandomText(), 0);
        using TeacherRows inPlace = new(plan, teacher, 2);
        using TeacherRows onDevice = new(plan, teacher, 2, onDevice: true);
        byte[][] expected = inPlace.Records(Run(), batch);
        byte[][] found = onDevice.Records(Run(), batch);
        int counted = batch.Labels([.. Enumerable.Range(0, 20)]).Count(label => label >= 0);
        Assert.True(
            counted is > 300 and < 800
                && expected.Sum(record => record.Length) >= counted * CacheRecord.FixedBytes(mode)
        );
        if (mode != CacheMode.Scores)
        {
            Assert.Equal(expected, found);
            return;
        }

        // Sums in another order: a loss may round to the next of half precision, a rank is exact.
        byte[] all = [.. expected.SelectMany(record => record)];
        byte[] others = [.. found.SelectMany(record => record)];
        Assert.Equal(all.Length, others.Length);
        for (int at = 0; at < all.Length; at += CacheRecord.FixedBytes(mode))
        {
            Assert.InRange(BitConverter.ToInt16(others, at) - BitConverter.ToInt16(all, at), -1, 1);
            Assert.Equal(all[at + 2], others[at + 2]);
        }

        LiveSoftLabels Run() => teacher.Run(batch.Inputs([.. Enumerable.Range(0, 20)]));
    }

    [Fact]
    public void CappedLogitsOfBFloat16Products_GiveTheLossesOfFloat32()
    {
        Assert.SkipUnless(OwnKernels.CoverProducts(ScalarType.BFloat16, DeviceType.CPU), "no bfloat16 products here");
        var plan = new TeachPlan
        {
            Samples = new SampleSpace("none", Length, false, "causal"),
            Tokenizer = "none",
            VocabularySize = Vocabulary,
            TeacherWeights = "none",
            Temperature = 1,
            Mode = CacheMode.Scores,
            Draws = 0,
            Kept = 0,
            Coverage = new TeachCoverage(20, 20, "none", null, 20),
            ShardSamples = 20,
        };
        double[] exact = Losses(cap: 1, ScalarType.Float32);
        double[] capped = Losses(cap: 1, ScalarType.BFloat16);
        double[] free = Losses(cap: null, ScalarType.BFloat16);
        double Off(double[] losses) => losses.Zip(exact).Average(pair => Math.Abs(pair.First - pair.Second));

        // On average: bfloat16 operands in every layer, half precision of what is kept. Without the cap losses are others.
        Assert.InRange(Off(capped), 0, 0.05);
        Assert.True(Off(free) > 1);

        double[] Losses(double? cap, ScalarType products)
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
                    FinalLogitSoftcapping = cap,
                }.Resolve(Vocabulary + 3, Length),
                trainable: false
            );
            model.Initialize(2);
            model.ProductType = products;
            using var teacher = new LiveTeacher(model, 1);
            var batch = new Batch(
                [.. Enumerable.Range(0, 20).Select(i => new SampleKey(0, i, 0))],
                new RandomText(),
                0
            );
            using var rows = new TeacherRows(plan, teacher, 2);
            byte[] records =
            [
                .. rows.Records(teacher.Run(batch.Inputs([.. Enumerable.Range(0, 20)])), batch).SelectMany(r => r),
            ];
            return
            [
                .. Enumerable
                    .Range(0, records.Length / CacheRecord.FixedBytes(CacheMode.Scores))
                    .Select(i => (double)BitConverter.ToHalf(records, i * CacheRecord.FixedBytes(CacheMode.Scores))),
            ];
        }
    }

    // Every third target does not count.
    private sealed class RandomText : ISampleReader
    {
        public int SequenceLength => Length;

        public bool HasRanges => false;

        public IReadOnlyList<long> Sizes => [20];

        public void Read(int domain, long index, Span<long> inputs, Span<long> labels, Span<int> first, Span<int> end)
        {
            var random = new Random((int)index);
            for (int i = 0; i < Length; i++)
            {
                (inputs[i], labels[i]) = (
                    random.Next(Vocabulary),
                    i % 3 == 0 ? SampleReader.NotCounted : random.Next(Vocabulary)
                );
            }
        }
    }
}
