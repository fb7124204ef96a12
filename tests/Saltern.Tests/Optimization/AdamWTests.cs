using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class AdamWTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Updates_EqualTorchAdamWWithClipping(bool isPlain)
    {
        using DisposeScope scope = NewDisposeScope();
        var layout = new ParameterLayout();
        layout.Add(7, ("matrix", 11));
        layout.Add(null, ("vector", 13));
        using var parameters = new ParameterSet(layout, trainable: true);
        manual_seed(1);
        using (no_grad())
        {
            parameters.FlatWeights.copy_(randn(layout.Length));
        }

        var matrix = new TorchSharp.Modules.Parameter(parameters[0].detach().clone());
        var vector = new TorchSharp.Modules.Parameter(parameters[1].detach().clone());
        var config = new OptimizerConfig
        {
            WeightDecay = 0.1,
            Betas = [0.9, 0.95],
            MaxGradientNorm = 1,
        };
        using Optimizer ours = isPlain
            ? new PlainAdamW(parameters, config, threads: 2)
            : new AdamW(parameters, config, threads: 2);
        var decayed = optim.AdamW([matrix], lr: 3e-3, beta1: 0.9, beta2: 0.95, weight_decay: 0.1);
        var plain = optim.AdamW([vector], lr: 3e-3, beta1: 0.9, beta2: 0.95, weight_decay: 0);
        for (int step = 0; step < 5; step++)
        {
            Tensor first = randn(11, 7) * (step + 0.1);
            Tensor second = randn(13) * 0.3;
            matrix.grad = first.clone();
            vector.grad = second.clone();
            parameters.Gradient(0).copy_(first);
            parameters.Gradient(1).copy_(second);
            double norm = Math.Sqrt(first.square().sum().item<float>() + second.square().sum().item<float>());
            Assert.Equal(norm, ours.GradientNorm(), 5);
            nn.utils.clip_grad_norm_([matrix, vector], 1.0);
            decayed.step();
            plain.step();
            ours.Update(3e-3, ours.GradientNorm());
        }

        // Float32 on both sides, five updates of weights near 1; the clip's norm is rounded differently.
        Assert.True((matrix - parameters[0]).abs().max().item<float>() < 2e-6f);
        Assert.True((vector - parameters[1]).abs().max().item<float>() < 2e-6f);
    }

    [Fact]
    public void PlainTwin_IsEqualUpToRounding()
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet fused = SampleWeights.Create();
        using ParameterSet plain = SampleWeights.Create();
        using Optimizer ours = new AdamW(fused, new OptimizerConfig(), 1);
        using Optimizer twin = new PlainAdamW(plain, new OptimizerConfig(), 1);
        SampleWeights.Run(ours, fused, 1, 5, 1e-2);
        SampleWeights.Run(twin, plain, 1, 5, 1e-2);

        // Five updates of about 1e-2 in float32, rounded in another order; a few units in the last place of weights near 1.
        Assert.Equal(SampleWeights.All(fused), SampleWeights.All(plain), (a, b) => Math.Abs(a - b) < 1e-6f);
        Assert.Equal(
            ours.State.Select(tensor => (tensor.Name, tensor.ByteCount)),
            twin.State.Select(tensor => (tensor.Name, tensor.ByteCount))
        );
    }

    [Fact]
    public void PlainTwin_IsEqualUpToRounding_WithGroupsCautionAndAMomentumOfTheStep()
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet fused = SampleWeights.Create();
        using ParameterSet plain = SampleWeights.Create();
        var config = new OptimizerConfig
        {
            CautiousWeightDecay = true,
            WeightDecay = 0.3,
            Embedding = new WeightGroupConfig
            {
                LearningRate = 4e-3,
                Betas = [0.7, 0.9],
                WeightDecay = 0.5,
            },
        };
        using Optimizer ours = new AdamW(fused, config, 1);
        using Optimizer twin = new PlainAdamW(plain, config, 1);
        for (int update = 1; update <= 5; update++)
        {
            foreach ((Optimizer optimizer, ParameterSet parameters) in new[] { (ours, fused), (twin, plain) })
            {
                SampleWeights.SetGradients(parameters, update);
                optimizer.Update(
                    new UpdateStep(1e-2, optimizer.GradientNorm())
                    {
                        Momentum = 0.8 + (0.02 * update),
                        DecayShare = 1.0 / update,
                    }
                );
            }
        }

        Assert.Equal(SampleWeights.All(fused), SampleWeights.All(plain), (a, b) => Math.Abs(a - b) < 1e-6f);
    }

    [Fact]
    public void AMomentumOfTheStep_IsBeta1_ButOfGroupsWithBetasOfTheirOwn()
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet scheduled = SampleWeights.Create();
        using ParameterSet constant = SampleWeights.Create();
        var own = new WeightGroupConfig { Betas = [0.9, 0.95] };
        using Optimizer first = new AdamW(scheduled, new OptimizerConfig { Embedding = own }, 1);
        using Optimizer second = new AdamW(constant, new OptimizerConfig { Betas = [0.6, 0.95], Embedding = own }, 1);
        for (int update = 1; update <= 3; update++)
        {
            SampleWeights.SetGradients(scheduled, update);
            first.Update(new UpdateStep(1e-2, first.GradientNorm()) { Momentum = 0.6 });
        }

        SampleWeights.Run(second, constant, 1, 3, 1e-2);
        Assert.Equal(SampleWeights.All(constant), SampleWeights.All(scheduled));
    }

    [Theory]
    [InlineData(ScalarType.Float64, 1e-6)] // moments and arithmetic are float32
    [InlineData(ScalarType.BFloat16, 2e-2)] // weights near 1 have steps of 2⁻⁸, and the small updates are rounded five times
    public void OtherTypes_GoThroughThePlainTwin(ScalarType type, double tolerance)
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet single = SampleWeights.Create();
        using ParameterSet other = SampleWeights.Create(type);
        using Optimizer ours = Optimizer.Create(single, new OptimizerConfig(), 1);
        using Optimizer twin = Optimizer.Create(other, new OptimizerConfig(), 1);
        Assert.IsType<AdamW>(ours);
        Assert.IsType<PlainAdamW>(twin);
        SampleWeights.Run(ours, single, 1, 5, 1e-2);
        SampleWeights.Run(twin, other, 1, 5, 1e-2);
        Assert.Equal(ours.GradientNorm(), twin.GradientNorm(), ours.GradientNorm() * tolerance);
        Assert.True(twin.WeightsAreFinite());
        Assert.Equal(SampleWeights.All(single), SampleWeights.All(other), (a, b) => Math.Abs(a - b) < tolerance);
    }

    [Fact]
    public void FirstUpdate_MovesEveryWeightByTheRate()
    {
        // Bias-corrected, m₁/√m₂ is the sign of the gradient.
        using DisposeScope scope = NewDisposeScope();
        var layout = new ParameterLayout();
        layout.Add(null, ("vector", 3));
        using var parameters = new ParameterSet(layout, trainable: true);
        parameters.Gradient(0).copy_(tensor(new[] { 0.1f, -0.2f, 0.3f }));
        using var optimizer = new AdamW(parameters, new OptimizerConfig { MaxGradientNorm = 0 }, 1);
        optimizer.Update(0.01, optimizer.GradientNorm());
        Assert.Equal([-0.01f, 0.01f, -0.01f], parameters[0].data<float>().ToArray(), (a, b) => Math.Abs(a - b) < 1e-7f);
    }
}
