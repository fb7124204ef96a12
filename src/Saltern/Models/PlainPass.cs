using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>What the layers of one pass through libtorch's operations share.</summary>
/// <param name="Angles">Cosines and sines of the positions, [1, T, 1, A_r] each; null where no layer turns by them.</param>
/// <param name="LocalAngles">The same for layers with a window and a base of their own; null where there are none.</param>
/// <param name="Mask">[B, 1, T, T], true where a query attends, or [B, 1, 1, T so far] for one token after those of the cache; null for causal attention.</param>
/// <param name="WindowMask">The same for layers with a window.</param>
/// <param name="Cache">Keys and values of the tokens before; null for none.</param>
internal sealed record PlainPass(
    long Batch,
    long Length,
    (Tensor Cosines, Tensor Sines)? Angles,
    (Tensor Cosines, Tensor Sines)? LocalAngles,
    Tensor? Mask,
    Tensor? WindowMask,
    KeyValueCache? Cache
);

/// <summary>Keys that each query sees, in layers without a window and in those with one; null for causal attention.</summary>
internal readonly record struct LayerRanges(AttentionRanges? All, AttentionRanges? InWindow)
{
    /// <summary>Those of a layer.</summary>
    /// <param name="window">The layer's window; 0 for none.</param>
    public AttentionRanges? Of(int window) => window > 0 ? InWindow : All;
}
