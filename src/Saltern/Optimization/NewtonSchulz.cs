using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Makes a matrix nearly orthogonal: its singular vectors stay, its singular values all become numbers near 1.</summary>
/// <remarks>
/// Five steps of X ← aX + bXXᵀX + cXXᵀXXᵀX, from X = the matrix over its norm: odd polynomials in X, so they act on the singular values alone. Matrix products only: no decomposition.
/// <c>quintic</c>: Keller Jordan's coefficients (the Muon reference, 2024), the same at every step: chosen for a steep start, so they do not converge to 1 but end between
/// 0.68 and 1.21 where values were above 0.002 of the norm; smaller ones grow by a factor up to 3.4445⁵ = 485.
/// <c>polar_express</c>: the first five polynomials of arXiv:2505.16932 (Algorithm 1), each the best for what the steps before it leave of [0.001, 1], taken at x/1.01 as there, and the norm times 1.01:
/// rounding may not carry a value past 1, where the polynomials would not bring it back.
/// </remarks>
internal static class NewtonSchulz
{
    /// <summary>Polynomials that are applied one after the other, whatever the kind.</summary>
    public const int Steps = 5;

    private const double SafetyFactor = 1.01;

    // Against division by 0 where a whole gradient is 0; beside any real norm it vanishes.
    private const double NormFloor = 1e-30;
    private static readonly Polynomial[] Quintic =
    [
        .. Enumerable.Repeat(new Polynomial(3.4445, -4.7750, 2.0315), Steps),
    ];
    private static readonly Polynomial[] PolarExpress =
    [
        Safe(8.28721201814563, -23.595886519098837, 17.300387312530933),
        Safe(4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        Safe(3.9486908534822946, -2.908902115962949, 0.5518191394370137),
        Safe(3.3184196573706015, -2.488488024314874, 0.51004894012372),
        Safe(2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    ];

    /// <summary>The nearly orthogonal matrix.</summary>
    /// <param name="matrix">[rows, columns], float32 or float64; not changed.</param>
    /// <param name="productType">Type of the products; wider types than float32 follow the matrix.</param>
    /// <returns>Of the same shape and the matrix's type, perhaps transposed in memory; the caller owns it.</returns>
    public static Tensor Orthogonalize(
        Tensor matrix,
        OrthogonalizationKind kind = OrthogonalizationKind.Quintic,
        ScalarType productType = ScalarType.Float32
    )
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        bool tall = matrix.shape[0] > matrix.shape[1];
        bool isPolar = kind == OrthogonalizationKind.PolarExpress;
        Tensor x = (tall ? matrix.t() : matrix).contiguous(); // [short side, long side]: the square products are the small ones
        x = x / x.norm().mul_(isPolar ? SafetyFactor : 1.0).clamp_min_(NormFloor);
        if (isPolar && productType != ScalarType.Float32)
        {
            x = x.to(productType);
        }

        foreach ((double linear, double cubic, double quintic) in isPolar ? PolarExpress : Quintic)
        {
            Tensor gram = empty([x.shape[0], x.shape[0]], x.dtype, x.device); // [short, short]
            MatrixProduct.Into(gram, x, x.t(), beta: 0);
            Tensor polynomial = gram * cubic;
            MatrixProduct.Into(polynomial, gram * quintic, gram, beta: 1);
            Tensor next = x * linear; // [short, long]
            MatrixProduct.Into(next, polynomial, x, beta: 1);
            x = next;
        }

        x = x.to(matrix.dtype);
        return (tall ? x.t() : x).MoveToOuterDisposeScope();
    }

    /// <summary>Arithmetic of one matrix, FLOP.</summary>
    public static double Flops(long rows, long columns)
    {
        double narrow = Math.Min(rows, columns);
        double wide = Math.Max(rows, columns);
        return 2.0 * Steps * narrow * narrow * ((2 * wide) + narrow);
    }

    private static Polynomial Safe(double linear, double cubic, double quintic) =>
        new(linear / SafetyFactor, cubic / Math.Pow(SafetyFactor, 3), quintic / Math.Pow(SafetyFactor, 5));

    // linear·x + cubic·x³ + quintic·x⁵.
    private readonly record struct Polynomial(double Linear, double Cubic, double Quintic);
}
