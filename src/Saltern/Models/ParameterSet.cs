using Saltern.Numerics;
using TorchSharp;
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

/// <summary>How weights are kept.</summary>
internal enum WeightForm
{
    /// <summary>float32, one flat buffer.</summary>
    Float32,

    /// <summary>Matrices as bfloat16 and 8 more bits of mantissa, 3 bytes; vectors float32.</summary>
    Split24,

    /// <summary>Matrices as bfloat16, 2 bytes; vectors float32.</summary>
    BFloat16,
}

/// <summary>A model's weights in one flat buffer, and its gradients in a second one of the same layout.</summary>
/// <remarks>
/// The flat buffers are what the optimizer, the checkpoint and the other ranks see; the blocks are views of them, so
/// automatic differentiation accumulates straight into the flat gradient.
/// Packed weights (<see cref="WeightForm"/>) have the same places in the flat layout, but no flat tensor: their matrices lie in buffers of their own, and are read and written by
/// <c>Load</c> and <c>Store</c>. Gradients are float32 whatever the weights are.
/// </remarks>
internal sealed unsafe class ParameterSet : IDisposable
{
    private readonly Tensor[] _blocks;
    private MappedMemory? _weights;
    private MappedMemory? _gradients;
    private MappedMemory? _upper;
    private MappedMemory? _lower;
    private readonly Tensor _flatWeights;
    private Tensor? _flatGradients;
    private MappedMemory? _unread;

