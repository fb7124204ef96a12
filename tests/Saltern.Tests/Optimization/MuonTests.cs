using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class MuonTests
{
    [Fact]
    public void HiddenMatrices_EqualTheFormulaWeightByWeight()
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet parameters = SampleWeights.Create();
        var config = new OptimizerConfig
        {
            Kind = OptimizerKind.Muon,
            WeightDecay = 0.1,
            Momentum = 0.9,
            MaxGradientNorm = 1,
        };
        using Optimizer optimizer = Optimizer.Create(parameters, config, 1);
        string[] names = [SampleWeights.Query, SampleWeights.Key, SampleWeights.Down];
        Dictionary<string, Tensor> weights = names.ToDictionary(
            name => name,
            name => SampleWeights.Copy(parameters, name)
        );
        Dictionary<string, Tensor> momenta = names.ToDictionary(name => name, name => zeros_like(weights[name]));
        const double Rate = 0.02;
        for (int update = 1; update <= 4; update++)
        {
            SampleWeights.SetGradients(parameters, update);
            double norm = optimizer.GradientNorm();
            optimizer.Update(Rate, norm);
            foreach (string name in names)
            {
                Tensor g = SampleWeights.Gradient(parameters, name) / norm;
                momenta[name] = (0.9 * momenta[name]) + (0.1 * g);
                Tensor x = (0.1 * g) + (0.9 * momenta[name]);
                x /= x.square().sum().sqrt();
                for (int i = 0; i < 5; i++)
                {
                    x = (3.4445 * x) - (4.7750 * x.mm(x.t()).mm(x)) + (2.0315 * x.mm(x.t()).mm(x).mm(x.t()).mm(x));
                }

                weights[name] = (weights[name] * (1 - (Rate * 0.1))) - (Rate * 0.2 * Math.Sqrt(x.shape.Max()) * x);
            }
        }

        // Float32 against float64: 6e-8 a step, enlarged by up to 485 where a singular value is small, of updates of 0.02.
        Assert.All(
            names,
            name =>
                Assert.True(
                    (SampleWeights.Copy(parameters, name) - weights[name]).abs().max().item<double>() < 5e-6,
                    name
                )
        );
    }

    [Fact]
    public void PlainTwin_IsEqualUpToRounding()
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet fused = SampleWeights.Create();
        using ParameterSet plain = SampleWeights.Create();
        var config = new OptimizerConfig
        {
            Kind = OptimizerKind.Muon,
            LearningRate = 0.02,
            AdamwLearningRate = 0.01,
            WeightDecay = 0.1,
        };
        using Optimizer ours = Optimizer.Create(fused, config, 1);
        using Optimizer twin = new PlainMuon(plain, config, 1);
        SampleWeights.Run(ours, fused, 1, 5, 1e-2);
        SampleWeights.Run(twin, plain, 1, 5, 1e-2);
        Assert.Equal(SampleWeights.All(fused), SampleWeights.All(plain), (a, b) => Math.Abs(a - b) < 1e-6f);
        Assert.Equal(
            ours.State.Select(tensor => (tensor.Name, tensor.ByteCount)).Order(),
            twin.State.Select(tensor => (tensor.Name, tensor.ByteCount)).Order()
        );
    }

    [Theory]
    [InlineData(null, 0.02)]
    [InlineData(0.005, 0.005)]
    public void Rest_IsAdamWToTheLastBit(double? adamwLearningRate, double expectedRate)
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet ours = SampleWeights.Create();
        using ParameterSet theirs = SampleWeights.Create();
        var config = new OptimizerConfig
        {
            Kind = OptimizerKind.Muon,
            LearningRate = 0.02,
            AdamwLearningRate = adamwLearningRate,
        };
        using Optimizer muon = Optimizer.Create(ours, config, 1);
        using Optimizer adamW = Optimizer.Create(theirs, new OptimizerConfig { LearningRate = expectedRate }, 1);
        for (int update = 1; update <= 3; update++)
        {
            // Half of the highest rate each: what the schedule gives scales both parts.
            SampleWeights.Run(muon, ours, update, update, 0.01);
            SampleWeights.Run(adamW, theirs, update, update, expectedRate / 2);
        }

        foreach (string name in new[] { SampleWeights.Embedding, SampleWeights.Norm })
        {
            Assert.Equal(
                SampleWeights.Copy(theirs, name).data<double>().ToArray(),
                SampleWeights.Copy(ours, name).data<double>().ToArray()
            );
        }

        Assert.NotEqual(
            SampleWeights.Copy(theirs, SampleWeights.Query).data<double>().ToArray(),
            SampleWeights.Copy(ours, SampleWeights.Query).data<double>().ToArray()
        );
    }

    [Theory]
    [InlineData(48, 48)]
    [InlineData(24, 96)]
    [InlineData(96, 24)]
    public void Update_IsAsLargeAsAdamWsTypicalOne(int rows, int columns)
    {
        using DisposeScope scope = NewDisposeScope();
        var layout = new ParameterLayout();
        layout.Add(null, ("model.norm.weight", 4));
        layout.Add(columns, ("model.layers.0.mlp.down_proj.weight", rows));
        using var parameters = new ParameterSet(layout, trainable: true);
        manual_seed(4);
        parameters.Gradient(1).copy_(randn(rows, columns));
        using Optimizer optimizer = Optimizer.Create(parameters, new OptimizerConfig { Kind = OptimizerKind.Muon }, 1);
        optimizer.Update(1.0, optimizer.GradientNorm());

        // All singular values 1 would give 0.2 exactly; they lie in [0.68, 1.14], smaller ones of a square matrix below.
        Assert.InRange(parameters[1].square().mean().sqrt().item<float>(), 0.2f * 0.8f, 0.2f * 1.14f);
    }

    [Fact]
    public void HiddenMatrices_AreThoseOfTheLayers()
    {
        using var model = new Transformer(
            ModelPresets.Get("0.3m").Resolve(512, 32) with
            {
                TieWordEmbeddings = false,
                AttentionBias = true,
            },
            trainable: false
        );
        ParameterSlice[] slices = [.. model.Parameters.Layout.Slices];
        Assert.Equal(4 * 7, slices.Count(Muon.IsHiddenMatrix)); // q, k, v, o, gate, up, down
        Assert.DoesNotContain(
            slices.Where(Muon.IsHiddenMatrix),
            slice => slice.Name is "model.embed_tokens.weight" or "lm_head.weight"
        );
    }
}
