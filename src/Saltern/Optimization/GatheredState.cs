using Saltern.Models;
using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>AdamW's whole state, put together from the ranks for a checkpoint: plain memory, which a thread without tensors may read.</summary>
internal sealed unsafe class GatheredState : IDisposable
{
    private readonly MappedMemory _first;
    private readonly MappedMemory _second;

    /// <summary>Maps room for both moments, laid out as the flat weights.</summary>
    internal GatheredState(ParameterLayout layout)
    {
        (_first, _second) = (new MappedMemory(layout.Length), new MappedMemory(layout.Length));
        Tensors =
        [
            .. layout.Slices.SelectMany(slice =>
                new (string, long[], Func<ReadOnlyMemory<byte>>)[]
                {
                    (OptimizerTensor.FirstMoment + slice.Name, slice.Shape, () => Bytes(_first, slice)),
                    (OptimizerTensor.SecondMoment + slice.Name, slice.Shape, () => Bytes(_second, slice)),
                }
            ),
        ];
    }

    /// <summary>Name, shape and bytes of each tensor, in the order of an optimizer that keeps all of them.</summary>
    public IReadOnlyList<(string Name, long[] Shape, Func<ReadOnlyMemory<byte>> Bytes)> Tensors { get; }

    /// <summary>First moments, [length].</summary>
    internal float* First => _first.Start;

    /// <summary>Second moments, [length].</summary>
    internal float* Second => _second.Start;

    /// <summary>Gives the memory back to the system.</summary>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }

    private static ReadOnlyMemory<byte> Bytes(MappedMemory memory, ParameterSlice slice) =>
        new ReadOnlySpan<byte>(memory.Start + slice.Offset, checked((int)(slice.Count * sizeof(float)))).ToArray();
}
