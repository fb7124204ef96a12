using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>The mixed loss as its equation reads, with libtorch's operations on whole logits: the plain twin of <see cref="LossHead"/>.</summary>
/// <remarks>
/// ℒ = (1/n) Σ_{t∈C} CE(m_t, p_t), m_t = (1 − ω_t)·onehot(y_t) + ω_t·q_τ,t, in nats (arXiv:2410.18779; docs/method.md, "Mixture loss").
/// Any floating type and device; in float64 it is the oracle of the tests.
/// </remarks>
internal static class SoftLabelLoss
{
    /// <summary>Mean loss over counted positions; gradients flow to the student only.</summary>
    /// <param name="labels">y, [N], int64; negative where a position is not counted.</param>
    /// <param name="teacherLogits">s, [N, V]; null for plain next-token training.</param>
    /// <param name="omega">ω_t, [N], same type as the logits; not read without a teacher.</param>
    /// <param name="temperature">τ, divides the teacher's logits only.</param>
    /// <param name="divisor">n of the global batch.</param>
    /// <returns>Scalar; the caller owns it.</returns>
    public static Tensor Compute(
        Tensor studentLogits,
        Tensor labels,
        Tensor? teacherLogits,
        Tensor? omega,
        double temperature,
        long divisor
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(divisor);
        using DisposeScope scope = NewDisposeScope();
        Tensor counted = labels.ge(0).to(studentLogits.dtype); // [N]
        Tensor logProbs = nn.functional.log_softmax(studentLogits, -1); // [N, V]
        Tensor nll = logProbs.gather(1, labels.clamp_min(0).unsqueeze(1)).squeeze(1).neg(); // [N]
        Tensor loss = nll;
        if (teacherLogits is not null)
        {
            ArgumentNullException.ThrowIfNull(omega);
            Tensor q = nn.functional.softmax(teacherLogits.detach() / temperature, -1); // [N, V]
            Tensor crossEntropy = (q * logProbs).sum(-1).neg(); // [N]
            loss = ((1.0 - omega) * nll) + (omega * crossEntropy);
        }

        return ((loss * counted).sum() / divisor).MoveToOuterDisposeScope();
    }
}
