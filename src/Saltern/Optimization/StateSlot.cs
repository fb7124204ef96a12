using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Where one tensor of a checkpoint's optimizer file goes.</summary>
/// <param name="Name">Its key in the file.</param>
/// <param name="Shape">Its whole shape, whatever part of it this process keeps.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Fill">Takes what fills memory with the whole tensor's values, little-endian.</param>
internal sealed record StateSlot(string Name, long[] Shape, ScalarType Type, Action<Action<Span<byte>>> Fill);

/// <summary>One tensor of an optimizer's state on its way into a checkpoint.</summary>
/// <param name="Name">Its key in the file.</param>
/// <param name="Shape">Its whole shape.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Bytes">Its values, little-endian; may be called on a thread that has no tensors where the state was copied or gathered.</param>
internal sealed record StateBytes(string Name, long[] Shape, ScalarType Type, Func<ReadOnlyMemory<byte>> Bytes);
