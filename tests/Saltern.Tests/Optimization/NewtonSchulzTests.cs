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

    [Fact]
    public void Zero_StaysZero()
    {
        using DisposeScope scope = NewDisposeScope();
        Assert.Equal(0f, NewtonSchulz.Orthogonalize(zeros(3, 4)).abs().max().item<float>());
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
