// 1 − cos between projected hidden states of the student and hidden states of the teacher, with its gradient written out.
// pairs = aligned positions, D = student's hidden size, D′ = teacher's; x, x′ = a hidden state of either.
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>The alignment term Σ (1 − cos(W·x, x′)) over positions, and its gradient (arXiv:2602.05393; docs/alignment.md).</summary>
/// <remarks>With Wx = W·x: ∂(1 − cos)/∂Wx = −(x′/‖x′‖ − cos·Wx/‖Wx‖)/‖Wx‖, ∂/∂W = (∂/∂Wx)·xᵀ, ∂/∂x = Wᵀ·(∂/∂Wx). The teacher gets no gradient.</remarks>
internal static class CosineAlignment
{
    // As in PyTorch's cosine_similarity: a state of length zero points nowhere, so it pulls nowhere.
    private const double ShortestNorm = 1e-8;

    /// <summary>The term and its gradients.</summary>
    /// <param name="student">x, [pairs, D], contiguous.</param>
    /// <param name="scale">Factor on the gradients: λ divided by the aligned positions of the global batch.</param>
    /// <param name="projectionGradient">∂ℒ/∂W, [D′, D], added to.</param>
    /// <returns>Σ (1 − cos), not scaled, and ∂ℒ/∂x, [pairs, D], which the caller owns.</returns>
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
        MatrixProduct.Into(projected, student, projection.t(), 0); // Wx, [pairs, D′]
        Tensor length = projected.norm(1, keepdim: true, p: 2).clamp_min(ShortestNorm); // ‖Wx‖, [pairs, 1]
        Tensor target = teacher / teacher.norm(1, keepdim: true, p: 2).clamp_min(ShortestNorm);
        Tensor own = projected / length; // [pairs, D′]
        Tensor cosine = (own * target).sum(1, keepdim: true); // [pairs, 1]
        Tensor pull = ((cosine * own) - target) * (scale / length); // ∂ℒ/∂Wx, [pairs, D′]
        MatrixProduct.Into(gradient, pull, projection, 0);
        MatrixProduct.Into(projectionGradient, pull.t(), student, 1);
        double sum = student.shape[0] - cosine.sum(ScalarType.Float64).item<double>();
        return (sum, gradient.MoveToOuterDisposeScope());
    }
}
