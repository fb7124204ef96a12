using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>The teacher's soft labels for the first rows of a micro-batch, in the form in which they come.</summary>
/// <param name="Temperature">τ, divides the teacher's logits; the student's are never divided, and no τ² follows.</param>
public abstract record SoftLabels(double Temperature)
{
    /// <summary>Rows of the micro-batch that have soft labels: the first ones.</summary>
    public abstract int Rows { get; }
}

/// <summary>A live teacher's: its hidden states and output head make its logits, chunk by chunk.</summary>
/// <param name="HiddenStates">[rows, D′].</param>
/// <param name="Head">[V or more, D′].</param>
/// <param name="Temperature">τ.</param>
public sealed record LiveSoftLabels(Tensor HiddenStates, Tensor Head, double Temperature) : SoftLabels(Temperature)
{
    /// <summary>Type of the products with the teacher's head, on the CPU with own kernels.</summary>
    internal ScalarType ProductType { get; init; } = ScalarType.Float32;

    /// <summary>What makes logits of the products with the teacher's head; null where they are the logits.</summary>
    internal HeadForm? Form { get; init; }

    /// <summary>The teacher's logits, all rows at once, with the head's biases and cap where its family has them.</summary>
    /// <returns>s, [rows, V or more]; the caller owns it.</returns>
    public Tensor Logits()
    {
        Tensor logits = matmul(HiddenStates, Head.t());
        Form?.ApplyTo(logits);
        return logits;
    }

    /// <inheritdoc/>
    public override int Rows => (int)HiddenStates.shape[0];
}

/// <summary>Whole logits, as another program or a test gives them.</summary>
/// <param name="Logits">s, [rows, V or more]; read, not changed.</param>
/// <param name="Temperature">τ.</param>
public sealed record DenseSoftLabels(Tensor Logits, double Temperature) : SoftLabels(Temperature)
{
    /// <inheritdoc/>
    public override int Rows => (int)Logits.shape[0];
}

/// <summary>A cache's: a few token ids a row with their share of the target, and what the teacher pass found over its whole distribution (docs/method.md, "Soft labels on disk").</summary>
/// <param name="Starts">[rows + 1]: entries of row i are Starts[i] … Starts[i + 1] − 1 of <paramref name="Ids"/> and <paramref name="Probabilities"/>.</param>
/// <param name="Ids">Token ids, each once in a row; the teacher's most likely one first.</param>
/// <param name="Probabilities">q̂: count / draws (sampled; sums to 1) or q_τ itself (top k; sums to at most 1). 0 is allowed.</param>
/// <param name="HasTail">Whether what is missing to 1 is one further outcome, "any other token" (top k + tail).</param>
/// <param name="Nll">−ln q(y) at τ = 1, [rows].</param>
/// <param name="NllTempered">−ln q_τ(y), [rows].</param>
/// <param name="Entropy">H(q_τ), [rows].</param>
/// <param name="TopProbability">max q at τ = 1, [rows]; null where the cache does not know it.</param>
/// <param name="Temperature">τ that the cache was made with.</param>
public sealed record SparseSoftLabels(
    int[] Starts,
    int[] Ids,
    float[] Probabilities,
    bool HasTail,
    float[] Nll,
    float[] NllTempered,
    float[] Entropy,
    float[]? TopProbability,
    double Temperature
) : SoftLabels(Temperature)
{
    /// <inheritdoc/>
    public override int Rows => Nll.Length;
}
