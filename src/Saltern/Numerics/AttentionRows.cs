// What attention does with one row at a time: rotary positions, softmax and its gradient. Scores are float32; what they become is of the type that the next product reads.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>Angles of positions, and what of a head they turn.</summary>
/// <param name="cosines">[positions, A_r].</param>
/// <param name="sines">[positions, A_r].</param>
/// <param name="head">A.</param>
/// <param name="turned">A_r, even; 0 for none.</param>
internal readonly unsafe struct RotaryAngles(float* cosines, float* sines, int head, int turned)
{
    /// <summary>First cosine.</summary>
    public float* Cosines { get; } = cosines;

    /// <summary>First sine.</summary>
    public float* Sines { get; } = sines;

    /// <summary>A.</summary>
    public int Head { get; } = head;

    /// <summary>A_r.</summary>
    public int Turned { get; } = turned;
}

/// <summary>Rows in memory.</summary>
/// <param name="start">First element.</param>
/// <param name="stride">From one row to the next.</param>
internal readonly unsafe struct Rows<TElement>(TElement* start, int stride)
    where TElement : unmanaged
{
    /// <summary>First element.</summary>
    public TElement* Start { get; } = start;

    /// <summary>From one row to the next.</summary>
    public int Stride { get; } = stride;
}

/// <summary>What becomes of a product of query and key before the softmax: scale·s, or cap·tanh(scale·s/cap).</summary>
/// <param name="Cap">0 for none.</param>
internal readonly record struct ScoreForm(float Scale, float Cap = 0);

/// <summary>Row kernels of attention.</summary>
internal static unsafe class AttentionRows
{
    /// <summary>Turns each pair (i, i + A_r/2) of one head's rows by their positions' angles, and takes the other elements over.</summary>
    /// <param name="from">[count, A].</param>
    /// <param name="to">[count, A]; may be where they come from.</param>
    /// <param name="direction">1, or −1 to turn back.</param>
    public static void Turn<TFrom, TTo>(Rows<TFrom> from, Rows<TTo> to, RotaryAngles angles, int count, float direction)
        where TFrom : unmanaged, IElement<TFrom>
        where TTo : unmanaged, IElement<TTo>
    {
        if (Lanes512.AreFast && angles.Turned >= 2 * Lanes512.Count)
        {
            Turn<Lanes512, TFrom, TTo>(from, to, angles, count, direction);
        }
        else
        {
            Turn<Lanes256, TFrom, TTo>(from, to, angles, count, direction);
        }
    }

    /// <summary>Shares exp(z)/Σ over [from, to), z = scale·score or its cap, zero elsewhere.</summary>
    /// <param name="scores">[width], overwritten.</param>
    /// <param name="shares">[width]; may be the scores themselves.</param>
    /// <returns>The log-sum-exp.</returns>
    public static float Softmax<TElement>(float* scores, TElement* shares, int width, int from, int to, ScoreForm form)
        where TElement : unmanaged, IElement<TElement>
    {
        if (Lanes512.AreFast)
        {
            return Softmax<Lanes512, TElement>(scores, shares, width, from, to, form);
        }

        return Softmax<Lanes256, TElement>(scores, shares, width, from, to, form);
    }

    /// <summary>share = exp(z − log-sum-exp), and share·(∂ℒ/∂share − Σ share·∂ℒ/∂share)·∂z/∂score, the gradient at the score before scaling; zero outside [from, to).</summary>
    /// <param name="scores">[width].</param>
    /// <param name="gradients">∂ℒ/∂share, [width].</param>
    /// <param name="shares">[width]; may be the scores themselves.</param>
    /// <param name="scoreGradients">[width]; may be the gradients themselves.</param>
    /// <param name="inner">Σ share·∂ℒ/∂share.</param>
    public static void Gradient<TElement>(
        float* scores,
        float* gradients,
        TElement* shares,
        TElement* scoreGradients,
        int width,
        int from,
        int to,
        float logSum,
        float inner,
        ScoreForm form
    )
        where TElement : unmanaged, IElement<TElement>
    {
        if (Lanes512.AreFast)
        {
            Gradient<Lanes512, TElement>(
                scores,
                gradients,
                shares,
                scoreGradients,
                width,
                from,
                to,
                logSum,
                inner,
                form
            );
        }
        else
        {
            Gradient<Lanes256, TElement>(
                scores,
                gradients,
                shares,
                scoreGradients,
                width,
                from,
                to,
                logSum,
                inner,
                form
            );
        }
    }

