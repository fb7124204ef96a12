using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Numerics;

// libtorch's fused operators, called by name on the processor's libtorch, against their formulas in float64. The calls on a GPU are the same.
public class FusedOperatorsTests
{
    private static readonly double[] Rates = [3e-3, 2e-3, 1e-3];

    [Theory]
    [InlineData(1.0)]
    [InlineData(2.5)]
    public void AdamW_IsItsFormula(double gradientScale)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(3);
        const double Beta1 = 0.9;
        const double Beta2 = 0.95;
        const double Decay = 0.1;
        const double Epsilon = 1e-8;
        Tensor[] weights = [randn(37, 5), randn(101)];
        Tensor[] first = [zeros(37, 5), zeros(101)];
        Tensor[] second = [zeros(37, 5), zeros(101)];
        Tensor[] counts = [zeros(1).squeeze(), zeros(1).squeeze()];
        double[][] exact = [.. weights.Select(Numbers)];
        double[][] m = [.. exact.Select(values => new double[values.Length])];
        double[][] v = [.. exact.Select(values => new double[values.Length])];
        for (int step = 1; step <= Rates.Length; step++)
        {
            Tensor[] gradients = [randn(37, 5), randn(101)];
            double[][] g = [.. gradients.Select(Numbers)];
            for (int i = 0; i < weights.Length; i++)
            {
                counts[i].add_(1);
                for (int j = 0; j < exact[i].Length; j++)
                {
                    double gradient = g[i][j] / gradientScale;
                    m[i][j] = (Beta1 * m[i][j]) + ((1 - Beta1) * gradient);
                    v[i][j] = (Beta2 * v[i][j]) + ((1 - Beta2) * gradient * gradient);
                    double root = Math.Sqrt(v[i][j] / (1 - Math.Pow(Beta2, step))) + Epsilon;
                    double kept = exact[i][j] * (1 - (Rates[step - 1] * Decay));
                    exact[i][j] = kept - (Rates[step - 1] * m[i][j] / (1 - Math.Pow(Beta1, step)) / root);
                }
            }

            FusedOperators.AdamW(
                weights,
                gradients,
                first,
                second,
                counts,
                new AdamWFactors(tensor((float)Rates[step - 1]), Beta1, Beta2, Decay, Epsilon)
                {
                    GradientScale = gradientScale == 1.0 ? null : tensor((float)gradientScale),
                }
            );
        }

