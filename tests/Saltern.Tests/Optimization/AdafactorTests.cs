using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class AdafactorTests
{
    [Fact]
    public void TwoByTwo_ByHand()
    {
        // g = [1 2; 3 4]: g² has row means (2.5, 12.5) and column means (5, 10), whose mean is 7.5. In update 1, β₂ = 0:
        // m̂₂ = m_row·m_col/7.5 = [5/3 10/3; 25/3 50/3], U = g/√m̂₂ = √[0.6 1.2; 1.08 0.96], RMS = √0.96 < 1: not clipped.
        // Update 2 with 2g: β₂ = 1 − 2^(−0.8) = 0.425651, so m_row and m_col are those before times β₂ + 4(1 − β₂) = 2.723048;
        // U is the former times 2/√2.723048, RMS 1.1875 > 1: clipped to U/RMS = √[0.625 1.25; 1.125 1].
        using DisposeScope scope = NewDisposeScope();
        var layout = new ParameterLayout();
        layout.Add(2, ("matrix", 2));
        using var parameters = new ParameterSet(layout, trainable: true);
        Tensor g = tensor(new[] { 1f, 2f, 3f, 4f }).view(2, 2);
        using Optimizer optimizer = Optimizer.Create(
            parameters,
            new OptimizerConfig
            {
                Kind = OptimizerKind.Adafactor,
                WeightDecay = 0,
                MaxGradientNorm = 0,
            },
            1
        );
        parameters.Gradient(0).copy_(g);
        optimizer.Update(0.1, optimizer.GradientNorm());
        double[] first = [-0.1 * Math.Sqrt(0.6), -0.1 * Math.Sqrt(1.2), -0.1 * Math.Sqrt(1.08), -0.1 * Math.Sqrt(0.96)];
        AssertNear(first, parameters[0]);
        AssertNear([2.5, 12.5], optimizer.State[0].Values);
        AssertNear([5, 10], optimizer.State[1].Values);

        parameters.Gradient(0).copy_(g * 2);
        optimizer.Update(0.1, optimizer.GradientNorm());
        double[] second = [Math.Sqrt(0.625), Math.Sqrt(1.25), Math.Sqrt(1.125), 1];
        AssertNear([.. first.Zip(second, (w, u) => w - (0.1 * u))], parameters[0]);
        AssertNear([2.5 * 2.723048, 12.5 * 2.723048], optimizer.State[0].Values);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(0.9, null)]
    [InlineData(null, true)]
    [InlineData(0.5, true)]
    public void Updates_EqualTheFormulaInTensorOperations(double? beta1, bool? scaleParameter)
    {
        using DisposeScope scope = NewDisposeScope();
        using ParameterSet parameters = SampleWeights.Create();
        var config = new OptimizerConfig
        {
            Kind = OptimizerKind.Adafactor,
            WeightDecay = 0.1,
            Beta1 = beta1,
            ScaleParameter = scaleParameter,
        };
        using Optimizer optimizer = Optimizer.Create(parameters, config, 2);
        Dictionary<string, NaiveAdafactor> twins = parameters.Layout.Slices.ToDictionary(
            slice => slice.Name,
            slice => new NaiveAdafactor(SampleWeights.Copy(parameters, slice.Name))
        );
        for (int update = 1; update <= 5; update++)
        {
            SampleWeights.SetGradients(parameters, update);
            double norm = optimizer.GradientNorm();
            optimizer.Update(0.05, norm);
            foreach ((string name, NaiveAdafactor twin) in twins)
            {
                twin.Update(
                    SampleWeights.Gradient(parameters, name) / norm,
                    update,
                    0.05,
                    beta1 ?? 0,
                    scaleParameter ?? false
                );
            }
        }

        // Float32 against float64: some 1e-7 of weights near 1 in each of five updates.
        Assert.All(
            twins,
            twin =>
                Assert.True(
                    (SampleWeights.Copy(parameters, twin.Key) - twin.Value.Weight).abs().max().item<double>() < 2e-6,
                    twin.Key
                )
        );
    }

    [Fact]
    public void ManyChunksOfRows_EqualTheFormulaToo()
    {
        using DisposeScope scope = NewDisposeScope();
        var layout = new ParameterLayout();
        layout.Add(1_001, ("matrix", 203)); // four chunks, the last one short
        using var parameters = new ParameterSet(layout, trainable: true);
        manual_seed(5);
        parameters.Gradient(0).copy_(randn(203, 1_001) * randn(203, 1) * randn(1_001));
        using Optimizer optimizer = Optimizer.Create(
            parameters,
            new OptimizerConfig { Kind = OptimizerKind.Adafactor, MaxGradientNorm = 0 },
            2
        );
        var twin = new NaiveAdafactor(zeros(203, 1_001, ScalarType.Float64));
        twin.Update(SampleWeights.Gradient(parameters, "matrix"), 1, 1.0, 0, scaleParameter: false);
        optimizer.Update(1.0, optimizer.GradientNorm());

        // Updates of up to 10, to float32's rounding of sums over 1,001 squares.
        Assert.True((SampleWeights.Copy(parameters, "matrix") - twin.Weight).abs().max().item<double>() < 1e-5);
    }

    [Fact]
    public void WithoutGradient_NothingMoves()
    {
        using ParameterSet parameters = SampleWeights.Create();
        using Optimizer optimizer = Optimizer.Create(
            parameters,
            new OptimizerConfig { Kind = OptimizerKind.Adafactor, WeightDecay = 0 },
            1
        );
        float[] before = SampleWeights.All(parameters);
        optimizer.Update(0.1, optimizer.GradientNorm());
        Assert.Equal(before, SampleWeights.All(parameters));
    }

    // 1e-6: float32's rounding of numbers up to 34.
    private static void AssertNear(double[] expected, Tensor values) =>
        Assert.Equal(
            expected,
            values.to(ScalarType.Float64).flatten().data<double>().ToArray(),
            (a, b) => Math.Abs(a - b) <= 1e-6 * Math.Max(1, Math.Abs(a))
        );

    // arXiv:1804.04235, Algorithms 4 and 5 with the momentum of the authors' program, as tensor operations in float64; the mean form of R·C/(1ᵀR).
    private sealed class NaiveAdafactor(Tensor weight)
    {
        private Tensor _row = zeros(1, ScalarType.Float64);
        private Tensor _column = zeros(1, ScalarType.Float64);
        private Tensor _moment = zeros_like(weight);

        public Tensor Weight { get; private set; } = weight;

        public void Update(Tensor gradient, int t, double learningRate, double beta1, bool scaleParameter)
        {
            double beta2 = 1 - Math.Pow(t, -0.8);
            double decay = 0.1;
            Tensor squares = gradient.square() + 1e-30;
            bool isMatrix = gradient.dim() == 2;
            _row = (beta2 * _row) + ((1 - beta2) * (isMatrix ? squares.sum([1L]) : squares));
            _column = (beta2 * _column) + ((1 - beta2) * (isMatrix ? squares.sum([0L]) : squares));
            Tensor second = isMatrix ? outer(_row, _column) / _row.sum() : _row;
            Tensor update = gradient / second.sqrt();
            update /= Math.Max(1, update.square().mean().sqrt().item<double>());
            update *=
                learningRate * (scaleParameter ? Math.Max(1e-3, Weight.square().mean().sqrt().item<double>()) : 1);
            _moment = (beta1 * _moment) + ((1 - beta1) * update);
            Weight = (Weight * (isMatrix ? 1 - (learningRate * decay) : 1)) - _moment;
        }
    }
}
