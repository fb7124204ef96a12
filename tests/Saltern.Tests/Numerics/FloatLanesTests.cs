using Saltern.Numerics;

namespace Saltern.Tests.Numerics;

public unsafe class FloatLanesTests
{
    [Fact]
    public void Exp_IsWithinTwoUnitsInTheLastPlace()
    {
        for (float x = -87.3f; x < 88f; x += 0.0137f)
        {
            double exact = Math.Exp((double)x);
            double unit = (double)MathF.BitIncrement((float)exact) - (float)exact;
            Assert.True(
                Math.Abs(LaneMath.Exp(x) - exact) <= 2 * unit,
                $"exp({x}) = {LaneMath.Exp(x):r}, exact {exact:r}"
            );
            Assert.Equal(LaneMath.Exp(x), One<Lanes256>(x));
            if (Lanes512.AreFast)
            {
                Assert.Equal(LaneMath.Exp(x), One<Lanes512>(x));
            }
        }
    }

    [Fact]
    public void Exp_OfTheExtremes()
    {
        foreach (
            Func<float, float> exp in new Func<float, float>[]
            {
                LaneMath.Exp,
                One<Lanes256>,
                x => Lanes512.AreFast ? One<Lanes512>(x) : LaneMath.Exp(x),
            }
        )
        {
            Assert.Equal(1f, exp(0));
            Assert.Equal(0f, exp(float.NegativeInfinity));
            Assert.Equal(0f, exp(-1e30f));
            Assert.Equal(0f, exp(-88f));
            Assert.True(float.IsNaN(exp(float.NaN)));
            Assert.True(exp(1e30f) > 1e38f);
        }
    }

    [Fact]
    public void MaximumAndSum_AgreeWithOneByOne()
    {
        float* values = stackalloc float[16];
        for (int i = 0; i < 16; i++)
        {
            values[i] = (i * 7 % 16) - 5;
        }

        Assert.Equal(10f, Lanes256.Max(Lanes256.Max(Lanes256.Load(values), Lanes256.Load(values + 8))));
        Assert.Equal(40f, Lanes256.Sum(Lanes256.Load(values) + Lanes256.Load(values + 8)));
        if (Lanes512.AreFast)
        {
            Assert.Equal(10f, Lanes512.Max(Lanes512.Load(values)));
            Assert.Equal(40f, Lanes512.Sum(Lanes512.Load(values)));
            values[3] = float.NaN;
            Assert.True(float.IsNaN(Lanes512.Max(Lanes512.Load(values))));
        }
    }

    private static float One<TLanes>(float x)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        float* to = stackalloc float[16];
        TLanes.Exp(TLanes.Create(x)).Store(to);
        return to[TLanes.Count - 1];
    }
}