        for (int i = 0; i < weights.Length; i++)
        {
            // Weights of size 1 to 3 in float32, three updates: 6e-8 each time for the rounding of a number near 1.
            double largest = Largest(exact[i], Numbers(weights[i]));
            Assert.True(largest <= 6e-7, $"weights differ by {largest:e2}");
            Assert.True(Largest(m[i], Numbers(first[i])) <= 1e-6);
            Assert.True(Largest(v[i], Numbers(second[i])) <= 1e-6);
        }
    }

    [Fact]
    public void AdamW_LeavesAllAsItIs_WhereToldSoByATensor()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(4);
        Tensor weight = randn(64);
        Tensor before = weight.clone();
        foreach (float leaveOut in new[] { 1f, 0f })
        {
            FusedOperators.AdamW(
                [weight],
                [full(64, float.NaN)],
                [zeros(64)],
                [zeros(64)],
                [ones(1).squeeze()],
                new AdamWFactors(tensor(1e-3f), 0.9, 0.95, 0.1, 1e-8) { LeaveOut = tensor(leaveOut) }
            );
            Assert.Equal(leaveOut == 1f, weight.equal(before).all().item<bool>());
        }
    }

    [Fact]
    public void RmsNorm_IsItsFormula()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(5);
        const double Epsilon = 1e-5;
        Tensor input = randn(19, 48);
        Tensor weight = randn(48);
        (Tensor output, Tensor inverse) = FusedOperators.RmsNorm(input, weight, Epsilon);
        Tensor x = input.to(ScalarType.Float64);
        Tensor root = (x.square().mean([1L], keepdim: true) + Epsilon).rsqrt();
        AssertClose(root, inverse, 1e-6); // float32 sums of 48
        AssertClose(x * root * weight.to(ScalarType.Float64), output, 1e-6);
    }

    // libtorch has this operator's kernel for GPUs alone: on the processor the call finds the schema, hands the arguments over and is told that.
    [Fact]
    public void GradientsOfRmsNorm_AreAGpus()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(5);
        const double Epsilon = 1e-5;
        Device device = cuda.is_available() ? CUDA : CPU;
        Tensor input = randn(19, 48).to(device);
        Tensor weight = randn(48).to(device);
        Tensor gradient = randn(19, 48).to(device);
        (_, Tensor inverse) = FusedOperators.RmsNorm(input, weight, Epsilon);
        if (device.type == DeviceType.CPU)
        {
            string message = Assert
                .Throws<PlatformNotSupportedException>(() =>
                    FusedOperators.RmsNormBackward(gradient, input, inverse, weight)
                )
                .Message;
            Assert.Contains("aten::_fused_rms_norm_backward", message, StringComparison.Ordinal);
            return;
        }

        (Tensor toInput, Tensor toWeight) = FusedOperators.RmsNormBackward(gradient, input, inverse, weight);

        Tensor x = input.to(ScalarType.Float64).requires_grad_(true);
        Tensor w = weight.to(ScalarType.Float64).requires_grad_(true);
        Tensor expected = x * (x.square().mean([1L], keepdim: true) + Epsilon).rsqrt() * w;
        (expected * gradient.to(ScalarType.Float64)).sum().backward();

        // float32 sums of 48, and of 19 rows for the weight.
        AssertClose(x.grad!, toInput, 2e-6);
        AssertClose(w.grad!, toWeight, 3e-6);
    }

    [Fact]
    public void ForeachOperators_ChangeEachTensor()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(6);
        Tensor[] tensors = [randn(7), randn(3, 4)];
        Tensor[] before = [.. tensors.Select(tensor => tensor.clone())];
        FusedOperators.Multiply(tensors, tensor(0.25f));
        Assert.All(tensors.Zip(before), pair => Assert.True(pair.First.equal(pair.Second * 0.25).all().item<bool>()));
        Tensor[] wide = [zeros(7, ScalarType.Float64), zeros([3, 4], ScalarType.Float64)];
        FusedOperators.Copy(wide, tensors);
        Assert.All(wide.Zip(tensors), pair => Assert.Equal(Numbers(pair.Second), Numbers(pair.First)));
        FusedOperators.Zero(tensors);
        Assert.All(tensors, tensor => Assert.Equal(0, tensor.abs().sum().item<float>()));
    }

    [Theory]
    [InlineData(4, 4)]
    [InlineData(4, 2)]
    public void Attention_IsItsFormula(int heads, int keyHeads)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(7);
        const int T = 33;
        const int Width = 16;
        Tensor query = randn(2, heads, T, Width);
        Tensor key = randn(2, keyHeads, T, Width);
        Tensor value = randn(2, keyHeads, T, Width);
        Tensor actual = FusedOperators.Attention(query, key, value, causal: true);

        static Tensor Wide(Tensor part, int times) => part.to(ScalarType.Float64).repeat_interleave(times, 1);
        Tensor scores = Wide(query, 1).matmul(Wide(key, heads / keyHeads).transpose(2, 3)) / Math.Sqrt(Width);
        Tensor hidden = ones([T, T], ScalarType.Bool).triu(1);
        Tensor shares = nn.functional.softmax(scores.masked_fill(hidden, double.NegativeInfinity), 3);
        AssertClose(shares.matmul(Wide(value, heads / keyHeads)), actual, 2e-6);
    }

    [Fact]
    public void ManyCalls_LeakNoTensor()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor input = randn(4, 8);
        Tensor weight = ones(8);
        long before = Tensor.TotalCount;
        for (int i = 0; i < 50; i++)
        {
            using DisposeScope inner = NewDisposeScope();
            FusedOperators.RmsNorm(input, weight, 1e-5);
            FusedOperators.Multiply([input, weight], tensor(1f));
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void AnOperatorThatIsNotThere_IsNamed()
    {
        string message = Assert
            .Throws<PlatformNotSupportedException>(() => TorchOperator.Call("aten::_fused_adamw_", "no_such", 0))
            .Message;
        Assert.Contains("has no operator aten::_fused_adamw_.no_such", message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALibraryWithoutTheInterface_IsRefusedWithTheNames()
    {
        Assert.Null(TorchOperator.MissingIn("torch_cpu"));
        Assert.Contains(
            "libc.so.6 has no torch_call_dispatcher, torch_new_list_reserve_size",
            TorchOperator.MissingIn("libc.so.6"),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "/nowhere/libtorch_cpu.so cannot be loaded",
            TorchOperator.MissingIn("/nowhere/libtorch_cpu.so"),
            StringComparison.Ordinal
        );
    }

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance)
    {
        double largest = Largest(Numbers(expected), Numbers(actual));
        Assert.True(largest <= tolerance, $"the largest difference is {largest:e2}, allowed {tolerance:e2}");
    }

    private static double Largest(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        return expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
    }

    private static double[] Numbers(Tensor tensor)
    {
        using DisposeScope scope = NewDisposeScope();
        return tensor.to(ScalarType.Float64).cpu().contiguous().view(-1).data<double>().ToArray();
    }
}
