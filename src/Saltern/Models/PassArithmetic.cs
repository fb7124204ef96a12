// What the fused passes compute, in the type that products read: norms, projections and their gradients, attention, SwiGLU. FusedDecoder.cs says when.
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Keys that each query of a pass sees, and the angles of its positions.</summary>
/// <param name="Cosines">[T, A].</param>
/// <param name="Sines">[T, A].</param>
/// <param name="First">First key of each query, [B·T]; null for 0.</param>
/// <param name="End">One past its last key, [B·T]; null for causal attention.</param>
internal readonly unsafe record struct AttentionInputs(
    AttentionShape Shape,
    nint Cosines,
    nint Sines,
    nint First,
    nint End
);

/// <summary>The residual stream before and after a branch.</summary>
/// <param name="X">Before it, [N, D], float32.</param>
/// <param name="Branch">Added to it; null for none.</param>
/// <param name="Sum">Takes the sum; may be X. Not written without a branch.</param>
internal readonly record struct StreamSum(ActivationBuffer X, ActivationBuffer? Branch, ActivationBuffer Sum);

/// <summary>Arithmetic of a decoder's passes over rows of activations.</summary>
internal abstract unsafe class PassArithmetic(Transformer model) : IDisposable
{
    /// <summary>Threads of the pass.</summary>
    public ParallelOptions Parallel { get; set; } = new();

    /// <summary>Type of the operands: activations that a product reads are kept in it.</summary>
    public abstract ScalarType Type { get; }

    private protected Transformer Model { get; } = model;

    /// <summary>Rows as an operand: themselves, or rounded, until the next call.</summary>
    public abstract ActivationBuffer AsOperand(ActivationBuffer x, int rows);

    /// <summary>y = x·wᵀ + b.</summary>
    /// <param name="y">Float32 or of the operands' type.</param>
    public abstract void Project(ActivationBuffer x, int weight, int? bias, ActivationBuffer y, int rows);

    /// <summary>∂x = g·w.</summary>
    /// <param name="y">Float32 or of the operands' type.</param>
    public abstract void ProjectBack(ActivationBuffer g, int weight, ActivationBuffer y, int rows);

    /// <summary>∂w += gᵀ·x, ∂b += Σ g, in float32.</summary>
    public abstract void AddWeightGradient(int weight, int? bias, ActivationBuffer g, ActivationBuffer x, int rows);

    /// <summary>Attention of all heads.</summary>
    /// <param name="logSums">Takes what the backward pass needs; null where none follows.</param>
    public abstract void Attend(
        AttentionInputs inputs,
        ActivationBuffer qkv,
        ActivationBuffer mixed,
        ActivationBuffer? logSums
    );

    /// <summary>∂ℒ/∂qkv from ∂ℒ/∂mixed.</summary>
    public abstract void AttendBackward(
        AttentionInputs inputs,
        ActivationBuffer qkv,
        ActivationBuffer mixed,
        ActivationBuffer logSums,
        ActivationBuffer mixedGradient,
        ActivationBuffer qkvGradient
    );

    /// <summary>Sum of stream and branch, its norm as an operand, and the factors of the norm.</summary>
    public abstract void Norm(StreamSum stream, NormBlocks norm, ActivationBuffer y, ActivationBuffer scales, int rows);

    /// <summary>The last norm, in float32, and the sum before it.</summary>
    /// <param name="y">[N, D], float32.</param>
    public abstract void LastNorm(StreamSum stream, NormBlocks norm, float* y, ActivationBuffer scales, int rows);

    /// <summary>The norm again from its factors, and the sum before it.</summary>
    public abstract void Renorm(
        StreamSum stream,
        NormBlocks norm,
        ActivationBuffer y,
        ActivationBuffer scales,
        int rows
    );

    /// <summary>Adds ∂ℒ/∂x of a norm to the gradient of the stream, and ∂ℒ/∂w to the weight's.</summary>
    /// <param name="gradient">∂ℒ/∂y.</param>
    public abstract void NormBackward(
        ActivationBuffer x,
        NormBlocks norm,
        ActivationBuffer scales,
        ActivationBuffer gradient,
        ActivationBuffer xGradient,
        int rows
    );

    /// <summary>The stream after a branch, [N, D], float32; the caller owns it.</summary>
    public abstract Tensor Sum(ActivationBuffer x, ActivationBuffer branch, int rows);

    /// <summary>The stream after a branch.</summary>
    public abstract void Add(ActivationBuffer x, ActivationBuffer branch, ActivationBuffer sum, int rows);

