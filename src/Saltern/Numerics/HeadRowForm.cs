// What HeadForm does to logits, a row at a time while it is in the cache: y = c·tanh((x + b)/c) and, where asked for, ∂y/∂x = 1 − (y/c)².
using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>Biases and cap of an output head's logits, for single rows in the processor's memory; valid while the form's biases and the dispose scope it was made in live.</summary>
/// <remarks>Its twin is <see cref="HeadForm"/>, in libtorch's operations. They agree to within rounding: tanh is <see cref="LaneMath.Tanh"/>, and 1/c a factor.</remarks>
internal readonly unsafe struct HeadRowForm
{
    private const int MostLanes = 16;
    private readonly float* _bias;
    private readonly float _cap;

    /// <summary>Prepares a form for some rows.</summary>
    /// <param name="form">Null changes nothing.</param>
    public HeadRowForm(HeadForm? form)
    {
        _cap = (float)(form?.Cap ?? 0);
        if (form?.Bias is Tensor bias)
        {
            _bias = (float*)TensorAddress.Of(bias.detach().to(ScalarType.Float32).contiguous());
        }
    }

    /// <summary>Whether products are the logits, and every slope is 1.</summary>
    public bool IsNothing => _bias is null && _cap == 0;

    /// <summary>Whether there are slopes.</summary>
    public bool HasSlopes => _cap != 0;

    /// <summary>Logits in place of the products of one row.</summary>
    /// <param name="row">x, [count]; y afterwards.</param>
    /// <param name="slopes">Takes ∂y/∂x, [count]; null where they are not asked for. Not written without a cap.</param>
    public void Apply(float* row, int count, float* slopes = null)
    {
        if (IsNothing)
        {
            return;
        }

        if (Lanes512.AreFast)
        {
            Apply<Lanes512>(row, count, slopes);
        }
        else
        {
            Apply<Lanes256>(row, count, slopes);
        }
    }

    /// <summary>Gradient at the products in place of that at the logits.</summary>
    /// <param name="row">∂ℒ/∂y, [count]; ∂ℒ/∂x afterwards.</param>
    /// <param name="slopes">As <see cref="Apply(float*, int, float*)"/> left them.</param>
    public static void MultiplySlopes(float* row, int count, float* slopes)
    {
        if (Lanes512.AreFast)
        {
            Multiply<Lanes512>(row, count, slopes);
        }
        else
        {
            Multiply<Lanes256>(row, count, slopes);
        }
    }

    /// <summary><see cref="Apply(float*, int, float*)"/> in lanes of a width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Apply<TLanes>(float* row, int count, float* slopes)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        int i = 0;
        for (; i <= count - TLanes.Count; i += TLanes.Count)
        {
            ApplyLanes<TLanes>(row + i, _bias is null ? null : _bias + i, slopes is null ? null : slopes + i);
        }

        if (i < count)
        {
            // The last numbers of a row, in lanes that are not full.
            float* rest = stackalloc float[3 * MostLanes];
            int left = count - i;
            Copy(row + i, rest, left);
            if (_bias is not null)
            {
                Copy(_bias + i, rest + MostLanes, left);
            }

            ApplyLanes<TLanes>(rest, _bias is null ? null : rest + MostLanes, rest + (2 * MostLanes));
            Copy(rest, row + i, left);
            if (slopes is not null)
            {
                Copy(rest + (2 * MostLanes), slopes + i, left);
            }
        }
    }

    /// <summary><see cref="MultiplySlopes"/> in lanes of a width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Multiply<TLanes>(float* row, int count, float* slopes)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        int i = 0;
        for (; i <= count - TLanes.Count; i += TLanes.Count)
        {
            (TLanes.Load(row + i) * TLanes.Load(slopes + i)).Store(row + i);
        }

        for (; i < count; i++)
        {
            row[i] *= slopes[i];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ApplyLanes<TLanes>(float* row, float* bias, float* slopes)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        var x = TLanes.Load(row);
        if (bias is not null)
        {
            x += TLanes.Load(bias);
        }

        if (_cap == 0)
        {
            x.Store(row);
            return;
        }

        TLanes t = LaneMath.Tanh(x * TLanes.Create(1f / _cap));
        (t * TLanes.Create(_cap)).Store(row);
        if (slopes is not null)
        {
            // (1 − t)·(1 + t): what is left near ±1 keeps its digits.
            TLanes one = TLanes.Create(1);
            ((one - t) * (one + t)).Store(slopes);
        }
    }

    private static void Copy(float* from, float* to, int count) =>
        new Span<float>(from, count).CopyTo(new Span<float>(to, count));
}
