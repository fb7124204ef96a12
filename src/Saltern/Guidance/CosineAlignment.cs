// 1 − cos between projected hidden states of the student and hidden states of the teacher, with its gradient written out.
// M = aligned positions, D = student's hidden size, E = teacher's hidden size.
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>The alignment term Σ (1 − cos(W·h, v)) over positions, and its gradient (arXiv:2602.05393; docs/alignment.md).</summary>
/// <remarks>With u = W·h, c = cos(u, v): ∂(1 − c)/∂u = −(v/‖v‖ − c·u/‖u‖)/‖u‖, ∂/∂W = (∂/∂u)·hᵀ, ∂/∂h = Wᵀ·(∂/∂u). The teacher gets no gradient.</remarks>
internal static class CosineAlignment
{
    // As in PyTorch's cosine_similarity: a state of length zero points nowhere, so it pulls nowhere.
    private const double ShortestNorm = 1e-8;

    /// <summary>The term and its gradients.</summary>
    /// <param name="student">h, [M, D], contiguous.</param>
    /// <param name="teacher">v, [M, E].</param>
    /// <param name="projection">W, [E, D].</param>
    /// <param name="scale">Factor on the gradients: λ divided by the aligned positions of the global batch.</param>
    /// <param name="projectionGradient">∂L/∂W, [E, D], added to.</param>
    /// <returns>Σ (1 − cos), not scaled, and ∂L/∂h, [M, D], which the caller owns.</returns>
    /// <exception cref="ArgumentException">The shapes disagree.</exception>
    public static (double Sum, Tensor StudentGradient) Train(
        Tensor student,
        Tensor teacher,
        Tensor projection,
        double scale,
        Tensor projectionGradient
    )
    {
        if (
            student.shape[0] != teacher.shape[0]
            || projection.shape[0] != teacher.shape[1]
            || projection.shape[1] != student.shape[1]
        )
        {
            throw new ArgumentException(
                $"A projection of shape [{string.Join(", ", projection.shape)}] does not lead from "
                    + $"[{string.Join(", ", student.shape)}] to [{string.Join(", ", teacher.shape)}].",
                nameof(projection)
            );
        }

        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor projected = zeros(teacher.shape, student.dtype, student.device);
        Tensor gradient = zeros_like(student);
        MatrixProduct.Into(projected, student, projection.t(), 0); // u, [M, E]
        Tensor length = projected.norm(1, keepdim: true, p: 2).clamp_min(ShortestNorm); // ‖u‖, [M, 1]
        Tensor target = teacher / teacher.norm(1, keepdim: true, p: 2).clamp_min(ShortestNorm);
        Tensor own = projected / length; // [M, E]
        Tensor cosine = (own * target).sum(1, keepdim: true); // [M, 1]
        Tensor pull = ((cosine * own) - target) * (scale / length); // ∂L/∂u, [M, E]
        MatrixProduct.Into(gradient, pull, projection, 0);
        MatrixProduct.Into(projectionGradient, pull.t(), student, 1);
        double sum = student.shape[0] - cosine.sum(ScalarType.Float64).item<double>();
        return (sum, gradient.MoveToOuterDisposeScope());
    }
}
