using Saltern.Losses;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Models;

/// <summary>Models whose matrices are kept in three bytes or two, against float32 models that have the same numbers.</summary>
public unsafe class PackedWeightsTests
{
    private static readonly TransformerConfig Llama = new TransformerConfig
    {
        HiddenSize = 20,
        NumHiddenLayers = 2,
        NumAttentionHeads = 2,
        NumKeyValueHeads = 1,
        IntermediateSize = 28,
        AttentionBias = true,
    }.Resolve(62, 16);

    public static TheoryData<string, string> Models =>
        new MatrixTheoryData<string, string>(["Split24", "BFloat16"], ["llama", "untied", "gpt2", "neox"]);

    [Theory]
    [MemberData(nameof(Models))]
    public void PassesAndGradients_HaveTheBitsOfTheSameNumbersInFloat32(string form, string shape)
    {
        Assert.SkipUnless(BFloat16Product.IsThere, "this processor has no bfloat16 products");
        using DisposeScope scope = NewDisposeScope();
        using Transformer packed = Model(form, shape);
        using var wide = new Transformer(packed.Config, trainable: true) { ProductType = ScalarType.BFloat16 };
        foreach (ParameterSlice slice in packed.Parameters.Layout.Slices)
        {
            wide.Parameters.SetWeight(slice, packed.Parameters.Weight(slice));
        }

        (float[] hidden, double loss, float[] gradients) = Pass(packed);
        (float[] expectedHidden, double expectedLoss, float[] expectedGradients) = Pass(wide);
        Assert.Equal(expectedHidden, hidden);
        Assert.Equal(expectedLoss, loss);
        Assert.Equal(expectedGradients, gradients);
        Assert.Contains(gradients, value => value != 0);

        // Generation reads the weights one by one.
        using Tensor tokens = Tokens(packed.Config);
        using IDisposable _ = no_grad();
        Assert.Equal(Values(wide.Logits(tokens)), Values(packed.Logits(tokens)));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void AModelFolder_HasTheNumbersAndGivesThemBack(string form, string shape)
    {
        using DisposeScope scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using Transformer packed = Model(form, shape);
        Directory.CreateDirectory(folder["m"]);
        ModelFolder.Save(folder["m"], packed);
        using Transformer wide = ModelFolder.Load(folder["m"], trainable: false);
        using var again = new Transformer(packed.Config, trainable: false, Enum.Parse<WeightForm>(form));
        ModelFolder.LoadWeights(folder["m"], again);
        foreach (ParameterSlice slice in packed.Parameters.Layout.Slices)
        {
            Assert.Equal(Values(packed.Parameters.Weight(slice)), Values(wide.Parameters.Weight(slice)));
            Assert.Equal(Values(packed.Parameters.Weight(slice)), Values(again.Parameters.Weight(slice)));
        }
    }

    [Fact]
    public void Initialize_IsFloat32sToHalfAStep()
    {
        using DisposeScope scope = NewDisposeScope();
        using var wide = new Transformer(Llama, trainable: false);
        wide.Initialize(3);
        foreach ((WeightForm form, int bits) in new[] { (WeightForm.Split24, 16), (WeightForm.BFloat16, 8) })
        {
            using var packed = new Transformer(Llama, trainable: false, form);
            packed.Initialize(3);
            foreach (ParameterSlice slice in wide.Parameters.Layout.Slices)
            {
                double half = slice.Shape.Length == 2 ? Math.Pow(2, -bits) : 0;
                Assert.Equal(
                    Values(wide.Parameters.Weight(slice)),
                    Values(packed.Parameters.Weight(slice)),
                    (a, b) => Math.Abs(a - b) <= half * Math.Abs(a)
                );
            }
        }
    }

    [Fact]
    public void WhatNeedsAFlatFloat32Buffer_IsToldSo()
    {
        using var packed = new Transformer(Llama, trainable: true, WeightForm.Split24);
        Assert.Throws<InvalidOperationException>(() => packed.Parameters.FlatWeights);
        Assert.Throws<InvalidOperationException>(() => (nint)packed.Parameters.Address(packed.Embedding));
        using Tensor tokens = Tokens(Llama);
        packed.ProductType = ScalarType.Float32;
        Assert.Throws<InvalidOperationException>(() => packed.Train(tokens));
        Assert.Throws<ArgumentException>(() =>
            new Transformer(Llama, trainable: true, WeightForm.Split24, ScalarType.Float64)
        );
    }

    [Fact]
    public void Numbers_AreTheNearestOfTheirForm_AndSurviveASecondPacking()
    {
        float[] values = Samples(1_003);
        foreach ((bool isSplit, int bits) in new[] { (true, 16), (false, 8) })
        {
            float[] once = Round(values, isSplit, key: null);
            Assert.Equal(values, once, (a, b) => Math.Abs(a - b) <= Math.Abs(a) * Math.Pow(2, -bits));
            Assert.Equal(once, Round(once, isSplit, key: null));
            Assert.Equal(once, Round(once, isSplit, RoundingKey.Of(1, 1, RoundedValue.Weight))); // nothing to round
        }
    }

    [Fact]
    public void TheUpperPartAlone_IsTheBFloat16NumberNextToTheWeight()
    {
        float[] values = Samples(1_003);
        ushort[] upper = new ushort[values.Length];
        sbyte[] lower = new sbyte[values.Length];
        fixed (float* from = values)
        fixed (ushort* high = upper)
        fixed (sbyte* low = lower)
        {
            SplitNumbers.SplitNearest(from, high, low, values.Length);
        }

        for (int i = 0; i < values.Length; i++)
        {
            float kept = BitConverter.UInt32BitsToSingle((uint)upper[i] << 16);
            Assert.InRange(Math.Abs(kept - values[i]), 0, Math.Abs(values[i]) * 1.004 * Math.Pow(2, -8));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TheMeanOfManyRoundings_IsTheNumber(bool isSplit)
    {
        const int Times = 3_000;
        float[] values = Samples(77);
        double[] sums = new double[values.Length];
        for (int update = 1; update <= Times; update++)
        {
            float[] rounded = Round(values, isSplit, RoundingKey.Of(7, update, RoundedValue.Weight));
            for (int i = 0; i < values.Length; i++)
            {
                sums[i] += rounded[i];
            }
        }

        // A rounding's deviation is at most half a step; 5 deviations of the mean.
        double step = Math.Pow(2, isSplit ? -15 : -7);
        Assert.Equal(
            values,
            sums.Select(sum => (float)(sum / Times)),
            (a, b) => Math.Abs(a - b) <= 5 * Math.Abs(a) * step / 2 / Math.Sqrt(Times)
        );
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rounding_DependsOnThePlaceAlone(bool isSplit)
    {
        float[] values = Samples(203);
        var key = RoundingKey.Of(7, 3, RoundedValue.Weight);
        float[] together = Round(values, isSplit, key, place: 100);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.Equal(together[i], Round([values[i]], isSplit, key, 100 + i)[0]);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatIsNoFiniteNumber_StaysSo(bool isSplit)
    {
        float[] values =
        [
            .. Enumerable.Repeat(BitConverter.UInt32BitsToSingle(0x7F800001), 40), // all that says so is in the lower half
            BitConverter.UInt32BitsToSingle(0x7FFFFFFF),
            float.NaN,
        ];
        RoundingKey?[] keys = [null, RoundingKey.Of(1, 1, RoundedValue.Weight)];
        foreach (RoundingKey? key in keys)
        {
            Assert.All(Round(values, isSplit, key), value => Assert.True(float.IsNaN(value)));
            Assert.All(
                Round([.. Enumerable.Repeat(float.NegativeInfinity, 40)], isSplit, key),
                value => Assert.Equal(float.NegativeInfinity, value)
            );
        }
    }

    private static float[] Round(float[] values, bool isSplit, RoundingKey? key, long place = 0)
    {
        ushort[] upper = new ushort[values.Length];
        sbyte[] lower = new sbyte[values.Length];
        float[] back = new float[values.Length];
        fixed (float* from = values)
        fixed (float* to = back)
        fixed (ushort* high = upper)
        fixed (sbyte* bytes = lower)
        {
            sbyte* low = isSplit ? bytes : null;
            if (key is RoundingKey random)
            {
                SplitNumbers.SplitRandomly(from, high, low, values.Length, place, random);
            }
            else
            {
                SplitNumbers.SplitNearest(from, high, low, values.Length);
            }

            SplitNumbers.Join(high, low, to, values.Length);
        }

        return back;
    }

    private static float[] Samples(int count)
    {
        var random = new Random(5);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ => (float)((random.Next(2) - 0.5) * Math.Pow(10, 6 * (random.NextDouble() - 0.8)))),
        ];
    }

    private static Transformer Model(string form, string shape)
    {
        TransformerConfig config = shape switch
        {
            "gpt2" => Runs.TinyRun.Gpt2Shape.Resolve(62, 16),
            "neox" => Runs.TinyRun.GptNeoxShape.Resolve(62, 16),
            "untied" => (Llama with { TieWordEmbeddings = false }).Resolve(62, 16),
            _ => Llama,
        };
        var model = new Transformer(config, trainable: true, Enum.Parse<WeightForm>(form))
        {
            ProductType = ScalarType.BFloat16,
        };
        model.Initialize(3);
        if (model.Parameters.Form == WeightForm.Split24)
        {
            AvoidTies(model.Parameters);
        }

        return model;
    }

    // Half-way between two bfloat16 numbers the upper part is the larger one, and rounding a float32 number takes the even one: such weights are made a little larger.
    private static void AvoidTies(ParameterSet parameters)
    {
        foreach (ParameterSlice slice in parameters.Layout.Slices.Where(slice => slice.Shape.Length == 2))
        {
            sbyte* lower = parameters.LowerAt(slice.Offset);
            for (long i = 0; i < slice.Count; i++)
            {
                lower[i] = lower[i] == -128 ? (sbyte)-127 : lower[i];
            }
        }
    }

    private static (float[] Hidden, double Loss, float[] Gradients) Pass(Transformer model)
    {
        using DisposeScope scope = NewDisposeScope();
        Assert.True(model.UsesKernels);
        model.Parameters.ZeroGradients();
        Tensor tokens = Tokens(model.Config);
        using TrainingPass pass = model.Train(tokens);
        float[] hidden = Values(pass.Hidden);
        int count = (int)tokens.numel();
        var losses = new PositionLosses(count);
        int vocabulary = model.Config.VocabSize;
        using var head = new FusedLossHead(vocabulary, vocabulary, 1, ScalarType.BFloat16);
        var request = new LossRequest
        {
            HiddenStates = pass.Hidden,
            Head = model.Head,
            Form = model.HeadForm,
            Labels = [.. Enumerable.Range(0, count).Select(i => (long)(i * 5 % vocabulary))],
        };
        Tensor hiddenGradient = empty_like(pass.Hidden);
        head.Train(request, count, losses, hiddenGradient, model.HeadGradient(), model.HeadBiasGradient());
        pass.Backward(hiddenGradient);
        var sums = new LossSums();
        sums.Add(losses, 0, count);
        return (hidden, sums.Loss, Values(model.Parameters.FlatGradients));
    }

    private static Tensor Tokens(TransformerConfig config) =>
        (arange(24, ScalarType.Int64) * 7).remainder(config.VocabSize).view(2, 12);

    private static float[] Values(Tensor tensor) => tensor.detach().contiguous().data<float>().ToArray();
}
