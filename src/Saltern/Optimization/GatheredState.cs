using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>An optimizer's whole state, put together from the ranks for a checkpoint: plain memory, which a thread without tensors may read.</summary>
internal sealed unsafe class GatheredState : IDisposable
{
    private readonly MappedMemory _memory;

    /// <summary>Maps room for the state.</summary>
    /// <param name="length">Floats of all tensors together.</param>
    /// <param name="tensors">Name, shape and first float of each, in the order of an optimizer that keeps all of them.</param>
    internal GatheredState(long length, IEnumerable<(string Name, long[] Shape, long Offset)> tensors)
    {
        _memory = new MappedMemory(length);
        Tensors =
        [
            .. tensors.Select(tensor =>
                (
                    tensor.Name,
                    tensor.Shape,
                    (Func<ReadOnlyMemory<byte>>)(
                        () => Bytes(tensor.Offset, tensor.Shape.Aggregate(1L, (product, size) => product * size))
                    )
                )
            ),
        ];
    }

    /// <summary>Name, shape and bytes of each tensor, in the order of an optimizer that keeps all of them.</summary>
    public IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> Tensors { get; }

    /// <summary>First float of the memory.</summary>
    internal float* Start => _memory.Start;

    /// <summary>Gives the memory back to the system.</summary>
    public void Dispose() => _memory.Dispose();

    private ReadOnlyMemory<byte> Bytes(long offset, long count) =>
        new ReadOnlySpan<byte>(_memory.Start + offset, checked((int)(count * sizeof(float)))).ToArray();
}
