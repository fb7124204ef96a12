using Saltern.Numerics;
using TorchSharp;

namespace Saltern.Models;

/// <summary>Float32 rows that are reused from one pass to the next: a mapping of its own that grows when a pass has more rows.</summary>
/// <remarks>No pass waits for the allocator, and resident memory is what the largest pass touches.</remarks>
internal sealed unsafe class ActivationBuffer : IDisposable
{
    private readonly int _width;
    private MappedMemory? _memory;
    private torch.Tensor? _all;
    private torch.Tensor? _view;

    /// <summary>Plans rows of one width; nothing is mapped yet.</summary>
    public ActivationBuffer(int width) => _width = width;

    /// <summary>First element; valid until the next <see cref="Rows"/> with more rows.</summary>
    public float* Start => _memory!.Start;

    /// <summary>Makes room and returns the first rows, [rows, width]; owned by the buffer, values as the last pass left them.</summary>
    public torch.Tensor Rows(int rows)
    {
        if (_memory is null || _memory.Count < (long)rows * _width)
        {
            Dispose();
            _memory = new MappedMemory((long)rows * _width);
            _all = _memory.AsTensor().DetachFromDisposeScope();
        }

        if (_view is null || _view.shape[0] != rows)
        {
            _view?.Dispose();
            _view = _all!.narrow(0, 0, (long)rows * _width).view(rows, _width).DetachFromDisposeScope();
        }

        return _view;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _view?.Dispose();
        _all?.Dispose();
        _memory?.Dispose();
        (_view, _all, _memory) = (null, null, null);
    }
}
