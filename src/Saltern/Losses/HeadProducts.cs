// The three products of an output head, in float32 or bfloat16: logits, ∂hidden, ∂head. N = positions, M = rows of a chunk, V = rows of the head, D = hidden size.
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>Products of one model's output head with its hidden states, chunk by chunk.</summary>
internal abstract class HeadProducts : IDisposable
{
    /// <summary>Products of a type.</summary>
    /// <param name="type">bfloat16 where the processor has it and the width is even; else float32.</param>
    /// <param name="width">D.</param>
    public static HeadProducts Create(ScalarType type, int width, ParallelOptions parallel)
    {
        if (type == ScalarType.BFloat16 && width % 2 == 0 && BFloat16Product.IsThere)
        {
            return new BFloat16HeadProducts(parallel);
        }

        return new Float32HeadProducts();
    }

    /// <summary>Takes the hidden states and the head of a micro-batch, whose weights do not change until the next.</summary>
    /// <param name="hidden">[N, D].</param>
    /// <param name="head">[V, D], float32, or, for bfloat16 products, bfloat16.</param>
    /// <param name="backward">Whether gradients are asked for.</param>
    public abstract void Begin(Tensor hidden, Tensor head, bool backward);

    /// <summary>Logits of some rows.</summary>
    /// <param name="to">[M, V], float32, overwritten.</param>
    public abstract void Logits(int first, Tensor to);

    /// <summary>Told that one row of the gradient at the logits is ready; may write it in another form where it is.</summary>
    /// <param name="gradient">[V].</param>
    public virtual unsafe void TakeGradientRow(float* gradient) { }

    /// <summary>∂hidden, and ∂head added to what is there.</summary>
    /// <param name="first">First row of the chunk.</param>
    /// <param name="logits">Gradient at the logits, [M, V], all of whose rows were taken.</param>
    /// <param name="hiddenGradient">[M, D], overwritten.</param>
    /// <param name="headGradient">[V, D]; null where the head is not trained.</param>
    public abstract void Gradients(int first, Tensor logits, Tensor hiddenGradient, Tensor? headGradient);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the buffers.</summary>
    protected virtual void Dispose(bool disposing) { }
}

/// <summary>libtorch's products.</summary>
internal sealed class Float32HeadProducts : HeadProducts
{
    private Tensor? _hidden;
    private Tensor? _head;

    /// <inheritdoc/>
    public override void Begin(Tensor hidden, Tensor head, bool backward) => (_hidden, _head) = (hidden, head);

    /// <inheritdoc/>
    public override void Logits(int first, Tensor to) =>
        MatrixProduct.Into(to, _hidden!.narrow(0, first, to.shape[0]), _head!.t(), 0);

    /// <inheritdoc/>
    public override void Gradients(int first, Tensor logits, Tensor hiddenGradient, Tensor? headGradient)
    {
        MatrixProduct.Into(hiddenGradient, logits, _head!, 0);
        if (headGradient is null)
        {
            return;
        }

        MatrixProduct.Into(headGradient, logits.t(), _hidden!.narrow(0, first, logits.shape[0]), 1);
    }
}

/// <summary>Products of rounded operands with float32 sums: the head is rounded and packed once for a micro-batch, each row of the gradient where the softmax leaves it.</summary>
internal sealed unsafe class BFloat16HeadProducts(ParallelOptions parallel) : HeadProducts
{
    private readonly ActivationBuffer _hidden = new(1, ScalarType.BFloat16);
    private readonly ActivationBuffer _forward = new(1, ScalarType.BFloat16);
    private readonly ActivationBuffer _backward = new(1, ScalarType.BFloat16);
    private readonly ActivationBuffer _rows = new(1, ScalarType.BFloat16);
    private int _width;
    private int _columns;

    // From one row of the gradient to the next: rounded in place, it takes half of each row of logits.
    private int Stride => 2 * _columns;

    /// <inheritdoc/>
    public override void Begin(Tensor hidden, Tensor head, bool backward)
    {
        int count = (int)hidden.shape[0];
        (_columns, _width) = ((int)head.shape[0], (int)head.shape[1]);
        BFloat16Pairs.Round(
            (float*)TensorAddress.Of(hidden),
            Room(_hidden, (long)count * _width),
            count,
            _width,
            parallel
        );
        if (head.dtype == ScalarType.BFloat16)
        {
            Pack((BFloat16*)TensorAddress.Of(head), backward);
        }
        else
        {
            Pack((float*)TensorAddress.Of(head), backward);
        }
    }

    private void Pack<TElement>(TElement* weights, bool backward)
        where TElement : unmanaged
    {
        BFloat16* forward = Room(_forward, BFloat16Pairs.Length(_width, _columns));
        BFloat16Pairs.PackTransposed(weights, _width, _columns, forward, parallel);
        if (backward)
        {
            BFloat16* back = Room(_backward, BFloat16Pairs.Length(_columns, _width));
            BFloat16Pairs.Pack(weights, _columns, _width, back, parallel);
        }
    }

    /// <inheritdoc/>
    public override void Logits(int first, Tensor to)
    {
        int rows = (int)to.shape[0];
        BFloat16Product.Multiply(
            _hidden.As<BFloat16>() + ((long)first * _width),
            _width,
            rows,
            _width,
            _forward.As<BFloat16>(),
            _columns,
            null,
            (float*)TensorAddress.Of(to),
            add: false,
            parallel
        );
    }

    /// <inheritdoc/>
    public override void TakeGradientRow(float* gradient)
    {
        var to = (BFloat16*)gradient;
        BFloat16Pairs.Round(gradient, to, _columns);
        new Span<BFloat16>(to + _columns, _columns & 1).Clear();
    }

    /// <inheritdoc/>
    public override void Gradients(int first, Tensor logits, Tensor hiddenGradient, Tensor? headGradient)
    {
        int rows = (int)logits.shape[0];
        var gradients = (BFloat16*)TensorAddress.Of(logits);
        BFloat16Product.Multiply(
            gradients,
            Stride,
            rows,
            _columns,
            _backward.As<BFloat16>(),
            _width,
            null,
            (float*)TensorAddress.Of(hiddenGradient),
            add: false,
            parallel
        );
        if (headGradient is null)
        {
            return;
        }

        BFloat16Product.AddTransposed(
            gradients,
            Stride,
            rows,
            _columns,
            _hidden.As<BFloat16>() + ((long)first * _width),
            _width,
            Room(_rows, BFloat16Product.RoomOfTransposed(rows, _columns, _width)),
            (float*)TensorAddress.Of(headGradient),
            parallel
        );
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (ActivationBuffer buffer in new[] { _hidden, _forward, _backward, _rows })
        {
            buffer.Dispose();
        }

        base.Dispose(disposing);
    }

    private static BFloat16* Room(ActivationBuffer buffer, long elements)
    {
        buffer.Reserve(Math.Max(1, elements));
        return buffer.As<BFloat16>();
    }
}