    /// <summary>x = x·factor, in the type that x has.</summary>
    public abstract void Multiply(ActivationBuffer x, float factor, int rows);

    /// <summary>y = x·factor, both float32 and as wide.</summary>
    public void Multiply(ActivationBuffer x, ActivationBuffer y, float factor, int rows) =>
        ElementRows.Multiply((Float32*)x.Start, (Float32*)y.Start, factor, rows, x.Width, Parallel);

    /// <summary>x = x·factor.</summary>
    /// <param name="x">[N, D], float32.</param>
    public void Multiply(Float32* x, float factor, int rows) =>
        ElementRows.Multiply(x, x, factor, rows, Model.Config.HiddenSize, Parallel);

    /// <summary>As <see cref="NormBackward"/> for the last norm, or one after a branch, whose gradient is float32 and the first there is.</summary>
    /// <param name="gradient">∂ℒ/∂y, [N, D].</param>
    public abstract void LastNormBackward(
        ActivationBuffer x,
        NormBlocks norm,
        ActivationBuffer scales,
        float* gradient,
        ActivationBuffer xGradient,
        int rows
    );

    /// <summary>Norms of query and key heads, in place; keeps what a backward pass reads.</summary>
    /// <param name="raw">Null where no backward pass follows.</param>
    public abstract void HeadNorm(
        DecoderLayer layer,
        ActivationBuffer qkv,
        ActivationBuffer? raw,
        ActivationBuffer? scales,
        int rows
    );

    /// <summary>∂ℒ/∂(normalised queries and keys) becomes ∂ℒ/∂(queries and keys).</summary>
    public abstract void HeadNormBackward(
        DecoderLayer layer,
        ActivationBuffer qkvGradient,
        ActivationBuffer raw,
        ActivationBuffer scales,
        int rows
    );

    /// <summary>h = f(gate)·up, or f(inner) where there is no gate.</summary>
    public abstract void Activate(ActivationBuffer inner, ActivationBuffer h, int rows);

    /// <summary>What was read becomes its gradient, and ∂ℒ/∂h becomes h again.</summary>
    public abstract void ActivateBackward(ActivationBuffer inner, ActivationBuffer h, int rows);

    /// <inheritdoc/>
    public virtual void Dispose() { }
}

