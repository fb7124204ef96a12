using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Makes a matrix nearly orthogonal: U·S'·Vᵀ for M = U·S·Vᵀ, with all singular values S' near 1.</summary>
/// <remarks>
/// Five steps of X ← a·X + (b·A + c·A²)·X, A = X·Xᵀ, from X = M/‖M‖: an odd polynomial in X, so it acts on the singular values alone, σ ← aσ + bσ³ + cσ⁵.
/// The coefficients are Keller Jordan's (the Muon reference, 2024): chosen for a steep start, so σ does not converge to 1 but ends between
/// 0.68 and 1.21 where σ/‖M‖ was above 0.002; smaller ones grow by a factor up to a⁵ = 485. Matrix products only: no decomposition.
/// </remarks>
internal static class NewtonSchulz
{
    private const int Steps = 5;
    private const double A = 3.4445;
    private const double B = -4.7750;
    private const double C = 2.0315;

    // Against division by 0 where a whole gradient is 0; beside any real norm it vanishes.
    private const double NormFloor = 1e-30;

    /// <summary>The nearly orthogonal matrix.</summary>
    /// <param name="matrix">M, [rows, columns], float32 or float64; not changed.</param>
    /// <returns>As M, perhaps transposed in memory; the caller owns it.</returns>
    public static Tensor Orthogonalize(Tensor matrix)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        bool tall = matrix.shape[0] > matrix.shape[1];
        Tensor x = tall ? matrix.t() : matrix; // [n, m], n ≤ m: the square products are the small ones
        x = x / x.norm().clamp_min(NormFloor);
        for (int i = 0; i < Steps; i++)
        {
            Tensor gram = x.mm(x.t()); // [n, n]
            Tensor polynomial = addmm(gram, gram, gram, beta: (float)B, alpha: (float)C); // [n, n]
            x = addmm(x, polynomial, x, beta: (float)A, alpha: 1f); // [n, m]
        }

        return (tall ? x.t() : x).MoveToOuterDisposeScope();
    }
}
