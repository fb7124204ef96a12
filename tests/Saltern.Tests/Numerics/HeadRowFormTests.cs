using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Numerics;

// Biases and cap of single rows against libtorch's operations (HeadForm) and, in float64, against tanh itself and its finite differences.
public unsafe class HeadRowFormTests
{
    // A few units of the last place of 1: tanh's rational form, 1/c as a factor, two roundings.
    private const double Tolerance = 1e-6;

    [Theory]
    [InlineData(1, true, 30.0)]
    [InlineData(7, false, 30.0)]
    [InlineData(8, true, 30.0)]
    [InlineData(15, true, 2.0)]
    [InlineData(16, false, 50.0)]
    [InlineData(17, true, 50.0)]
    [InlineData(301, true, 3.0)]
    [InlineData(301, true, null)]
    [InlineData(1000, false, 0.5)]
    public void LogitsAndSlopes_AreThoseOfLibtorch(int width, bool hasBias, double? cap)
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(width);
        Tensor products = randn(width) * 40;
        Tensor bias = randn(width) * 5;
        var form = new HeadForm(hasBias ? bias : null, cap);
        Tensor logits = products.clone();
        form.ApplyTo(logits);
        foreach (bool wide in Widths())
        {
            Tensor row = products.clone();
            Tensor slopes = zeros(width);
            Apply(new HeadRowForm(form), row, slopes, wide);
            double size = cap ?? logits.abs().max().item<float>();
            Assert.True((row - logits).abs().max().item<float>() <= Tolerance * size, $"{row - logits}");
            if (form.Slopes(logits) is Tensor expected)
            {
                Assert.True((slopes - expected).abs().max().item<float>() <= Tolerance, $"{slopes - expected}");
            }
            else
            {
                Assert.Equal(0, slopes.abs().max().item<float>()); // not written
            }
        }
    }

    [Fact]
    public void ValueAndSlope_AreThoseOfTanhInFloat64()
    {
        const double C = 30;
        const double Step = 1e-4;
        float[] values = [.. Enumerable.Range(-4000, 8001).Select(i => i * 0.1f), 1e-3f, -1e-6f, 1e-20f];
        foreach (bool wide in Widths())
        {
            (float[] logits, float[] slopes) = Run(values, C, wide);
            for (int i = 0; i < values.Length; i++)
            {
                double x = values[i];
                double exact = C * Math.Tanh(x / C);
                double slope = ((C * Math.Tanh((x + Step) / C)) - (C * Math.Tanh((x - Step) / C))) / (2 * Step);

                // Relative where tanh is small: the least logits keep their digits.
                Assert.True(Math.Abs(logits[i] - exact) <= Tolerance * Math.Abs(exact), $"{x}: {logits[i]}, {exact}");
                Assert.True(Math.Abs(slopes[i] - slope) <= Tolerance, $"{x}: {slopes[i]}, {slope}");
            }
        }
    }

    [Fact]
    public void Extremes_AreBoundedAndNaNStays()
    {
        const float C = 30;
        float[] values =
        [
            0f,
            -0f,
            float.Epsilon,
            -1e-40f,
            1e-38f,
            float.MaxValue,
            float.MinValue,
            float.PositiveInfinity,
            float.NegativeInfinity,
            float.NaN,
        ];
        foreach (bool wide in Widths())
        {
            foreach (int copies in new[] { 1, 2, 7 })
            {
                // In full lanes and in the last ones.
                (float[] logits, float[] slopes) = Run(
                    [.. Enumerable.Repeat(values, copies).SelectMany(v => v)],
                    C,
                    wide
                );
                for (int i = 0; i < logits.Length; i++)
                {
                    float x = values[i % values.Length];
                    if (float.IsNaN(x))
                    {
                        Assert.True(float.IsNaN(logits[i]) && float.IsNaN(slopes[i]));
                    }
                    else if (Math.Abs(x) < 1)
                    {
                        Assert.Equal(x, logits[i], 1e-40f); // within a few denormal numbers
                        Assert.Equal(1f, slopes[i], 1e-6f);
                    }
                    else
                    {
                        Assert.Equal(MathF.CopySign(C, x), logits[i], 1e-5f);
                        Assert.InRange(slopes[i], 0f, 2e-6f);
                    }
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(39)]
    public void MultiplySlopes_IsTheProduct(int width)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor gradient = randn(width);
        Tensor slopes = rand(width);
        foreach (bool wide in Widths())
        {
            Tensor row = gradient.clone();
            if (wide)
            {
                HeadRowForm.Multiply<Lanes512>(Start(row), width, Start(slopes));
            }
            else
            {
                HeadRowForm.Multiply<Lanes256>(Start(row), width, Start(slopes));
            }

            Assert.Equal((gradient * slopes).data<float>().ToArray(), row.data<float>().ToArray());
        }
    }

    [Fact]
    public void NoForm_ChangesNothing()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor products = randn(33);
        Tensor row = products.clone();
        var form = new HeadRowForm(null);
        Assert.True(form.IsNothing);
        form.Apply(Start(row), 33);
        Assert.Equal(products.data<float>().ToArray(), row.data<float>().ToArray());
    }

    private static bool[] Widths() => Lanes512.AreFast ? [false, true] : [false];

    private static (float[] Logits, float[] Slopes) Run(float[] values, double cap, bool wide)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor row = tensor(values);
        Tensor slopes = zeros(values.Length);
        Apply(new HeadRowForm(new HeadForm(null, cap)), row, slopes, wide);
        return (row.data<float>().ToArray(), slopes.data<float>().ToArray());
    }

    private static void Apply(HeadRowForm form, Tensor row, Tensor slopes, bool wide)
    {
        if (wide)
        {
            form.Apply<Lanes512>(Start(row), (int)row.shape[0], Start(slopes));
        }
        else
        {
            form.Apply<Lanes256>(Start(row), (int)row.shape[0], Start(slopes));
        }
    }

    private static float* Start(Tensor tensor) => (float*)TensorAddress.Of(tensor);
}
