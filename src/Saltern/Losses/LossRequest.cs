using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>What one micro-batch asks of the loss head.</summary>
public sealed record LossRequest
{
    /// <summary>Student's final hidden states, [N, D], contiguous.</summary>
    public required Tensor HiddenStates { get; init; }

    /// <summary>Student's output head, [V or more, D].</summary>
    public required Tensor Head { get; init; }

    /// <summary>y: next-token id of each position, [N]; negative where the position is not counted.</summary>
    public required long[] Labels { get; init; }

    /// <summary>Soft labels for the first rows; null for plain next-token training.</summary>
    public SoftLabels? Teacher { get; init; }

    /// <summary>ω_j of each position before the gate, [N]; not read without a teacher.</summary>
    public float[] Weights { get; init; } = [];

    /// <summary>h_t.</summary>
    public Gate Gate { get; init; } = Gate.Open;

    /// <summary>Factor on h_t before the limit of 0.95, or null for no scaling (renormalise).</summary>
    public double? GateScale { get; init; }

    /// <summary>ω_t of a row, gate and its scale included.</summary>
    /// <param name="row">Row of the micro-batch.</param>
    /// <param name="gate">h_t.</param>
    internal double WeightOf(int row, double gate)
    {
        double weight = Weights[row] * gate;
        if (GateScale is double factor)
        {
            return Math.Min(LossHead.HighestGatedWeight, weight * factor);
        }

        return weight;
    }
}
