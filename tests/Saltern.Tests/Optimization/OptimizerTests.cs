using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

/// <summary>What holds for every kind.</summary>
public class OptimizerTests
{
    public static TheoryData<OptimizerKind> Kinds => [OptimizerKind.Adamw, OptimizerKind.Muon, OptimizerKind.Adafactor];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnyNumberOfThreads_GivesTheSameBits(OptimizerKind kind)
    {
        float[] Run(int threads)
        {
            using DisposeScope scope = NewDisposeScope();
            var layout = new ParameterLayout();
            layout.Add(1_000, ("model.embed_tokens.weight", 300)); // several ranges, and several chunks of rows
            layout.Add(40, ("model.layers.0.mlp.down_proj.weight", 50));
            using var parameters = new ParameterSet(layout, trainable: true);
            using Optimizer optimizer = Optimizer.Create(parameters, new OptimizerConfig { Kind = kind }, threads);
            manual_seed(2);
            parameters.FlatWeights.copy_(randn(layout.Length));
            parameters.FlatGradients.copy_(randn(layout.Length));
            double norm = optimizer.GradientNorm();
            optimizer.Update(1e-3, norm);
            optimizer.Update(1e-3, norm);
            return [(float)norm, .. parameters.FlatWeights.data<float>().ToArray()];
        }

        Assert.Equal(Run(1), Run(3));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Clipping_IsAGradientOfTheLargestNorm(OptimizerKind kind)
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet clipped = SampleWeights.Create();
        using ParameterSet scaled = SampleWeights.Create();
        var config = new OptimizerConfig { Kind = kind, MaxGradientNorm = 2 };
        using Optimizer first = Optimizer.Create(clipped, config, 1);
        using Optimizer second = Optimizer.Create(scaled, config with { MaxGradientNorm = 0 }, 1);
        for (int update = 1; update <= 3; update++)
        {
            SampleWeights.SetGradients(clipped, update);
            SampleWeights.SetGradients(scaled, update);
            double norm = first.GradientNorm();
            Assert.InRange(norm, 10, 30);
            scaled.FlatGradients.mul_(2 / norm);
            first.Update(1e-2, norm);
            second.Update(1e-2, second.GradientNorm());
        }

        // Scaling before or inside differs by one rounding of the gradient, 6e-8 of an update of some 1e-2; the orthogonalisation may enlarge it by 500.
        Assert.Equal(SampleWeights.All(scaled), SampleWeights.All(clipped), (a, b) => Math.Abs(a - b) < 1e-6f);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void WeightDecay_ShrinksMatricesAndLeavesVectors(OptimizerKind kind)
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet plain = SampleWeights.Create();
        using ParameterSet decayed = SampleWeights.Create();
        using Optimizer without = Optimizer.Create(plain, new OptimizerConfig { Kind = kind, WeightDecay = 0 }, 1);
        using Optimizer with = Optimizer.Create(decayed, new OptimizerConfig { Kind = kind, WeightDecay = 0.5 }, 1);
        Dictionary<string, Tensor> before = plain.Layout.Slices.ToDictionary(
            slice => slice.Name,
            slice => SampleWeights.Copy(plain, slice.Name)
        );
        SampleWeights.Run(without, plain, 1, 1, 0.1);
        SampleWeights.Run(with, decayed, 1, 1, 0.1);
        foreach ((string name, Tensor start) in before)
        {
            // w(1 − ηδ) against w: the difference is ηδw = 0.05·w, to float32's rounding of numbers near 1.
            Tensor expected = name == SampleWeights.Norm ? zeros_like(start) : start * 0.05;
            Assert.True(
                (SampleWeights.Copy(plain, name) - SampleWeights.Copy(decayed, name) - expected)
                    .abs()
                    .max()
                    .item<double>() < 3e-7,
                name
            );
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NotANumber_IsFoundInGradientsAndWeights(OptimizerKind kind)
    {
        using ParameterSet parameters = SampleWeights.Create();
        using Optimizer optimizer = Optimizer.Create(parameters, new OptimizerConfig { Kind = kind }, 2);
        Assert.True(optimizer.WeightsAreFinite());
        parameters.FlatGradients[3] = float.PositiveInfinity;
        Assert.False(double.IsFinite(optimizer.GradientNorm()));
        parameters.FlatWeights[5] = float.NaN;
        Assert.False(optimizer.WeightsAreFinite());
    }

    [Theory]
    [InlineData(OptimizerKind.Adamw, 8.0)]
    [InlineData(OptimizerKind.Muon, 5.582)] // 4 for the 60 % of the parameters in the layers' matrices, 8 for the rest
    [InlineData(OptimizerKind.Adafactor, 0.046)] // two vectors for each matrix
    public void StateBytesPerParameter_OfTheCoreStudent(OptimizerKind kind, double expected)
    {
        using var model = new Transformer(ModelPresets.Get("1.3m").Resolve(4_096, 256), trainable: true);
        using Optimizer optimizer = Optimizer.Create(model.Parameters, new OptimizerConfig { Kind = kind }, 1);
        Assert.Equal(
            expected,
            optimizer.State.Sum(tensor => tensor.ByteCount) / (double)model.Parameters.Layout.ParameterCount,
            3
        );
    }

    [Theory]
    [InlineData(
        OptimizerKind.Adamw,
        "exp_avg.model.layers.0.self_attn.q_proj.weight [9, 7]",
        "exp_avg_sq.model.norm.weight [7]",
        10
    )]
    [InlineData(
        OptimizerKind.Muon,
        "momentum.model.layers.0.self_attn.q_proj.weight [9, 7]",
        "exp_avg_sq.model.norm.weight [7]",
        7
    )]
    [InlineData(
        OptimizerKind.Adafactor,
        "row.model.layers.0.self_attn.q_proj.weight [9]",
        "exp_avg_sq.model.norm.weight [7]",
        9
    )]
    public void State_IsNamedByWeight(OptimizerKind kind, string matrix, string vector, int count)
    {
        using ParameterSet parameters = SampleWeights.Create();
        using Optimizer optimizer = Optimizer.Create(parameters, new OptimizerConfig { Kind = kind }, 1);
        string[] state = [.. optimizer.State.Select(tensor => $"{tensor.Name} [{string.Join(", ", tensor.Shape)}]")];
        Assert.Contains(matrix, state);
        Assert.Contains(vector, state);
        Assert.Equal(count, state.Length);
    }

    [Theory]
    [InlineData(OptimizerKind.Muon)]
    [InlineData(OptimizerKind.Adafactor)]
    public void OtherTypes_AreRefusedByName(OptimizerKind kind)
    {
        using ParameterSet parameters = SampleWeights.Create(ScalarType.Float64);
        string message = Assert
            .Throws<ConfigurationException>(() => Optimizer.Create(parameters, new OptimizerConfig { Kind = kind }, 1))
            .Message;
        Assert.Contains(
            $"optimizer.kind: {OptimizerConfig.Name(kind)} updates float32 weights on the CPU only, and these are Float64 on CPU",
            message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Updates_LeaveNoTensorBehind(OptimizerKind kind)
    {
        using ParameterSet parameters = SampleWeights.Create();
        using Optimizer optimizer = Optimizer.Create(parameters, new OptimizerConfig { Kind = kind }, 1);
        SampleWeights.Run(optimizer, parameters, 1, 1, 1e-3);
        long Live() => DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        long before = Live();
        SampleWeights.Run(optimizer, parameters, 2, 6, 1e-3);
        Assert.Equal(before, Live());
    }
}
