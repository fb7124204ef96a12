// What stands between the projections of a feed-forward layer, in lanes. Exponentials are as exact as the type that the result is kept in.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>A function of one number with its slope.</summary>
internal interface IActivationFunction
{
    /// <summary>f(x).</summary>
    static abstract TLanes Value<TLanes, TElement>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>;

    /// <summary>f(x) and f′(x).</summary>
    static abstract TLanes ValueAndSlope<TLanes, TElement>(TLanes x, out TLanes slope)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>;
}

/// <summary>silu(x) = x·σ(x); its slope is σ·(1 + x·(1 − σ)).</summary>
internal readonly struct Silu : IActivationFunction
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Value<TLanes, TElement>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement> => x / (TLanes.Create(1) + TElement.Exp(TLanes.Create(0) - x));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ValueAndSlope<TLanes, TElement>(TLanes x, out TLanes slope)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes one = TLanes.Create(1);
        TLanes sigmoid = one / (one + TElement.Exp(TLanes.Create(0) - x));
        TLanes value = x * sigmoid;
        slope = TLanes.MultiplyAdd(value, one - sigmoid, sigmoid);
        return value;
    }
}

/// <summary>x·Φ(x) with the normal distribution's Φ (arXiv:1606.08415); its slope is Φ + x·φ.</summary>
/// <remarks>Φ through erf's rational form 7.1.26 of Abramowitz and Stegun, to within 1.5·10⁻⁷.</remarks>
internal readonly struct Gelu : IActivationFunction
{
    private const float HalfRoot = 0.70710678f; // 1/√2
    private const float Density = 0.39894228f; // 1/√(2π)
    private const float P = 0.3275911f;
    private const float A1 = 0.254829592f;
    private const float A2 = -0.284496736f;
    private const float A3 = 1.421413741f;
    private const float A4 = -1.453152027f;
    private const float A5 = 1.061405429f;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Value<TLanes, TElement>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement> => x * Normal<TLanes, TElement>(x, out _);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ValueAndSlope<TLanes, TElement>(TLanes x, out TLanes slope)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes phi = Normal<TLanes, TElement>(x, out TLanes bell);
        slope = TLanes.MultiplyAdd(x * bell, TLanes.Create(Density), phi);
        return x * phi;
    }

    // Φ(x), and exp(−x²/2).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Normal<TLanes, TElement>(TLanes x, out TLanes bell)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes zero = TLanes.Create(0);
        TLanes one = TLanes.Create(1);
        TLanes z = TLanes.Max(x, zero - x) * TLanes.Create(HalfRoot);
        bell = TElement.Exp(zero - (z * z));
        TLanes t = one / TLanes.MultiplyAdd(z, TLanes.Create(P), one);
        TLanes sum = TLanes.MultiplyAdd(TLanes.Create(A5), t, TLanes.Create(A4));
        sum = TLanes.MultiplyAdd(sum, t, TLanes.Create(A3));
        sum = TLanes.MultiplyAdd(sum, t, TLanes.Create(A2));
        sum = TLanes.MultiplyAdd(sum, t, TLanes.Create(A1));
        TLanes tail = sum * t * bell * TLanes.Create(0.5f); // Φ(−|x|)
        TLanes middle = one - tail - tail;
        return tail + TLanes.Within(middle, x, zero, TLanes.Create(float.PositiveInfinity));
    }
}

/// <summary>GELU with tanh in Φ's place: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).</summary>
internal readonly struct GeluTanh : IActivationFunction
{
    private const float Root = 0.79788456f; // √(2/π)
    private const float Cubic = 0.044715f;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Value<TLanes, TElement>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement> => ValueAndSlope<TLanes, TElement>(x, out _);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ValueAndSlope<TLanes, TElement>(TLanes x, out TLanes slope)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes one = TLanes.Create(1);
        TLanes square = x * x * TLanes.Create(Cubic);
        TLanes inner = x * (one + square) * TLanes.Create(Root);

        // (1 + tanh u)/2 = 1/(1 + exp(−2u)).
        TLanes half = one / (one + TElement.Exp(TLanes.Create(-2) * inner));
        TLanes inside = TLanes.MultiplyAdd(square, TLanes.Create(3), one) * TLanes.Create(2 * Root);
        TLanes value = x * half;
        slope = TLanes.MultiplyAdd(value * (one - half), inside, half);
        return value;
    }
}

/// <summary>max(x, 0); its slope is 0 at 0.</summary>
internal readonly struct Relu : IActivationFunction
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Value<TLanes, TElement>(TLanes x)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement> => TLanes.Max(x, TLanes.Create(0));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ValueAndSlope<TLanes, TElement>(TLanes x, out TLanes slope)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes least = TLanes.Create(float.Epsilon);
        slope = TLanes.Within(TLanes.Create(1), x, least, TLanes.Create(float.PositiveInfinity));
        return TLanes.Max(x, TLanes.Create(0));
    }
}
