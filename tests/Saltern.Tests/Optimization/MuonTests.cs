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

    public static TheoryData<string> Parts =>
        [
            "polar_express",
            "neurons",
            "long_side",
            "cautious",
            "original",
            "groups",
            "momentum and decay of the step",
            "bf16",
            "all",
        ];

    [Theory]
    [MemberData(nameof(Parts))]
    public void PlainTwin_IsEqualUpToRounding_InEachPart(string part)
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet fused = SampleWeights.Create();
        using ParameterSet plain = SampleWeights.Create();
        OptimizerConfig config = Config(part);
        ScalarType type = part == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;
        using Optimizer ours = new Muon(fused, config, 2, type);
        using Optimizer twin = new PlainMuon(plain, config, 2, type);
        for (int update = 1; update <= 5; update++)
        {
            foreach ((Optimizer optimizer, ParameterSet parameters) in new[] { (ours, fused), (twin, plain) })
            {
                SampleWeights.SetGradients(parameters, update);
                var step = new UpdateStep(1e-2, optimizer.GradientNorm());
                bool isScheduled = part is "all" or "momentum and decay of the step";
                optimizer.Update(
                    isScheduled ? step with { Momentum = 0.8 + (0.03 * update), DecayShare = 1.0 / update } : step
                );
            }
        }

        // An update of 1e-2 in float32; in bfloat16 a last bit of float32 may flip a rounding of 2⁻⁸ inside the products.
        float most = part == "bf16" ? 2e-4f : 1e-6f;
        Assert.Equal(SampleWeights.All(fused), SampleWeights.All(plain), (a, b) => Math.Abs(a - b) < most);
        Assert.Equal(
            ours.State.Select(tensor => (tensor.Name, tensor.ByteCount)).Order(),
            twin.State.Select(tensor => (tensor.Name, tensor.ByteCount)).Order()
        );
    }

    [Theory]
    [InlineData(UpdateNormalization.Neurons)]
    [InlineData(UpdateNormalization.LongSide)]
    public void Normalization_EqualsTheFormulaAndKeepsTheNorm(UpdateNormalization normalization)
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet parameters = SampleWeights.Create();
        var config = new OptimizerConfig
        {
            Kind = OptimizerKind.Muon,
            Momentum = 0.0,
            WeightDecay = 0,
            MaxGradientNorm = 0,
            Normalization = normalization,
            NormalizationBeta = 0.75,
        };
        using Optimizer optimizer = Optimizer.Create(parameters, config, 1);
        string[] names = [SampleWeights.Query, SampleWeights.Down]; // [9, 7] and [7, 19]
        Dictionary<string, Tensor> moments = [];
        for (int update = 1; update <= 3; update++)
        {
            Dictionary<string, Tensor> before = names.ToDictionary(
                name => name,
                name => SampleWeights.Copy(parameters, name)
            );
            SampleWeights.SetGradients(parameters, update);
            optimizer.Update(0.1, optimizer.GradientNorm());
            foreach (string name in names)
            {
                Tensor o = NewtonSchulz.Orthogonalize(SampleWeights.Gradient(parameters, name));
                long across = normalization == UpdateNormalization.Neurons || name == SampleWeights.Query ? 1 : 0;
                Tensor squares = o.square().mean([across], keepdim: true);
                moments[name] = (0.75 * moments.GetValueOrDefault(name, zeros_like(squares))) + (0.25 * squares);
                Tensor even = o / moments[name].sqrt();
                Tensor expected = even * o.norm() / even.norm() * 0.1 * 0.2 * Math.Sqrt(o.shape.Max());
                Tensor found = before[name] - SampleWeights.Copy(parameters, name);

                // Float32 against float64, enlarged in small singular values, of updates near 0.02.
                Assert.True((found - expected).abs().max().item<double>() < 1e-5, name);
            }
        }
    }

    [Fact]
    public void CautiousDecay_ShrinksOnlyWhatTheUpdateShrinks()
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet none = SampleWeights.Create();
        using ParameterSet cautious = SampleWeights.Create();
        OptimizerConfig config = new()
        {
            Kind = OptimizerKind.Muon,
            WeightDecay = 0.5,
            CautiousWeightDecay = true,
        };
        using Optimizer without = Optimizer.Create(
            none,
            config with
            {
                WeightDecay = 0,
                CautiousWeightDecay = false,
            },
            1
        );
        using Optimizer with = Optimizer.Create(cautious, config, 1);
        string[] matrices = [SampleWeights.Embedding, SampleWeights.Query, SampleWeights.Down];
        Dictionary<string, Tensor> start = matrices.ToDictionary(name => name, name => SampleWeights.Copy(none, name));
        // Not the first: its gradients are drawn from the weights' own seed.
        SampleWeights.Run(without, none, 2, 2, 0.1);
        SampleWeights.Run(with, cautious, 2, 2, 0.1);
        foreach (string name in matrices)
        {
            Tensor update = start[name] - SampleWeights.Copy(none, name);
            Tensor agrees = (update * start[name]).gt(0).to(ScalarType.Float64);
            Assert.InRange(agrees.mean().item<double>(), 0.2, 0.8); // some of each

            // ηδw = 0.05·w where they agree, nothing elsewhere, to float32's rounding of numbers near 1.
            Tensor found = SampleWeights.Copy(none, name) - SampleWeights.Copy(cautious, name);
            Assert.True((found - (agrees * start[name] * 0.05)).abs().max().item<double>() < 3e-7, name);
        }
    }

    [Theory]
    [InlineData(RateAdjustment.MatchRmsAdamw, 24, 96, 0.2 * 9.797958971132712)] // 0.2·√96
    [InlineData(RateAdjustment.MatchRmsAdamw, 96, 24, 0.2 * 9.797958971132712)]
    [InlineData(RateAdjustment.Original, 24, 96, 1.0)]
    [InlineData(RateAdjustment.Original, 96, 24, 2.0)] // √(96/24)
    public void Scale_FollowsTheShapeByEachConvention(
        RateAdjustment adjustment,
        long rows,
        long columns,
        double expected
    ) =>
        Assert.Equal(
            expected,
            MuonRule
                .Of(new OptimizerConfig { Kind = OptimizerKind.Muon, RateAdjustment = adjustment }, ScalarType.Float32)
                .Scale([rows, columns]),
            12
        );

    [Fact]
    public void NewKeys_AreOffUnlessNamed()
    {
        var rule = MuonRule.Of(new OptimizerConfig { Kind = OptimizerKind.Muon }, ScalarType.BFloat16);
        Assert.Equal(
            (0.95, OrthogonalizationKind.Quintic, UpdateNormalization.None, RateAdjustment.MatchRmsAdamw, 0.1, false),
            (
                rule.Momentum,
                rule.Orthogonalization,
                rule.Normalization,
                rule.RateAdjustment,
                rule.WeightDecay,
                rule.Cautious
            )
        );
    }

    [Fact]
    public void EmbeddingAndHead_HaveRatesBetasAndDecaysOfTheirOwn()
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet ours = SampleWeights.Create();
        using ParameterSet theirs = SampleWeights.Create();
        var config = new OptimizerConfig
        {
            Kind = OptimizerKind.Muon,
            LearningRate = 0.02,
            AdamwLearningRate = 0.01,
            Embedding = new WeightGroupConfig
            {
                LearningRate = 0.04,
                Betas = [0.8, 0.99],
                WeightDecay = 0.3,
            },
        };
        using Optimizer muon = Optimizer.Create(ours, config, 1);
        using Optimizer adamW = Optimizer.Create(
            theirs,
            new OptimizerConfig
            {
                LearningRate = 0.04,
                Betas = [0.8, 0.99],
                WeightDecay = 0.3,
            },
            1
        );
        SampleWeights.Run(muon, ours, 1, 3, 0.02);
        SampleWeights.Run(adamW, theirs, 1, 3, 0.04);
        Assert.Equal(
            SampleWeights.Copy(theirs, SampleWeights.Embedding).data<double>().ToArray(),
            SampleWeights.Copy(ours, SampleWeights.Embedding).data<double>().ToArray()
        );
        Assert.NotEqual(
            SampleWeights.Copy(theirs, SampleWeights.Norm).data<double>().ToArray(),
            SampleWeights.Copy(ours, SampleWeights.Norm).data<double>().ToArray()
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

    private static OptimizerConfig Config(string part)
    {
        var plain = new OptimizerConfig
        {
            Kind = OptimizerKind.Muon,
            LearningRate = 0.02,
            WeightDecay = 0.1,
        };
        var groups = new WeightGroupConfig
        {
            LearningRate = 0.03,
            Betas = [0.7, 0.9],
            WeightDecay = 0.2,
        };
        return part switch
        {
            "polar_express" or "bf16" => plain with { Orthogonalization = OrthogonalizationKind.PolarExpress },
            "neurons" => plain with { Normalization = UpdateNormalization.Neurons },
            "long_side" => plain with { Normalization = UpdateNormalization.LongSide },
            "cautious" => plain with { CautiousWeightDecay = true },
            "original" => plain with { RateAdjustment = RateAdjustment.Original },
            "groups" => plain with { Embedding = groups },
            "all" => plain with
            {
                Orthogonalization = OrthogonalizationKind.PolarExpress,
                Normalization = UpdateNormalization.LongSide,
                CautiousWeightDecay = true,
                Embedding = groups,
            },
            _ => plain,
        };
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
        Assert.Equal(4 * 7, slices.Count(MuonRule.IsHiddenMatrix)); // q, k, v, o, gate, up, down
        Assert.DoesNotContain(
            slices.Where(MuonRule.IsHiddenMatrix),
            slice => slice.Name is "model.embed_tokens.weight" or "lm_head.weight"
        );
    }
}