/// <summary>The part that does not depend on how products are made: kernels over rows.</summary>
internal abstract unsafe class PassArithmetic<TElement>(Transformer model) : PassArithmetic(model)
    where TElement : unmanaged, IElement<TElement>
{
    private readonly ActivationBuffer _factors = new(1);
    private readonly ActivationBuffer _keyFactors = new(1);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _factors.Dispose();
        _keyFactors.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    public override void Norm(StreamSum stream, NormBlocks norm, ActivationBuffer y, ActivationBuffer scales, int rows)
    {
        y.Reserve(rows);
        Forward(stream, norm, y.As<TElement>(), scales, rows);
    }

    /// <inheritdoc/>
    public override void LastNorm(StreamSum stream, NormBlocks norm, float* y, ActivationBuffer scales, int rows) =>
        Forward(stream, norm, (Float32*)y, scales, rows);

    /// <inheritdoc/>
    public override void Renorm(
        StreamSum stream,
        NormBlocks norm,
        ActivationBuffer y,
        ActivationBuffer scales,
        int rows
    )
    {
        float* weight = FactorsOf(norm.Weight, _factors);
        TElement* added = Added(stream);
        TElement* to = y.As<TElement>();
        if (norm.Bias is int bias)
        {
            float* shift = Model.Parameters.Address(bias);
            LayerNormKernel.Repeat(
                stream.X.Start,
                added,
                stream.Sum.Start,
                weight,
                shift,
                to,
                scales.Start,
                rows,
                stream.X.Width,
                Parallel
            );
        }
        else
        {
            RmsNormKernel.Repeat(
                stream.X.Start,
                added,
                stream.Sum.Start,
                weight,
                to,
                scales.Start,
                rows,
                stream.X.Width,
                Parallel
            );
        }
    }

    /// <inheritdoc/>
    public override void NormBackward(
        ActivationBuffer x,
        NormBlocks norm,
        ActivationBuffer scales,
        ActivationBuffer gradient,
        ActivationBuffer xGradient,
        int rows
    ) => Backward(x, norm, scales, gradient.As<TElement>(), xGradient, overwrite: false, rows);

    /// <inheritdoc/>
    public override void LastNormBackward(
        ActivationBuffer x,
        NormBlocks norm,
        ActivationBuffer scales,
        float* gradient,
        ActivationBuffer xGradient,
        int rows
    )
    {
        xGradient.Reserve(rows);
        Backward(x, norm, scales, (Float32*)gradient, xGradient, overwrite: true, rows);
    }

    /// <inheritdoc/>
    public override void HeadNorm(
        DecoderLayer layer,
        ActivationBuffer qkv,
        ActivationBuffer? raw,
        ActivationBuffer? scales,
        int rows
    )
    {
        raw?.Reserve(rows);
        scales?.Reserve(rows);
        var kept = new HeadNormKept<TElement>(
            raw is null ? null : raw.As<TElement>(),
            scales is null ? null : scales.Start
        );
        float* queries = FactorsOf(layer.QueryNorm!.Value, _factors);
        float* keys = FactorsOf(layer.KeyNorm!.Value, _keyFactors);
        if (!Model.Config.QkNormWhole)
        {
            HeadForward(HeadShape(rows), qkv.As<TElement>(), queries, keys, kept);
            return;
        }

        // All query heads are one, and all key heads.
        (HeadNormShape query, HeadNormShape key) = WholeShapes(rows);
        HeadForward(query, qkv.As<TElement>(), queries, queries, kept);
        HeadForward(key, qkv.As<TElement>() + query.Size, keys, keys, kept.After(query));
    }

    /// <inheritdoc/>
    public override void HeadNormBackward(
        DecoderLayer layer,
        ActivationBuffer qkvGradient,
        ActivationBuffer raw,
        ActivationBuffer scales,
        int rows
    )
    {
        var kept = new HeadNormKept<TElement>(raw.As<TElement>(), scales.Start);
        var queries = new HeadNormWeight(
            FactorsOf(layer.QueryNorm!.Value, _factors),
            Model.Parameters.VectorGradientAddress(layer.QueryNorm!.Value)
        );
        var keys = new HeadNormWeight(
            FactorsOf(layer.KeyNorm!.Value, _keyFactors),
            Model.Parameters.VectorGradientAddress(layer.KeyNorm!.Value)
        );
        if (!Model.Config.QkNormWhole)
        {
            HeadBackward(HeadShape(rows), qkvGradient.As<TElement>(), queries, keys, kept);
            return;
        }

        (HeadNormShape query, HeadNormShape key) = WholeShapes(rows);
        HeadBackward(query, qkvGradient.As<TElement>(), queries, queries, kept);
        HeadBackward(key, qkvGradient.As<TElement>() + query.Size, keys, keys, kept.After(query));
    }

    private void HeadForward(
        HeadNormShape shape,
        TElement* x,
        float* queries,
        float* keys,
        HeadNormKept<TElement> kept
    ) => HeadNormKernel.Forward(shape, x, queries, keys, kept.Raw, kept.Scales, Model.Config.RmsNormEps, Parallel);

    private void HeadBackward(
        HeadNormShape shape,
        TElement* gradient,
        HeadNormWeight queries,
        HeadNormWeight keys,
        HeadNormKept<TElement> kept
    ) =>
        HeadNormKernel.Backward(
            shape,
            gradient,
            queries.Factors,
            keys.Factors,
            kept.Raw,
            kept.Scales,
            queries.Gradient,
            keys.Gradient,
            Parallel
        );

    /// <inheritdoc/>
    public override Tensor Sum(ActivationBuffer x, ActivationBuffer branch, int rows)
    {
        Tensor sum = x.Rows(rows).clone();
        RmsNormKernel.Add(x.Start, branch.As<TElement>(), (float*)TensorAddress.Of(sum), rows, x.Width, Parallel);
        return sum;
    }

    /// <inheritdoc/>
    public override void Add(ActivationBuffer x, ActivationBuffer branch, ActivationBuffer sum, int rows)
    {
        sum.Reserve(rows);
        RmsNormKernel.Add(x.Start, branch.As<TElement>(), sum.Start, rows, x.Width, Parallel);
    }

    /// <inheritdoc/>
    public override void Multiply(ActivationBuffer x, float factor, int rows) =>
        ElementRows.Multiply(x.As<TElement>(), x.As<TElement>(), factor, rows, x.Width, Parallel);

    /// <inheritdoc/>
    public override void Activate(ActivationBuffer inner, ActivationBuffer h, int rows)
    {
        h.Reserve(rows);
        switch (Model.Config.HiddenAct)
        {
            case Activation.Silu:
                Activate<Silu>(inner, h, rows);
                break;
            case Activation.Gelu:
                Activate<Gelu>(inner, h, rows);
                break;
            case Activation.Relu:
                Activate<Relu>(inner, h, rows);
                break;
            default:
                Activate<GeluTanh>(inner, h, rows);
                break;
        }
    }

    /// <inheritdoc/>
    public override void ActivateBackward(ActivationBuffer inner, ActivationBuffer h, int rows)
    {
        switch (Model.Config.HiddenAct)
        {
            case Activation.Silu:
                ActivateBackward<Silu>(inner, h, rows);
                break;
            case Activation.Gelu:
                ActivateBackward<Gelu>(inner, h, rows);
                break;
            case Activation.Relu:
                ActivateBackward<Relu>(inner, h, rows);
                break;
            default:
                ActivateBackward<GeluTanh>(inner, h, rows);
                break;
        }
    }

    private void Activate<TFunction>(ActivationBuffer inner, ActivationBuffer h, int rows)
        where TFunction : struct, IActivationFunction =>
        ActivationKernel<TFunction, TElement>.Forward(
            inner.As<TElement>(),
            h.As<TElement>(),
            rows,
            h.Width,
            Model.Config.IsGated,
            Parallel
        );

    private void ActivateBackward<TFunction>(ActivationBuffer inner, ActivationBuffer h, int rows)
        where TFunction : struct, IActivationFunction =>
        ActivationKernel<TFunction, TElement>.Backward(
            inner.As<TElement>(),
            h.As<TElement>(),
            rows,
            h.Width,
            Model.Config.IsGated,
            Parallel
        );

    // A norm's factors: its weight, or, where that is kept as w − 1, one more, until the next call.
    private float* FactorsOf(int weight, ActivationBuffer room)
    {
        float* kept = Model.Parameters.Address(weight);
        if (!Model.Config.NormUnitOffset)
        {
            return kept;
        }

        int width = (int)Model.Parameters[weight].shape[0];
        room.Reserve(width);
        ElementRows.AddOne(kept, room.Start, width);
        return room.Start;
    }

    private HeadNormShape HeadShape(int rows)
    {
        TransformerConfig config = Model.Config;
        int stride = (config.NumAttentionHeads + (2 * config.NumKeyValueHeads)) * config.HeadDim;
        return new HeadNormShape(rows, stride, config.NumAttentionHeads, config.NumKeyValueHeads, config.HeadDim);
    }

    // One head of queries, and one of keys, in the same rows.
    private (HeadNormShape Queries, HeadNormShape Keys) WholeShapes(int rows)
    {
        HeadNormShape shape = HeadShape(rows);
        return (
            shape with
            {
                Queries = 1,
                Keys = 0,
                Size = shape.Queries * shape.Size,
            },
            shape with
            {
                Queries = 1,
                Keys = 0,
                Size = shape.Keys * shape.Size,
            }
        );
    }

    private void Forward<TNormed>(StreamSum stream, NormBlocks norm, TNormed* y, ActivationBuffer scales, int rows)
        where TNormed : unmanaged, IElement<TNormed>
    {
        stream.Sum.Reserve(rows);
        scales.Reserve(rows);
        float* weight = FactorsOf(norm.Weight, _factors);
        TElement* added = Added(stream);
        if (norm.Bias is int bias)
        {
            LayerNormKernel.Forward(
                stream.X.Start,
                added,
                stream.Sum.Start,
                weight,
                Model.Parameters.Address(bias),
                y,
                scales.Start,
                rows,
                stream.X.Width,
                Model.Config.LayerNormEps!.Value,
                Parallel
            );
        }
        else
        {
            RmsNormKernel.Forward(
                stream.X.Start,
                added,
                stream.Sum.Start,
                weight,
                y,
                scales.Start,
                rows,
                stream.X.Width,
                Model.Config.RmsNormEps,
                Parallel
            );
        }
    }

    private static TElement* Added(StreamSum stream) => stream.Branch is null ? null : stream.Branch.As<TElement>();

    private void Backward<TGradient>(
        ActivationBuffer x,
        NormBlocks norm,
        ActivationBuffer scales,
        TGradient* gradient,
        ActivationBuffer xGradient,
        bool overwrite,
        int rows
    )
        where TGradient : unmanaged, IElement<TGradient>
    {
        float* weight = FactorsOf(norm.Weight, _factors);
        float* weightGradient = Model.Parameters.VectorGradientAddress(norm.Weight);
        if (norm.Bias is int bias)
        {
            LayerNormKernel.Backward(
                x.Start,
                weight,
                scales.Start,
                gradient,
                xGradient.Start,
                weightGradient,
                Model.Parameters.VectorGradientAddress(bias),
                overwrite,
                rows,
                x.Width,
                Parallel
            );
        }
        else
        {
            RmsNormKernel.Backward(
                x.Start,
                weight,
                scales.Start,
                gradient,
                xGradient.Start,
                weightGradient,
                overwrite,
                rows,
                x.Width,
                Parallel
            );
        }
    }
}

