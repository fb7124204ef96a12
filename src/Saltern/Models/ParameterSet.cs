using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>A named weight as checkpoints know it: a row range of one fused block.</summary>
/// <param name="Name">Hugging Face's key, e.g. <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Offset">First element in the flat buffer.</param>
internal sealed record ParameterSlice(string Name, long[] Shape, long Offset)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>One leaf tensor of the model, made of one or more named weights that lie next to each other (query, key and value; gate and up).</summary>
/// <param name="Shape">Shape of the whole block.</param>
/// <param name="Offset">First element in the flat buffer.</param>
/// <param name="Decays">Whether weight decay applies: matrices yes, norm weights and biases no.</param>
/// <param name="Slices">The named weights, in order of their rows.</param>
internal sealed record ParameterBlock(long[] Shape, long Offset, bool Decays, IReadOnlyList<ParameterSlice> Slices)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>Plans where each weight of a model lies in one flat buffer, before the buffer exists.</summary>
internal sealed class ParameterLayout
{
    // 64 bytes, the alignment libtorch gives its own tensors: products take the same path, and give the same bits, wherever a block starts.
    private const long AlignmentElements = 16;
    private readonly List<ParameterBlock> _blocks = [];

    /// <summary>The blocks in the order of the flat buffer.</summary>
    public IReadOnlyList<ParameterBlock> Blocks => _blocks;

    /// <summary>Elements of the flat buffer, padding between blocks included.</summary>
    public long Length { get; private set; }

    /// <summary>Number of parameters, padding left out.</summary>
    public long ParameterCount => _blocks.Sum(block => block.Count);

    /// <summary>Every named weight, in order.</summary>
    public IEnumerable<ParameterSlice> Slices => _blocks.SelectMany(block => block.Slices);

    /// <summary>Adds a block of weights that share their columns and lie row under row.</summary>
    /// <param name="columns">Columns of each weight; null for vectors.</param>
    /// <param name="weights">Name and rows (or length, for vectors) of each.</param>
    /// <returns>Index of the block.</returns>
    public int Add(int? columns, params ReadOnlySpan<(string Name, int Rows)> weights)
    {
        long offset = Length;
        long at = offset;
        var slices = new List<ParameterSlice>();
        long rows = 0;
        foreach ((string name, int count) in weights)
        {
            var slice = new ParameterSlice(name, ShapeOf(count, columns), at);
            slices.Add(slice);
            at += slice.Count;
            rows += count;
        }

        _blocks.Add(new ParameterBlock(ShapeOf(rows, columns), offset, Decays: columns is not null, slices));
        Length = (at + AlignmentElements - 1) / AlignmentElements * AlignmentElements;
        return _blocks.Count - 1;
    }

    private static long[] ShapeOf(long rows, int? columns)
    {
        if (columns is int width)
        {
            return [rows, width];
        }

        return [rows];
    }
}

/// <summary>A model's weights in one flat buffer, and its gradients in a second one of the same layout.</summary>
/// <remarks>
/// The flat buffers are what the optimizer, the checkpoint and the other ranks see; the blocks are views of them, so
/// automatic differentiation accumulates straight into the flat gradient.
/// </remarks>
internal sealed class ParameterSet : IDisposable
{
    private readonly Tensor[] _blocks;
    private MappedMemory? _weights;
    private MappedMemory? _gradients;
    private readonly Tensor _flatWeights;
    private Tensor? _flatGradients;
    private MappedMemory? _unread;

    /// <summary>Allocates zeroed weights, float32 on the CPU unless told otherwise, and gradients where the model is to be trained.</summary>
    public ParameterSet(
        ParameterLayout layout,
        bool trainable,
        ScalarType type = ScalarType.Float32,
        Device? device = null
    )
    {
        Layout = layout;
        Device = device ?? CPU;
        bool mapped = OwnKernels.Cover(type, Device.type);
        using (NewDisposeScope())
        {
            if (mapped)
            {
                _weights = new MappedMemory(layout.Length);
            }

            _flatWeights = (_weights?.AsTensor() ?? zeros(layout.Length, type, Device)).DetachFromDisposeScope();
            if (trainable)
            {
                if (mapped)
                {
                    _gradients = new MappedMemory(layout.Length);
                }

                _flatGradients = (
                    _gradients?.AsTensor() ?? zeros(layout.Length, type, Device)
                ).DetachFromDisposeScope();
            }

            _blocks =
            [
                .. layout.Blocks.Select(block =>
                    View(_flatWeights, block).detach().requires_grad_(trainable).DetachFromDisposeScope()
                ),
            ];
            if (_flatGradients is not null)
            {
                for (int i = 0; i < _blocks.Length; i++)
                {
                    _blocks[i].grad = View(_flatGradients, layout.Blocks[i]);
                }
            }
        }
    }

    /// <summary>Where each weight lies.</summary>
    public ParameterLayout Layout { get; }

    /// <summary>Where the weights live.</summary>
    public Device Device { get; }

    /// <summary>All weights, [length]; owned by this set.</summary>
    public Tensor FlatWeights => _flatWeights;

    /// <summary>All gradients, [length]; owned by this set.</summary>
    /// <exception cref="InvalidOperationException">The model is not trainable.</exception>
    public Tensor FlatGradients =>
        _flatGradients ?? throw new InvalidOperationException("These weights were made without gradients.");

    /// <summary>Leaf tensor of a block; owned by this set.</summary>
    public Tensor this[int block] => _blocks[block];

    /// <summary>View of one named weight, of its own shape; the caller owns the view.</summary>
    public Tensor Weight(ParameterSlice slice) => _flatWeights.narrow(0, slice.Offset, slice.Count).view(slice.Shape);

    /// <summary>View of a block's gradient, of the block's shape; the caller owns the view.</summary>
    public Tensor Gradient(int block) => View(FlatGradients, Layout.Blocks[block]);

    /// <summary>First element of a block, which is float32 on the CPU; valid while the set lives.</summary>
    public unsafe float* Address(int block) => (float*)TensorAddress.Of(FlatWeights) + Layout.Blocks[block].Offset;

    /// <summary>First element of a block's gradient, which is float32 on the CPU; valid while the set lives.</summary>
    public unsafe float* GradientAddress(int block) =>
        (float*)TensorAddress.Of(FlatGradients) + Layout.Blocks[block].Offset;

    /// <summary>Where own kernels add the gradient of a vector, which they make beside that of their input: its place or, of weights without gradients, room that nobody reads.</summary>
    /// <param name="block">A vector: of a matrix that is not trained no gradient is made.</param>
    public unsafe float* VectorGradientAddress(int block)
    {
        if (_flatGradients is not null)
        {
            return GradientAddress(block);
        }

        _unread ??= new MappedMemory(Layout.Blocks.Where(each => each.Shape.Length == 1).Max(each => each.Count));
        return _unread.Start;
    }

    /// <summary>Sets every gradient to zero.</summary>
    public void ZeroGradients()
    {
        using IDisposable _ = no_grad();
        using Tensor same = FlatGradients.zero_();
    }

    /// <summary>Gives weights and gradients back to the system at once.</summary>
    public void Dispose()
    {
        foreach (Tensor block in _blocks)
        {
            block.Dispose();
        }

        _flatGradients?.Dispose();
        _flatWeights.Dispose();
        _gradients?.Dispose();
        _weights?.Dispose();
        _unread?.Dispose();
        _flatGradients = null;
        _gradients = _weights = _unread = null;
    }

    private static Tensor View(Tensor flat, ParameterBlock block) =>
        flat.narrow(0, block.Offset, block.Count).view(block.Shape);
}