    /// <summary>As <see cref="Gradient{TElement}"/> for one key and many queries: log-sum-exp and Σ share·∂ℒ/∂share differ along the row. Queries that do not see the key get zero.</summary>
    /// <param name="scores">[width], of the key with each query.</param>
    /// <param name="gradients">∂ℒ/∂share, [width].</param>
    /// <param name="key">The key's position.</param>
    /// <param name="first">First key that each query sees, [width].</param>
    /// <param name="end">One past its last.</param>
    /// <param name="logSums">[width].</param>
    /// <param name="inner">[width].</param>
    /// <param name="width">A multiple of 16.</param>
    public static void KeyGradient<TElement>(
        float* scores,
        float* gradients,
        TElement* shares,
        TElement* scoreGradients,
        int width,
        float key,
        float* first,
        float* end,
        float* logSums,
        float* inner,
        ScoreForm form
    )
        where TElement : unmanaged, IElement<TElement>
    {
        if (Lanes512.AreFast)
        {
            KeyGradient<Lanes512, TElement>(
                scores,
                gradients,
                shares,
                scoreGradients,
                width,
                key,
                first,
                end,
                logSums,
                inner,
                form
            );
        }
        else
        {
            KeyGradient<Lanes256, TElement>(
                scores,
                gradients,
                shares,
                scoreGradients,
                width,
                key,
                first,
                end,
                logSums,
                inner,
                form
            );
        }
    }