/// <summary>float32 throughout, with libtorch's products.</summary>
internal sealed unsafe class Float32Arithmetic(Transformer model) : PassArithmetic<Float32>(model)
{
    /// <inheritdoc/>
    public override ScalarType Type => ScalarType.Float32;

    /// <inheritdoc/>
    public override ActivationBuffer AsOperand(ActivationBuffer x, int rows) => x;

    /// <inheritdoc/>
    public override void Project(ActivationBuffer x, int weight, int? bias, ActivationBuffer y, int rows)
    {
        using Tensor transposed = Model.Parameters[weight].detach().t();
        Tensor to = y.Rows(rows);
        MatrixProduct.Into(to, x.Rows(rows), transposed, 0);
        if (bias is int b)
        {
            to.add_(Model.Parameters[b].detach());
        }
    }

    /// <inheritdoc/>
    public override void ProjectBack(ActivationBuffer g, int weight, ActivationBuffer y, int rows) =>
        MatrixProduct.Into(y.Rows(rows), g.Rows(rows), Model.Parameters[weight].detach(), 0);

    /// <inheritdoc/>
    public override void AddWeightGradient(int weight, int? bias, ActivationBuffer g, ActivationBuffer x, int rows)
    {
        using Tensor gradient = Model.Parameters.Gradient(weight);
        using Tensor transposed = g.Rows(rows).t();
        MatrixProduct.Into(gradient, transposed, x.Rows(rows), 1);
        if (bias is int b)
        {
            using Tensor biasGradient = Model.Parameters.Gradient(b);
            biasGradient.add_(g.Rows(rows).sum(dim: 0L));
        }
    }

