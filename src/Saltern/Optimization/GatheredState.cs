using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>An optimizer's whole state, put together from the ranks for a checkpoint: plain memory, which a thread without tensors may read.</summary>
internal sealed unsafe class GatheredState : IDisposable
{
    private readonly MappedMemory _memory;

    /// <summary>Maps room for a state.</summary>
    /// <param name="bytes">Bytes of all tensors together.</param>
    /// <param name="tensors">Each with its first byte, in the order of an optimizer that keeps all of them.</param>
    internal GatheredState(long bytes, IEnumerable<StatePlace> tensors)
    {
        _memory = new MappedMemory((bytes + sizeof(float) - 1) / sizeof(float));
        Tensors =
        [
            .. tensors.Select(tensor => new StateBytes(
                tensor.Name,
                tensor.Shape,
                tensor.Type,
                () => Bytes(tensor.Offset, tensor.ByteCount)
            )),
        ];
    }

    /// <summary>Each tensor, in the order of an optimizer that keeps all of them.</summary>
    public IReadOnlyList<StateBytes> Tensors { get; }

    /// <summary>First byte of the memory, as the float32 that most states begin with.</summary>
    internal float* Start => _memory.Start;

    /// <summary>Gives the memory back to the system.</summary>
    public void Dispose() => _memory.Dispose();

    private ReadOnlyMemory<byte> Bytes(long offset, long count) =>
        new ReadOnlySpan<byte>((byte*)_memory.Start + offset, checked((int)count)).ToArray();
}

/// <summary>Where one tensor of a whole state lies when the ranks put it together.</summary>
/// <param name="Offset">Its first byte.</param>
internal sealed record StatePlace(string Name, long[] Shape, ScalarType Type, long Offset)
{
    /// <summary>Number of bytes.</summary>
    public long ByteCount => Shape.Aggregate(1L, (product, size) => product * size) * Type.ElementSize();

    /// <summary>One tensor behind the other.</summary>
    public static (StatePlace[] Places, long Bytes) Lay(
        IEnumerable<(string Name, long[] Shape, ScalarType Type)> tensors
    )
    {
        var places = new List<StatePlace>();
        long bytes = 0;
        foreach ((string name, long[] shape, ScalarType type) in tensors)
        {
            var place = new StatePlace(name, shape, type, bytes);
            places.Add(place);
            bytes += place.ByteCount;
        }

        return ([.. places], bytes);
    }
}
