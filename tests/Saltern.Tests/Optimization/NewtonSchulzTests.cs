using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

public class NewtonSchulzTests
{
    [Theory]
    [InlineData(12, 40)]
    [InlineData(40, 12)]
    [InlineData(16, 16)]
    [InlineData(1, 9)]
    public void Result_HasTheSameSingularVectorsAndThePolynomialOfTheSingularValues(int rows, int columns)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(rows);
        Tensor matrix = randn(rows, columns, ScalarType.Float64);
        (Tensor u, Tensor s, Tensor vh) = linalg.svd(matrix, fullMatrices: false);
        double norm = matrix.norm().item<double>();
        double[] values = [.. s.data<double>().ToArray().Select(value => Polynomial(value / norm))];
        Tensor expected = (u * tensor(values)).mm(vh);

        // Float64 on both sides: 15 products of well-scaled matrices, coefficients to float32's eight digits.
        Assert.True((NewtonSchulz.Orthogonalize(matrix) - expected).abs().max().item<double>() < 1e-5);
    }

    [Fact]
    public void SingularValues_EndInTheBandOfTheCoefficients()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(3);
        Tensor matrix = randn(24, 64).mul_(1e-6f); // the scale does not matter
        (Tensor u, _, Tensor vh) = linalg.svd(matrix, fullMatrices: false);
        Tensor orthogonal = NewtonSchulz.Orthogonalize(matrix);
        (_, Tensor s, _) = linalg.svd(orthogonal, fullMatrices: false);
        float[] values = s.data<float>().ToArray();
        Assert.InRange(values.Min(), 0.68f, 1.21f);
        Assert.InRange(values.Max(), 0.68f, 1.21f);

        // Towards U·Vᵀ: the cosine of the two matrices is mean(S')/√mean(S'²), at least 0.9598 for any values in the band (0.68 and 1.21).
        Tensor nearest = u.mm(vh);
        Assert.True(((orthogonal * nearest).sum() / (orthogonal.norm() * nearest.norm())).item<float>() > 0.9598f);
    }

    [Fact]
    public void Polynomial_OfAnyValueAboveTwoThousandths_EndsInTheBand()
    {
        double[] values = [.. Enumerable.Range(0, 100_001).Select(i => Polynomial(0.002 + (0.998 * i / 100_000)))];
        Assert.InRange(values.Min(), 0.68, 0.69);
        Assert.InRange(values.Max(), 1.20, 1.21);
    }

    [Theory]
    [InlineData(12, 40)]
    [InlineData(40, 12)]
    [InlineData(16, 16)]
    [InlineData(1, 9)]
    public void PolarExpress_HasTheSameSingularVectorsAndItsPolynomialsOfTheSingularValues(int rows, int columns)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(rows);
        Tensor matrix = randn(rows, columns, ScalarType.Float64);
        (Tensor u, Tensor s, Tensor vh) = linalg.svd(matrix, fullMatrices: false);
        double norm = matrix.norm().item<double>() * 1.01;
        double[] values = [.. s.data<double>().ToArray().Select(value => PolarExpress(value / norm))];
        Tensor expected = (u * tensor(values)).mm(vh);

        // Float64 on both sides.
        Tensor found = NewtonSchulz.Orthogonalize(matrix, OrthogonalizationKind.PolarExpress);
        Assert.True((found - expected).abs().max().item<double>() < 1e-10);
    }

    [Fact]
    public void PolarExpress_OfAnyValueAboveOneThousandth_IsNearerToOneThanTheQuintic()
    {
        double[] places = [.. Enumerable.Range(0, 100_001).Select(i => 0.001 + (0.999 * i / 100_000))];
        double[] values = [.. places.Select(PolarExpress)];

        // Five of the paper's polynomials leave [0.001, 1] within 0.14 of 1 by its Theorem 3.1 at their own scale; the safety factor moves that by about a hundredth a step.
        Assert.InRange(values.Min(), 0.80, 1.0);
        Assert.InRange(values.Max(), 1.0, 1.17);
        double Spread(IEnumerable<double> all) => Math.Sqrt(all.Select(value => (value - 1) * (value - 1)).Average());
        Assert.True(Spread(values) < Spread(places.Select(Polynomial)));
    }

    [Fact]
    public void PolarExpressInBFloat16_IsThatInFloat32ToItsRounding()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(7);
        Tensor matrix = randn(48, 96);
        Tensor wide = NewtonSchulz.Orthogonalize(matrix, OrthogonalizationKind.PolarExpress);
        Tensor narrow = NewtonSchulz.Orthogonalize(matrix, OrthogonalizationKind.PolarExpress, ScalarType.BFloat16);
        Assert.Equal(ScalarType.Float32, narrow.dtype);

        // 2⁻⁸ for each rounding of X, of its Gram matrix and of the polynomial in five steps: a few hundredths of the norm.
        double error = ((wide - narrow).norm() / wide.norm()).item<float>();
        Assert.InRange(error, 1e-4, 0.06);

        // The quintic is float32's whatever the products are.
        Tensor quintic = NewtonSchulz.Orthogonalize(matrix, OrthogonalizationKind.Quintic, ScalarType.BFloat16);
        Assert.Equal(0f, (quintic - NewtonSchulz.Orthogonalize(matrix)).abs().max().item<float>());
    }

    [Theory]
    [InlineData(OrthogonalizationKind.Quintic)]
    [InlineData(OrthogonalizationKind.PolarExpress)]
    public void Zero_StaysZero(OrthogonalizationKind kind)
    {
        using DisposeScope scope = NewDisposeScope();
        Assert.Equal(0f, NewtonSchulz.Orthogonalize(zeros(3, 4), kind).abs().max().item<float>());
    }

    [Fact]
    public void Flops_AreThoseOfItsProducts() =>
        // Five times X·Xᵀ (2·3·3·5), its square (2·3·3·3) and the polynomial times X (2·3·3·5).
        Assert.Equal(5 * (90 + 54 + 90), NewtonSchulz.Flops(5, 3));

    // arXiv:2505.16932, Algorithm 1, on a number.
    private static double PolarExpress(double x)
    {
        (double A, double B, double C)[] published =
        [
            (8.28721201814563, -23.595886519098837, 17.300387312530933),
            (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
            (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
            (3.3184196573706015, -2.488488024314874, 0.51004894012372),
            (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        ];
        foreach ((double a, double b, double c) in published)
        {
            double safe = x / 1.01;
            x = (a * safe) + (b * Math.Pow(safe, 3)) + (c * Math.Pow(safe, 5));
        }

        return x;
    }

    private static double Polynomial(double x)
    {
        for (int i = 0; i < 5; i++)
        {
            x = (3.4445 * x) - (4.7750 * x * x * x) + (2.0315 * Math.Pow(x, 5));
        }

        return x;
    }
}
