using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>What one micro-batch asks of the loss head.</summary>
internal sealed record LossRequest
{
    /// <summary>Largest ω_t that a scaled gate may give.</summary>
    public const double HighestGatedOmega = 0.95;

    /// <summary>Student's final hidden states, [N, D], contiguous.</summary>
    public required Tensor HiddenStates { get; init; }

    /// <summary>Student's output head, [V or more, D].</summary>
    public required Tensor Head { get; init; }

    /// <summary>What makes logits of the products with it; null where they are the logits.</summary>
    public HeadForm? Form { get; init; }

    /// <summary>y: next-token id of each position, [N]; negative where the position is not counted.</summary>
    public required long[] Labels { get; init; }

    /// <summary>Soft labels for the first rows; null for plain next-token training.</summary>
    public SoftLabels? Teacher { get; init; }

    /// <summary>τ of the soft labels; 1 without them.</summary>
    internal double Temperature => Teacher?.Temperature ?? 1.0;

    /// <summary>ω_j of each position before the gate, [N]; not read without a teacher.</summary>
    public float[] Omega { get; init; } = [];

    /// <summary>h_t.</summary>
    public Gate Gate { get; init; } = Gate.Open;

    /// <summary>Factor on h_t before the limit of 0.95, or null for no scaling (renormalise).</summary>
    public double? GateScale { get; init; }

    /// <summary>ω_t of a row, gate and its scale included.</summary>
    /// <param name="row">Row of the micro-batch.</param>
    internal double OmegaOf(int row, double gate)
    {
        double omega = Omega[row] * gate;
        if (GateScale is double factor)
        {
            return Math.Min(HighestGatedOmega, omega * factor);
        }

        return omega;
    }
}