    /// <summary>Σ aᵢ·bᵢ in float32.</summary>
    public static float Dot<TElement>(TElement* a, TElement* b, int count)
        where TElement : unmanaged, IElement<TElement>
    {
        float sum = 0;
        int i = 0;
        if (count >= Lanes256.Count)
        {
            Lanes256 sums = Lanes256.Create(0);
            for (; i <= count - Lanes256.Count; i += Lanes256.Count)
            {
                sums = Lanes256.MultiplyAdd(TElement.Load<Lanes256>(a + i), TElement.Load<Lanes256>(b + i), sums);
            }

            sum = Lanes256.Sum(sums);
        }

        for (; i < count; i++)
        {
            sum += a[i].Value * b[i].Value;
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn<TLanes, TFrom, TTo>(
        Rows<TFrom> source,
        Rows<TTo> target,
        RotaryAngles angles,
        int count,
        float direction
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TFrom : unmanaged, IElement<TFrom>
        where TTo : unmanaged, IElement<TTo>
    {
        TFrom* from = source.Start;
        TTo* to = target.Start;
        float* cosines = angles.Cosines;
        float* sines = angles.Sines;
        int half = angles.Turned / 2;
        bool inPlace = to == (void*)from;
        TLanes sign = TLanes.Create(direction);
        for (int row = 0; row < count; row++)
        {
            int i = 0;
            for (; i <= half - TLanes.Count; i += TLanes.Count)
            {
                TLanes a = TFrom.Load<TLanes>(from + i);
                TLanes b = TFrom.Load<TLanes>(from + half + i);
                TLanes c = TLanes.Load(cosines + i);
                TLanes s = TLanes.Load(sines + i) * sign;
                TTo.Store((a * c) - (b * s), to + i);
                TTo.Store((b * c) + (a * s), to + half + i);
            }

            for (; i < half; i++)
            {
                float a = from[i].Value;
                float b = from[half + i].Value;
                float s = sines[i] * direction;
                to[i] = TTo.Round((a * cosines[i]) - (b * s));
                to[half + i] = TTo.Round((b * cosines[i]) + (a * s));
            }

            i = inPlace ? angles.Head : angles.Turned;
            for (; i <= angles.Head - TLanes.Count; i += TLanes.Count)
            {
                TTo.Store(TFrom.Load<TLanes>(from + i), to + i);
            }

            for (; i < angles.Head; i++)
            {
                to[i] = TTo.Round(from[i].Value);
            }

            from += source.Stride;
            to += target.Stride;
            cosines += angles.Turned;
            sines += angles.Turned;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Softmax<TLanes, TElement>(
        float* scores,
        TElement* shares,
        int width,
        int from,
        int to,
        ScoreForm form
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        if (form.Cap > 0)
        {
            CapRow<TLanes>(scores, from, to, form);
        }

        // Capped scores are scaled already.
        float scale = form.Cap > 0 ? 1f : form.Scale;
        float maximum = scores[from];
        int i = from;
        if (to - from >= TLanes.Count)
        {
            TLanes largest = TLanes.Load(scores + i);
            for (i += TLanes.Count; i <= to - TLanes.Count; i += TLanes.Count)
            {
                largest = TLanes.Max(largest, TLanes.Load(scores + i));
            }

            maximum = TLanes.Max(largest);
        }

        for (; i < to; i++)
        {
            maximum = MathF.Max(maximum, scores[i]);
        }

        TLanes shift = TLanes.Create(maximum);
        TLanes sums = TLanes.Create(0);
        TLanes scales = TLanes.Create(scale);
        for (i = from; i <= to - TLanes.Count; i += TLanes.Count)
        {
            TLanes e = TElement.Exp((TLanes.Load(scores + i) - shift) * scales);
            e.Store(scores + i);
            sums += e;
        }

        float sum = TLanes.Sum(sums);
        for (; i < to; i++)
        {
            scores[i] = LaneMath.Exp((scores[i] - maximum) * scale);
            sum += scores[i];
        }

        float factor = 1f / sum;
        TLanes factors = TLanes.Create(factor);
        for (i = from; i <= to - TLanes.Count; i += TLanes.Count)
        {
            TElement.Store(TLanes.Load(scores + i) * factors, shares + i);
        }

        for (; i < to; i++)
        {
            shares[i] = TElement.Round(scores[i] * factor);
        }

        new Span<TElement>(shares, from).Clear();
        new Span<TElement>(shares + to, width - to).Clear();
        return (maximum * scale) + MathF.Log(sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gradient<TLanes, TElement>(
        float* scores,
        float* gradients,
        TElement* shares,
        TElement* scoreGradients,
        int width,
        int from,
        int to,
        float logSum,
        float inner,
        ScoreForm form
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes shift = TLanes.Create(logSum);
        TLanes mean = TLanes.Create(inner);
        TLanes factor = TLanes.Create(form.Scale);
        int i = from;
        for (; i <= to - TLanes.Count; i += TLanes.Count)
        {
            TLanes slope = factor;
            TLanes z = TLanes.Load(scores + i) * factor;
            if (form.Cap > 0)
            {
                z = Capped(z, form, out slope);
            }

            TLanes p = TElement.Exp(z - shift);
            TLanes g = p * (TLanes.Load(gradients + i) - mean) * slope;
            TElement.Store(p, shares + i);
            TElement.Store(g, scoreGradients + i);
        }

        for (; i < to; i++)
        {
            float slope = form.Scale;
            float z = scores[i] * form.Scale;
            if (form.Cap > 0)
            {
                float t = MathF.Tanh(z / form.Cap);
                (z, slope) = (t * form.Cap, form.Scale * (1 - (t * t)));
            }

            float p = LaneMath.Exp(z - logSum);
            float g = p * (gradients[i] - inner) * slope;
            shares[i] = TElement.Round(p);
            scoreGradients[i] = TElement.Round(g);
        }

        new Span<TElement>(shares, from).Clear();
        new Span<TElement>(scoreGradients, from).Clear();
        new Span<TElement>(shares + to, width - to).Clear();
        new Span<TElement>(scoreGradients + to, width - to).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void KeyGradient<TLanes, TElement>(
        float* scores,
        float* gradients,
        TElement* shares,
        TElement* scoreGradients,
        int width,
        float key,
        float* first,
        float* end,
        float* logSums,
        float* inner,
        ScoreForm form
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        TLanes factor = TLanes.Create(form.Scale);
        TLanes position = TLanes.Create(key);
        for (int i = 0; i < width; i += TLanes.Count)
        {
            TLanes slope = factor;
            TLanes z = TLanes.Load(scores + i) * factor;
            if (form.Cap > 0)
            {
                z = Capped(z, form, out slope);
            }

            TLanes e = TElement.Exp(z - TLanes.Load(logSums + i));
            TLanes p = TLanes.Within(e, position, TLanes.Load(first + i), TLanes.Load(end + i));
            TElement.Store(p, shares + i);
            TElement.Store(p * (TLanes.Load(gradients + i) - TLanes.Load(inner + i)) * slope, scoreGradients + i);
        }
    }

    // cap·tanh(scale·s/cap) in place of s.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CapRow<TLanes>(float* scores, int from, int to, ScoreForm form)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes factor = TLanes.Create(form.Scale);
        int i = from;
        for (; i <= to - TLanes.Count; i += TLanes.Count)
        {
            Capped(TLanes.Load(scores + i) * factor, form, out _).Store(scores + i);
        }

        for (; i < to; i++)
        {
            scores[i] = form.Cap * MathF.Tanh(scores[i] * form.Scale / form.Cap);
        }
    }

    // cap·tanh(z/cap), and scale times its slope.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Capped<TLanes>(TLanes z, ScoreForm form, out TLanes slope)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes t = LaneMath.Tanh(z * TLanes.Create(1f / form.Cap));
        slope = TLanes.Create(form.Scale) * (TLanes.Create(1) - (t * t));
        return t * TLanes.Create(form.Cap);
    }
}
