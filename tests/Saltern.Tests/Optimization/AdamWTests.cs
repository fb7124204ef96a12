using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class AdamWTests
{
    [Fact]
    public void Updates_EqualTorchAdamWWithClipping()
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
        using var ours = new AdamW(parameters, new OptimizerConfig { WeightDecay = 0.1, Betas = [0.9, 0.95], MaxGradientNorm = 1 }, threads: 2);
        var decayed = optim.AdamW([matrix], lr: 3e-3, beta1: 0.9, beta2: 0.95, weight_decay: 0.1);
        var plain = optim.AdamW([vector], lr: 3e-3, beta1: 0.9, beta2: 0.95, weight_decay: 0);
        for (int step = 0; step < 5; step++)
        {
            Tensor first = randn(11, 7) * (step + 0.1), second = randn(13) * 0.3;
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

        Assert.True((matrix - parameters[0]).abs().max().item<float>() < 2e-6f);
        Assert.True((vector - parameters[1]).abs().max().item<float>() < 2e-6f);
    }

    [Fact]
    public void AnyNumberOfThreads_GivesTheSameBits()
    {
        float[] Run(int threads)
        {
            using DisposeScope scope = NewDisposeScope();
            var layout = new ParameterLayout();
            layout.Add(300, ("matrix", 1_000));
            using var parameters = new ParameterSet(layout, trainable: true);
            using var optimizer = new AdamW(parameters, new OptimizerConfig(), threads);
            manual_seed(2);
            parameters.FlatGradients.copy_(randn(layout.Length));
            double norm = optimizer.GradientNorm();
            optimizer.Update(1e-3, norm);
            return [(float)norm, .. parameters.FlatWeights.data<float>().ToArray()];
        }

        Assert.Equal(Run(1), Run(3));
    }

    [Fact]
    public void FirstUpdate_MovesEveryWeightByTheRate()
    {
        // Bias-corrected, m/√v is the sign of the gradient.
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
