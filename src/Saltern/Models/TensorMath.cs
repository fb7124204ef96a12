using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>The decoder's element-wise layers, written with libtorch's operations.</summary>
internal static class TensorMath
{
    /// <summary>x / √(mean(x²) + ε) · weight over the last dimension (arXiv:1910.07467).</summary>
    /// <returns>[N, D]; the caller owns it.</returns>
    public static Tensor RmsNorm(Tensor x, Tensor weight, double epsilon)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor scale = x.square().mean([-1L], keepdim: true).add(epsilon).rsqrt(); // [N, 1]
        return (x * scale * weight).MoveToOuterDisposeScope();
    }

    /// <summary>(x − mean(x)) / √(variance(x) + ε) · weight + bias over the last dimension (arXiv:1607.06450).</summary>
    /// <returns>[N, D]; the caller owns it.</returns>
    public static Tensor LayerNorm(Tensor x, Tensor weight, Tensor bias, double epsilon) =>
        nn.functional.layer_norm(x, [x.shape[^1]], weight, bias, epsilon);

    /// <summary>Turns each pair (i, i + A/2) of every head by its position's angle.</summary>
    /// <param name="x">[B, T, heads, A].</param>
    /// <param name="cosines">[1, T, 1, A].</param>
    /// <param name="sines">[1, T, 1, A].</param>
    /// <returns>As x; the caller owns it.</returns>
    public static Tensor Rotate(Tensor x, Tensor cosines, Tensor sines)
    {
        using DisposeScope scope = NewDisposeScope();
        long half = x.shape[^1] / 2;
        Tensor turned = cat([x.narrow(-1, half, half).neg(), x.narrow(-1, 0, half)], dim: -1);
        return ((x * cosines) + (turned * sines)).MoveToOuterDisposeScope();
    }

    /// <summary>f(gate) · up, with gate and up side by side (arXiv:2002.05202), or f(x).</summary>
    /// <returns>[N, F]; the caller owns it.</returns>
    public static Tensor Activate(Tensor x, Activation activation, bool isGated)
    {
        if (!isGated)
        {
            return Activate(x, activation);
        }

        using DisposeScope scope = NewDisposeScope();
        long size = x.shape[1] / 2;
        return (Activate(x.narrow(1, 0, size), activation) * x.narrow(1, size, size)).MoveToOuterDisposeScope();
    }

    // GELU: x·Φ(x), exactly or with tanh in Φ's place (arXiv:1606.08415). As x; the caller owns it.
    private static Tensor Activate(Tensor x, Activation activation)
    {
        switch (activation)
        {
            case Activation.Silu:
                return nn.functional.silu(x);
            case Activation.Relu:
                return nn.functional.relu(x);
            case Activation.Gelu:
                return nn.functional.gelu(x);
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor inner = (x * (1 + (0.044715 * x.square()))).mul(Math.Sqrt(2 / Math.PI));
        return (0.5 * x * (1 + inner.tanh())).MoveToOuterDisposeScope();
    }
}
