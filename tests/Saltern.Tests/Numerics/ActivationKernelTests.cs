using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Numerics;

// Activations with their gradients against libtorch's in float64, over the whole range in which they bend, and widths with and without full lanes.
public unsafe class ActivationKernelTests
{
    private static readonly ParallelOptions TwoThreads = new() { MaxDegreeOfParallelism = 2 };

    [Theory]
    [InlineData("silu", true)]
    [InlineData("gelu", false)]
    [InlineData("gelu", true)]
    [InlineData("tanh", false)]
    [InlineData("tanh", true)]
    [InlineData("relu", false)]
    public void ValuesAndGradients_AreLibtorchs(string function, bool gated)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(4);
        foreach (int width in new[] { 1, 7, 16, 37, 64 })
        {
            const int Rows = 70;
            Tensor inner = randn(Rows, (gated ? 2 : 1) * width) * 4;
            inner[0, 0] = 0;
            inner[1, 0] = -30;
            inner[2, 0] = 30;
            Tensor gradient = randn(Rows, width);
            Tensor exact = inner.to(ScalarType.Float64).requires_grad_(true);
            Tensor a = exact.narrow(1, 0, width);
            Tensor value = function switch
            {
                "silu" => nn.functional.silu(a),
                "gelu" => nn.functional.gelu(a),
                "tanh" => 0.5 * a * (1 + (Math.Sqrt(2 / Math.PI) * (a + (0.044715 * a.pow(3)))).tanh()),
                _ => nn.functional.relu(a),
            };
            Tensor h = gated ? value * exact.narrow(1, width, width) : value;
            h.backward([gradient.to(ScalarType.Float64)]);

            Tensor found = zeros(Rows, width);
            Tensor back = gradient.clone();
            Tensor innerBack = inner.clone();
            Run(function, inner, found, innerBack, back, width, gated);
            AssertClose(found, h.detach());
            AssertClose(innerBack, exact.grad!);
            AssertClose(back, h.detach());
        }
    }

    private static void Run(
        string function,
        Tensor inner,
        Tensor h,
        Tensor innerGradient,
        Tensor gradient,
        int width,
        bool gated
    )
    {
        switch (function)
        {
            case "silu":
                Run<Silu>(inner, h, innerGradient, gradient, width, gated);
                break;
            case "gelu":
                Run<Gelu>(inner, h, innerGradient, gradient, width, gated);
                break;
            case "tanh":
                Run<GeluTanh>(inner, h, innerGradient, gradient, width, gated);
                break;
            default:
                Run<Relu>(inner, h, innerGradient, gradient, width, gated);
                break;
        }
    }

    private static void Run<TFunction>(
        Tensor inner,
        Tensor h,
        Tensor innerGradient,
        Tensor gradient,
        int width,
        bool gated
    )
        where TFunction : struct, IActivationFunction
    {
        int rows = (int)h.shape[0];
        ActivationKernel<TFunction, Float32>.Forward(Start(inner), Start(h), rows, width, gated, TwoThreads);
        ActivationKernel<TFunction, Float32>.Backward(
            Start(innerGradient),
            Start(gradient),
            rows,
            width,
            gated,
            TwoThreads
        );
    }

    private static Float32* Start(Tensor tensor) => (Float32*)TensorAddress.Of(tensor);

    private static void AssertClose(Tensor actual, Tensor expected)
    {
        double difference = (actual.to(ScalarType.Float64) - expected).abs().max().item<double>();
        double size = expected.abs().max().item<double>();
        Assert.True(difference <= 3e-6 * size, $"differs by {difference / size:e2} of the largest");
    }
}
