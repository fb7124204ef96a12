using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>Rows that are reused from one pass to the next: a mapping of its own that grows when a pass has more rows.</summary>
/// <remarks>No pass waits for the allocator, and resident memory is what the largest pass touches.</remarks>
internal sealed unsafe class ActivationBuffer : IDisposable
{
    private MappedMemory? _memory;
    private Tensor? _all;
    private Tensor? _view;

    /// <summary>Plans rows of one width; nothing is mapped yet.</summary>
    /// <param name="width">Elements of a row.</param>
    /// <param name="type">float32 or bfloat16.</param>
    public ActivationBuffer(int width, ScalarType type = ScalarType.Float32) => (Width, Type) = (width, type);

    /// <summary>Elements of a row.</summary>
    public int Width { get; }

    /// <summary>Type of the elements.</summary>
    public ScalarType Type { get; }

    /// <summary>First element of float32 rows; valid until more rows are asked for.</summary>
    public float* Start => (float*)As<Float32>();

    /// <summary>First element; valid until more rows are asked for.</summary>
    /// <exception cref="InvalidOperationException">The elements are of another type.</exception>
    public TElement* As<TElement>()
        where TElement : unmanaged, IElement<TElement>
    {
        if (sizeof(TElement) == Type.ElementSize())
        {
            return (TElement*)_memory!.Start;
        }

        throw new InvalidOperationException($"These rows are {Type}, not {typeof(TElement).Name}.");
    }

    /// <summary>Makes room; values are as the last pass left them.</summary>
    public void Reserve(long rows)
    {
        long floats = ((rows * Width * Type.ElementSize()) + sizeof(float) - 1) / sizeof(float);
        if (_memory is null || _memory.Count < floats)
        {
            Dispose();
            _memory = new MappedMemory(floats);
        }
    }

    /// <summary>Makes room and returns the first rows, [rows, width]; owned by the buffer, values as the last pass left them.</summary>
    public Tensor Rows(int rows)
    {
        Reserve(rows);
        if (_view is null || _view.shape[0] != rows)
        {
            _view?.Dispose();
            _all ??= _memory!
                .AsTensor(Type, 0, _memory.Count * sizeof(float) / Type.ElementSize())
                .DetachFromDisposeScope();
            _view = _all.narrow(0, 0, (long)rows * Width).view(rows, Width).DetachFromDisposeScope();
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
