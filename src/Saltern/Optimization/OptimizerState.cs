using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Zeroed float32 tensors in one mapping, as state of an optimizer on the CPU: kernels see addresses, libtorch and checkpoints see tensors.</summary>
internal sealed unsafe class OptimizerState : IMatrixState, IDisposable
{
    // 64 bytes, the alignment that libtorch gives its own tensors.
    private const long AlignmentElements = 16;
    private readonly MappedMemory _memory;
    private readonly Dictionary<string, (long Offset, OptimizerTensor Tensor)> _byName = [];

    /// <summary>Maps room for the tensors, in the order given.</summary>
    /// <param name="tensors">Name and shape of each; at least one.</param>
    public OptimizerState(IEnumerable<(string Name, long[] Shape)> tensors)
    {
        long length = 0;
        List<(string Name, long[] Shape, long Offset, long Count)> places = [];
        foreach ((string name, long[] shape) in tensors)
        {
            long count = shape.Aggregate(1L, (product, size) => product * size);
            places.Add((name, shape, length, count));
            length += (count + AlignmentElements - 1) / AlignmentElements * AlignmentElements;
        }

        _memory = new MappedMemory(length);
        using DisposeScope scope = NewDisposeScope();
        Tensor flat = _memory.AsTensor();
        foreach ((string name, long[] shape, long offset, long count) in places)
        {
            Tensor values = flat.narrow(0, offset, count).view(shape).DetachFromDisposeScope();
            _byName.Add(name, (offset, new OptimizerTensor(name, values)));
        }

        Tensors = [.. places.Select(place => _byName[place.Name].Tensor)];
    }

    /// <summary>The tensors, in the order given.</summary>
    public IReadOnlyList<OptimizerTensor> Tensors { get; }

    /// <summary>One of them; owned by this state.</summary>
    public Tensor this[string name] => _byName[name].Tensor.Values;

    /// <summary>First element of one of them; valid until disposed.</summary>
    public float* AddressOf(string name) => _memory.Start + _byName[name].Offset;

    /// <summary>Nothing is rounded.</summary>
    public long Seed => 0;

    /// <inheritdoc/>
    public float* Momentum(ParameterSlice matrix, long first, long count, float* room) =>
        AddressOf(OptimizerTensor.Momentum + matrix.Name) + first;

    /// <inheritdoc/>
    public void Keep(ParameterSlice matrix, long first, long count, float* momentum, long update)
    {
        // It was overwritten where it lies.
    }

    /// <summary>Gives the memory back to the system.</summary>
    public void Dispose()
    {
        foreach (OptimizerTensor tensor in Tensors)
        {
            tensor.Values.Dispose();
        }

        _memory.Dispose();
    }
}
