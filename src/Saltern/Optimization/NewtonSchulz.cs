using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Makes a matrix nearly orthogonal: its singular vectors stay, its singular values all become numbers near 1.</summary>
/// <remarks>
/// Five steps of X ← 3.4445·X − 4.7750·XXᵀX + 2.0315·XXᵀXXᵀX, from X = the matrix over its norm: an odd polynomial in X, so it acts on the singular values alone.
/// The coefficients are Keller Jordan's (the Muon reference, 2024): chosen for a steep start, so they do not converge to 1 but end between
/// 0.68 and 1.21 where they were above 0.002 of the norm; smaller ones grow by a factor up to 3.4445⁵ = 485. Matrix products only: no decomposition.
/// </remarks>
internal static class NewtonSchulz
{
    private const int Steps = 5;
    private const double Linear = 3.4445;
    private const double Cubic = -4.7750;
    private const double Quintic = 2.0315;

    // Against division by 0 where a whole gradient is 0; beside any real norm it vanishes.
    private const double NormFloor = 1e-30;

    /// <summary>The nearly orthogonal matrix.</summary>
    /// <param name="matrix">[rows, columns], float32 or float64; not changed.</param>
    /// <returns>Of the same shape, perhaps transposed in memory; the caller owns it.</returns>
    public static Tensor Orthogonalize(Tensor matrix)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        bool tall = matrix.shape[0] > matrix.shape[1];
        Tensor x = tall ? matrix.t() : matrix; // [short side, long side]: the square products are the small ones
        x = x / x.norm().clamp_min(NormFloor);
        for (int i = 0; i < Steps; i++)
        {
            Tensor gram = x.mm(x.t()); // [short, short]
            Tensor polynomial = addmm(gram, gram, gram, beta: (float)Cubic, alpha: (float)Quintic); // [short, short]
            x = addmm(x, polynomial, x, beta: (float)Linear, alpha: 1f); // [short, long]
        }

        return (tall ? x.t() : x).MoveToOuterDisposeScope();
    }
}