    /// <inheritdoc/>
    public override void Attend(
        AttentionInputs inputs,
        ActivationBuffer qkv,
        ActivationBuffer mixed,
        ActivationBuffer? logSums
    ) =>
        AttentionKernel.Forward(
            inputs.Shape,
            qkv.Start,
            (float*)inputs.Cosines,
            (float*)inputs.Sines,
            (int*)inputs.First,
            (int*)inputs.End,
            mixed.Start,
            logSums is null ? null : logSums.Start,
            Parallel
        );

    /// <inheritdoc/>
    public override void AttendBackward(
        AttentionInputs inputs,
        ActivationBuffer qkv,
        ActivationBuffer mixed,
        ActivationBuffer logSums,
        ActivationBuffer mixedGradient,
        ActivationBuffer qkvGradient
    ) =>
        AttentionKernel.Backward(
            inputs.Shape,
            qkv.Start,
            (float*)inputs.Cosines,
            (float*)inputs.Sines,
            (int*)inputs.First,
            (int*)inputs.End,
            mixed.Start,
            logSums.Start,
            mixedGradient.Start,
            qkvGradient.Start,
            Parallel
        );
}

/// <summary>bfloat16 operands, float32 sums; weights are float32 and rounded for each use, so that no copy can be out of date; packed ones have the rounded numbers already.</summary>
internal sealed unsafe class BFloat16Arithmetic(Transformer model) : PassArithmetic<BFloat16>(model)
{
    private readonly ActivationBuffer _weights = new(1, ScalarType.BFloat16);
    private readonly ActivationBuffer _rows = new(1, ScalarType.BFloat16);
    private readonly ActivationBuffer _rounded = new(model.Config.HiddenSize, ScalarType.BFloat16);

    /// <inheritdoc/>
    public override ScalarType Type => ScalarType.BFloat16;

    /// <inheritdoc/>
    public override ActivationBuffer AsOperand(ActivationBuffer x, int rows)
    {
        _rounded.Reserve(rows);
        BFloat16Pairs.Round(x.Start, _rounded.As<BFloat16>(), rows, x.Width, Parallel);
        return _rounded;
    }