    /// <summary>Allocates zeroed weights, float32 on the CPU unless told otherwise, and gradients where the model is to be trained.</summary>
    public ParameterSet(
        ParameterLayout layout,
        bool trainable,
        ScalarType type = ScalarType.Float32,
        Device? device = null,
        WeightForm form = WeightForm.Float32
    )
    {
        (Layout, Form) = (layout, form);
        Device = device ?? CPU;
        bool mapped = OwnKernels.Cover(type, Device.type);
        if (IsPacked && !mapped)
        {
            throw new ArgumentException($"Only float32 weights on the CPU can be packed, not {type} on {Device.type}.");
        }

        using (NewDisposeScope())
        {
            if (mapped)
            {
                // Of packed weights only vectors are written here, in their places: the rest of the mapping never becomes memory.
                _weights = new MappedMemory(layout.Length, isSparse: IsPacked);
            }

            if (IsPacked)
            {
                _upper = new MappedMemory((layout.Length + 1) / 2);
                _lower = form == WeightForm.Split24 ? new MappedMemory((layout.Length + 3) / 4) : null;
            }

            _flatWeights = (_weights?.AsTensor() ?? zeros(layout.Length, type, Device)).DetachFromDisposeScope();
            if (trainable)
            {
                if (mapped)
                {
                    _gradients = new MappedMemory(layout.Length, isSparse: true);
                }

                _flatGradients = (
                    _gradients?.AsTensor() ?? zeros(layout.Length, type, Device)
                ).DetachFromDisposeScope();
            }

            _blocks =
            [
                .. layout.Blocks.Select(block =>
                    ViewOf(block).detach().requires_grad_(trainable && !IsPacked).DetachFromDisposeScope()
                ),
            ];
            if (_flatGradients is not null && !IsPacked)
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

    /// <summary>How the weights are kept.</summary>
    public WeightForm Form { get; }

    /// <summary>Whether matrices are kept in fewer bytes than float32's.</summary>
    public bool IsPacked => Form != WeightForm.Float32;

    /// <summary>Type that weights have where they are read one by one: float32 for packed ones.</summary>
    public ScalarType Type => _flatWeights.dtype;

    /// <summary>All weights, [length]; owned by this set.</summary>
    /// <exception cref="InvalidOperationException">They are packed: there is no such tensor.</exception>
    public Tensor FlatWeights
    {
        get
        {
            if (IsPacked)
            {
                throw new InvalidOperationException(
                    "Packed weights have no flat tensor; they are read piece by piece."
                );
            }

            return _flatWeights;
        }
    }

    /// <summary>All gradients, [length]; owned by this set.</summary>
    /// <exception cref="InvalidOperationException">The model is not trainable.</exception>
    public Tensor FlatGradients =>
        _flatGradients ?? throw new InvalidOperationException("These weights were made without gradients.");

    /// <summary>Leaf tensor of a block, owned by this set; of a packed matrix a float32 copy, which belongs to the caller's scope.</summary>
    public Tensor this[int block] =>
        IsPackedAt(Layout.Blocks[block].Shape)
            ? Wide(Layout.Blocks[block].Offset, Layout.Blocks[block].Count).view(Layout.Blocks[block].Shape)
            : _blocks[block];

    /// <summary>A block as products read it where it is packed: the bfloat16 numbers next to its weights. Else the block. Owned by this set.</summary>
    public Tensor Operand(int block) => _blocks[block];

    /// <summary>View of one named weight, of its own shape, of a packed matrix a copy; the caller owns it.</summary>
    public Tensor Weight(ParameterSlice slice) => Wide(slice.Offset, slice.Count).view(slice.Shape);

    /// <summary>Sets one named weight, rounded to the nearest where it is packed.</summary>
    /// <param name="values">Of the weight's shape, any type.</param>
    public void SetWeight(ParameterSlice slice, Tensor values) => Set(slice.Offset, slice.Shape, values);

    /// <summary>Sets a whole block, as <see cref="SetWeight"/>.</summary>
    public void SetBlock(int block, Tensor values) =>
        Set(Layout.Blocks[block].Offset, Layout.Blocks[block].Shape, values);

    /// <summary>Weights in a row, [count]: a view, of packed matrices a float32 copy; the caller owns it. They belong to one block.</summary>
    public Tensor Wide(long start, long count)
    {
        if (!IsPackedAt(ShapeAt(start)))
        {
            return _flatWeights.narrow(0, start, count);
        }

        Tensor copy = empty(count, ScalarType.Float32);
        Load(start, count, (float*)TensorAddress.Of(copy));
        return copy;
    }

    /// <summary>Whether weights of a shape are packed.</summary>
    public bool IsPackedAt(long[] shape) => IsPacked && shape.Length == 2;

    /// <summary>Reads weights of a packed matrix as float32.</summary>
    /// <param name="start">First of them in the flat layout.</param>
    public void Load(long start, long count, float* to) => SplitNumbers.Join(UpperAt(start), LowerAt(start), to, count);

    /// <summary>Writes weights of a packed matrix, rounded to the nearest.</summary>
    /// <param name="start">First of them in the flat layout.</param>
    public void Store(long start, long count, float* from) =>
        SplitNumbers.SplitNearest(from, UpperAt(start), LowerAt(start), count);

    /// <summary>Writes weights of a packed matrix, rounded stochastically.</summary>
    /// <param name="start">First of them in the flat layout.</param>
    public void Store(long start, long count, float* from, RoundingKey key) =>
        SplitNumbers.SplitRandomly(from, UpperAt(start), LowerAt(start), count, start, key);

    /// <summary>Upper parts of packed matrices, by their places in the flat layout; valid while the set lives.</summary>
    public ushort* UpperAt(long start) => (ushort*)Packed(_upper).Start + start;

    /// <summary>Lower parts of packed matrices, by their places in the flat layout; null where there are none.</summary>
    public sbyte* LowerAt(long start) => _lower is null ? null : (sbyte*)_lower.Start + start;

    /// <summary>First weight of vectors, and of all weights that are not packed; a place in the flat layout is an offset from it.</summary>
    public float* Start => (float*)TensorAddress.Of(_flatWeights);

    /// <summary>View of a block's gradient, of the block's shape; the caller owns the view.</summary>
    public Tensor Gradient(int block) => View(FlatGradients, Layout.Blocks[block]);

    /// <summary>First element of a block, which is float32 on the CPU and not packed; valid while the set lives.</summary>
    /// <exception cref="InvalidOperationException">The block is packed.</exception>
    public float* Address(int block)
    {
        if (IsPackedAt(Layout.Blocks[block].Shape))
        {
            throw new InvalidOperationException("A packed matrix has no float32 numbers to point to.");
        }

        return Start + Layout.Blocks[block].Offset;
    }

    /// <summary>First of the bfloat16 numbers that products read of a packed matrix; null for a block that is not packed. Valid while the set lives.</summary>
    public Numerics.BFloat16* OperandAddress(int block) =>
        IsPackedAt(Layout.Blocks[block].Shape) ? (Numerics.BFloat16*)UpperAt(Layout.Blocks[block].Offset) : null;

    /// <summary>First element of a block's gradient, which is float32 on the CPU; valid while the set lives.</summary>
    public float* GradientAddress(int block) => (float*)TensorAddress.Of(FlatGradients) + Layout.Blocks[block].Offset;

    /// <summary>Where own kernels add the gradient of a vector, which they make beside that of their input: its place or, of weights without gradients, room that nobody reads.</summary>
    /// <param name="block">A vector: of a matrix that is not trained no gradient is made.</param>
    public float* VectorGradientAddress(int block)
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

    /// <summary>Sets the gradients of some neighbouring blocks to zero and gives their memory back to the system until they are written again.</summary>
    public void ReleaseGradients(long start, long length)
    {
        if (_gradients is null)
        {
            throw new InvalidOperationException("Only float32 gradients on the CPU can be released.");
        }

        _gradients.Release(start, length);
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
        _upper?.Dispose();
        _lower?.Dispose();
        _flatGradients = null;
        _gradients = _weights = _upper = _lower = _unread = null;
    }

    private Tensor ViewOf(ParameterBlock block)
    {
        if (!IsPackedAt(block.Shape))
        {
            return View(_flatWeights, block);
        }

        return Packed(_upper)
            .AsTensor(ScalarType.BFloat16, block.Offset * sizeof(ushort), block.Count)
            .view(block.Shape);
    }

    private static MappedMemory Packed(MappedMemory? memory) =>
        memory ?? throw new InvalidOperationException("These weights are not packed.");

    private long[] ShapeAt(long place)
    {
        if (!IsPacked)
        {
            return [];
        }

        return Layout.Blocks.Last(block => block.Offset <= place).Shape;
    }

    private void Set(long offset, long[] shape, Tensor values)
    {
        using DisposeScope scope = NewDisposeScope();
        long count = shape.Aggregate(1L, (product, size) => product * size);
        if (!IsPackedAt(shape))
        {
            _flatWeights.narrow(0, offset, count).view(shape).copy_(values);
            return;
        }

        Tensor wide = values.detach().to(ScalarType.Float32).cpu().contiguous();
        if (wide.numel() != count)
        {
            throw new ArgumentException($"{wide.numel()} values for {count} weights.", nameof(values));
        }

        Store(offset, count, (float*)TensorAddress.Of(wide));
    }

    private static Tensor View(Tensor flat, ParameterBlock block) =>
        flat.narrow(0, block.Offset, block.Count).view(block.Shape);
}
