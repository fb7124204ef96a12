using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>Operators that libtorch computes in one pass, on a processor and on a GPU, and TorchSharp has no method for.</summary>
internal static class FusedOperators
{
    /// <summary>One update of AdamW for many tensors, with nothing read back: rate, count, clipping and whether to update at all are tensors on the weights' device.</summary>
    /// <param name="weights">Changed.</param>
    /// <param name="gradients">Of the weights' shapes; divided by <see cref="AdamWFactors.GradientScale"/> in place.</param>
    /// <param name="first">m, changed.</param>
    /// <param name="second">v, changed.</param>
    /// <param name="counts">Updates made with this one, a float32 scalar for each tensor.</param>
    public static void AdamW(
        Tensor[] weights,
        Tensor[] gradients,
        Tensor[] first,
        Tensor[] second,
        Tensor[] counts,
        AdamWFactors factors
    ) =>
        TorchOperator.Call(
            "aten::_fused_adamw_",
            "tensor_lr",
            0,
            weights,
            gradients,
            first,
            second,
            Array.Empty<Tensor>(),
            counts,
            factors.Rate,
            factors.Beta1,
            factors.Beta2,
            factors.Decay,
            factors.Epsilon,
            false,
            false,
            OperatorArgument.Optional(factors.GradientScale),
            OperatorArgument.Optional(factors.LeaveOut)
        );

    /// <summary>x / √(mean(x²) + ε)·w over the last dimension.</summary>
    /// <param name="input">[…, D].</param>
    /// <param name="weight">[D].</param>
    /// <returns>Of the input's shape, and 1 / √(mean(x²) + ε), […, 1]; the caller's scope owns both.</returns>
    public static (Tensor Output, Tensor InverseRoot) RmsNorm(Tensor input, Tensor weight, double epsilon)
    {
        Tensor[] results = TorchOperator.Call(
            "aten::_fused_rms_norm",
            "",
            2,
            input,
            weight.shape,
            OperatorArgument.Optional(weight),
            OperatorArgument.Optional(epsilon)
        );
        return (results[0], results[1]);
    }

    /// <summary>Gradients of <see cref="RmsNorm"/>; libtorch has them for GPUs alone.</summary>
    /// <param name="inverseRoot">As the forward pass gave it.</param>
    public static (Tensor Input, Tensor Weight) RmsNormBackward(
        Tensor gradient,
        Tensor input,
        Tensor inverseRoot,
        Tensor weight
    )
    {
        // std::array<bool, 2> of the schema is a list of bools: which gradients are wanted.
        Tensor[] results = TorchOperator.Call(
            "aten::_fused_rms_norm_backward",
            "",
            2,
            gradient,
            input,
            weight.shape,
            inverseRoot,
            OperatorArgument.Optional(weight),
            new long[] { 1, 1 }
        );
        return (results[0], results[1]);
    }

    /// <summary>Each tensor times the same factor, in place, in one launch.</summary>
    /// <param name="factor">A scalar on their device.</param>
    public static void Multiply(Tensor[] tensors, Tensor factor) =>
        TorchOperator.Call("aten::_foreach_mul_", "Tensor", 0, tensors, factor);

    /// <summary>Each tensor 0, in one launch.</summary>
    public static void Zero(Tensor[] tensors) => TorchOperator.Call("aten::_foreach_zero_", "", 0, tensors);

    /// <summary>Each tensor from its source, in one launch; types may differ.</summary>
    public static void Copy(Tensor[] tensors, Tensor[] sources) =>
        TorchOperator.Call("aten::_foreach_copy_", "", 0, tensors, sources, true);

    /// <summary>One tensor from another, to or from a GPU behind the work that was launched before, without waiting for it.</summary>
    /// <param name="to">On the processor only pinned memory lets the processor go on.</param>
    public static void CopyWithoutWaiting(Tensor to, Tensor from) =>
        TorchOperator.Call("aten::copy_", "", 1, to, from, true)[0].Dispose();

    /// <summary>softmax(q·kᵀ·scale)·v by libtorch's fused attention: flash attention where shapes and type allow it.</summary>
    /// <param name="query">[B, heads, T, width].</param>
    /// <param name="key">[B, heads or fewer, T, width].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="scale">null for 1/√width.</param>
    public static Tensor Attention(Tensor query, Tensor key, Tensor value, bool causal, double? scale = null) =>
        TorchOperator.Call(
            "aten::scaled_dot_product_attention",
            "",
            1,
            query,
            key,
            value,
            OperatorArgument.None,
            0.0,
            causal,
            OperatorArgument.Optional(scale),
            query.shape[1] != key.shape[1]
        )[0];
}

/// <summary>The numbers of an update of AdamW that libtorch's operator makes.</summary>
/// <param name="Rate">η, a float32 scalar on the weights' device.</param>
/// <param name="Decay">λ; weights lose η·λ of themselves first.</param>
/// <param name="GradientScale">Divides the gradients, a float32 scalar on their device; null for 1.</param>
/// <param name="LeaveOut">1 where nothing may change, else 0, a float32 scalar on their device; null for 0.</param>
internal readonly record struct AdamWFactors(
    Tensor Rate,
    double Beta1,
    double Beta2,
    double Decay,
    double Epsilon,
    Tensor? GradientScale = null,
    Tensor? LeaveOut = null
);