    /// <inheritdoc/>
    public override void Project(ActivationBuffer x, int weight, int? bias, ActivationBuffer y, int rows)
    {
        BFloat16* packed = Room(_weights, BFloat16Pairs.Length(x.Width, y.Width));
        BFloat16* kept = Model.Parameters.OperandAddress(weight);
        if (kept is not null)
        {
            BFloat16Pairs.PackTransposed(kept, x.Width, y.Width, packed, Parallel);
        }
        else
        {
            BFloat16Pairs.PackTransposed(Model.Parameters.Address(weight), x.Width, y.Width, packed, Parallel);
        }

        float* added = null;
        if (bias is int b)
        {
            added = Model.Parameters.Address(b);
        }

        Multiply(x, rows, packed, added, y);
    }

    /// <inheritdoc/>
    public override void ProjectBack(ActivationBuffer g, int weight, ActivationBuffer y, int rows)
    {
        BFloat16* packed = Room(_weights, BFloat16Pairs.Length(g.Width, y.Width));
        BFloat16* kept = Model.Parameters.OperandAddress(weight);
        if (kept is not null)
        {
            BFloat16Pairs.Pack(kept, g.Width, y.Width, packed, Parallel);
        }
        else
        {
            BFloat16Pairs.Pack(Model.Parameters.Address(weight), g.Width, y.Width, packed, Parallel);
        }

        Multiply(g, rows, packed, null, y);
    }

    /// <inheritdoc/>
    public override void AddWeightGradient(int weight, int? bias, ActivationBuffer g, ActivationBuffer x, int rows)
    {
        BFloat16Product.AddTransposed(
            g.As<BFloat16>(),
            g.Width,
            rows,
            g.Width,
            x.As<BFloat16>(),
            x.Width,
            Room(_rows, BFloat16Product.RoomOfTransposed(rows, g.Width, x.Width)),
            Model.Parameters.GradientAddress(weight),
            Parallel
        );
        if (bias is int b)
        {
            BFloat16Product.AddColumnSums(
                g.As<BFloat16>(),
                rows,
                g.Width,
                Model.Parameters.GradientAddress(b),
                Parallel
            );
        }
    }

    /// <inheritdoc/>
    public override void Attend(
        AttentionInputs inputs,
        ActivationBuffer qkv,
        ActivationBuffer mixed,
        ActivationBuffer? logSums
    ) =>
        BFloat16Attention.Forward(
            inputs.Shape,
            qkv.As<BFloat16>(),
            (float*)inputs.Cosines,
            (float*)inputs.Sines,
            (int*)inputs.First,
            (int*)inputs.End,
            mixed.As<BFloat16>(),
            logSums is null ? null : logSums.Start,
            Parallel
        );

    /// <inheritdoc/>
    public override void AttendBackward(
        AttentionInputs inputs,
        ActivationBuffer qkv,
        ActivationBuffer mixed,
        ActivationBuffer logSums,
        ActivationBuffer mixedGradient,
        ActivationBuffer qkvGradient
    ) =>
        BFloat16Attention.Backward(
            inputs.Shape,
            qkv.As<BFloat16>(),
            (float*)inputs.Cosines,
            (float*)inputs.Sines,
            (int*)inputs.First,
            (int*)inputs.End,
            mixed.As<BFloat16>(),
            logSums.Start,
            mixedGradient.As<BFloat16>(),
            qkvGradient.As<BFloat16>(),
            Parallel
        );

    /// <inheritdoc/>
    public override void Dispose()
    {
        _weights.Dispose();
        _rows.Dispose();
        _rounded.Dispose();
        base.Dispose();
    }

    private void Multiply(ActivationBuffer x, int rows, BFloat16* packed, float* bias, ActivationBuffer y)
    {
        y.Reserve(rows);
        BFloat16* a = x.As<BFloat16>();
        if (y.Type == ScalarType.BFloat16)
        {
            BFloat16Product.Multiply(a, x.Width, rows, x.Width, packed, y.Width, bias, y.As<BFloat16>(), Parallel);
        }
        else
        {
            BFloat16Product.Multiply(a, x.Width, rows, x.Width, packed, y.Width, bias, y.Start, add: false, Parallel);
        }
    }

    private static BFloat16* Room(ActivationBuffer buffer, long elements)
    {
        buffer.Reserve(Math.Max(1, elements));
        return buffer.As<BFloat16>();
    }
}
