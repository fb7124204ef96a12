using System.Diagnostics;
using Saltern.ModelFiles;
using Saltern.Optimization;
using static TorchSharp.torch;

namespace Saltern.Checkpoints;

/// <summary>Types of an optimizer's tensors, in memory and in a safetensors file.</summary>
internal static class StateTypes
{
    /// <summary>The file's type for a tensor's.</summary>
    public static WeightType Of(ScalarType type) =>
        type switch
        {
            ScalarType.Float32 => WeightType.F32,
            ScalarType.BFloat16 => WeightType.BF16,
            ScalarType.Int8 => WeightType.I8,
            ScalarType.Byte => WeightType.U8,
            _ => throw new UnreachableException($"No optimizer keeps {type}."),
        };

    /// <summary>The word that the file has for it.</summary>
    public static string NameOf(ScalarType type) => Of(type).ToString();

    /// <summary>Tensors on their way into a file.</summary>
    public static IReadOnlyList<OutgoingTensor> Outgoing(IEnumerable<StateBytes> tensors) =>
        [
            .. tensors.Select(tensor => new OutgoingTensor(
                tensor.Name,
                tensor.Shape,
                Of(tensor.Type),
                Once(tensor.Bytes)
            )),
        ];

    private static IEnumerable<ReadOnlyMemory<byte>> Once(Func<ReadOnlyMemory<byte>> bytes)
    {
        yield return bytes();
    }
}
