using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>What the layers of one pass through libtorch's operations share.</summary>
/// <param name="Angles">Cosines and sines of the positions, [1, T, 1, A_r] each; null where positions are learned.</param>
/// <param name="Mask">[B, 1, T, T], true where a query attends, or [B, 1, 1, T so far] for one token after those of the cache; null for causal attention.</param>
/// <param name="Cache">Keys and values of the tokens before; null for none.</param>
internal sealed record PlainPass(
    long Batch,
    long Length,
    (Tensor Cosines, Tensor Sines)? Angles,
    Tensor? Mask,
    KeyValueCache? Cache
);
