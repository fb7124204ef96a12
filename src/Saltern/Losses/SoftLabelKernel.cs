// The arithmetic of one position, over rows of logits in place: one pass for maxima, one for exponentials and sums, one for the gradient.
// z = student logits, s = teacher logits, e_i = exp(z_i − max z), e′_i = exp((s_i − max s)/τ); lse = log-sum-exp.
using System.Runtime.CompilerServices;
using Saltern.Numerics;

namespace Saltern.Losses;

/// <summary>What the passes over one row of logits find.</summary>
internal struct RowSums
{
    /// <summary>Largest logit.</summary>
    public float Maximum;

    /// <summary>Its lowest index.</summary>
    public int MaximumIndex;

    /// <summary>Σ exp(x_i − maximum).</summary>
    public float ExpSum;
}

/// <summary>Teacher's sums beyond <see cref="RowSums"/>.</summary>
internal struct TeacherSums
{
    /// <summary>Σ e′_i.</summary>
    public float ExpSum;

    /// <summary>Σ e′_i·(z_i − max z), for the student's cross-entropy.</summary>
    public float StudentSum;

    /// <summary>Σ e′_i·(s_i − max s)/τ, for the entropy.</summary>
    public float LogSum;

    /// <summary>Σ exp(s_i − max s), at τ = 1.</summary>
    public float PlainExpSum;

    /// <summary>Σ exp(s_i − max s)·(s_i − max s), at τ = 1.</summary>
    public float PlainLogSum;
}

/// <summary>Vectorised passes over one row of logits.</summary>
internal static unsafe class SoftLabelKernel
{
    // Elements whose largest is known before the next are looked at, so that its index is looked for among them alone.
    private const int BlockLength = 512;

    /// <summary>Largest value and its lowest index. A row with a NaN gives NaN.</summary>
    public static RowSums Maximum(float* row, int count)
    {
        var found = new RowSums { Maximum = float.NegativeInfinity };
        int at = 0;
        for (int first = 0; first < count; first += BlockLength)
        {
            int length = Math.Min(BlockLength, count - first);
            float maximum = Lanes512.AreFast
                ? Maximum<Lanes512>(row + first, length)
                : Maximum<Lanes256>(row + first, length);
            if (maximum > found.Maximum || float.IsNaN(maximum))
            {
                (found.Maximum, at) = (maximum, first);
            }

            if (float.IsNaN(maximum))
            {
                break;
            }
        }

        int index = new ReadOnlySpan<float>(row + at, Math.Min(BlockLength, count - at)).IndexOf(found.Maximum);
        found.MaximumIndex = index < 0 ? 0 : at + index;
        return found;
    }

    /// <summary>Σ e_i.</summary>
    /// <param name="store">Whether e_i replaces z_i: evaluation, which needs no gradient, saves the write.</param>
    /// <param name="quick">Whether the logits are products of bfloat16 numbers, so that exponentials need not be more exact.</param>
    public static float Exponentials(float* row, int count, float maximum, bool store, bool quick = false)
    {
        if (quick && Lanes512.AreFast)
        {
            return Exponentials<Lanes512, BFloat16>(row, count, maximum, store);
        }

        if (Lanes512.AreFast)
        {
            return Exponentials<Lanes512, Float32>(row, count, maximum, store);
        }

        return Exponentials<Lanes256, Float32>(row, count, maximum, store);
    }

    /// <summary>Replaces z_i by e_i and s_i by e′_i, and sums all that the loss, its gradient and the log need.</summary>
    public static TeacherSums ExponentialsOfBoth(
        float* student,
        float* teacher,
        int count,
        float studentMaximum,
        float teacherMaximum,
        float temperature,
        bool quick,
        out float studentExpSum
    )
    {
        if (quick && Lanes512.AreFast)
        {
            return ExponentialsOfBoth<Lanes512, BFloat16>(
                student,
                teacher,
                count,
                studentMaximum,
                teacherMaximum,
                temperature,
                out studentExpSum
            );
        }

        if (Lanes512.AreFast)
        {
            return ExponentialsOfBoth<Lanes512, Float32>(
                student,
                teacher,
                count,
                studentMaximum,
                teacherMaximum,
                temperature,
                out studentExpSum
            );
        }

        return ExponentialsOfBoth<Lanes256, Float32>(
            student,
            teacher,
            count,
            studentMaximum,
            teacherMaximum,
            temperature,
            out studentExpSum
        );
    }

    /// <summary>Replaces e_i by factor·e_i: the part of p in the gradient p − m.</summary>
    public static void Scale(float* row, int count, float factor)
    {
        if (Lanes512.AreFast)
        {
            Scale<Lanes512>(row, count, factor);
        }
        else
        {
            Scale<Lanes256>(row, count, factor);
        }
    }

    /// <summary>Replaces e_i by studentFactor·e_i − teacherFactor·e′_i: p and the teacher's part of m in the gradient p − m.</summary>
    public static void Difference(float* student, float* teacher, int count, float studentFactor, float teacherFactor)
    {
        if (Lanes512.AreFast)
        {
            Difference<Lanes512>(student, teacher, count, studentFactor, teacherFactor);
        }
        else
        {
            Difference<Lanes256>(student, teacher, count, studentFactor, teacherFactor);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Maximum<TLanes>(float* row, int count)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        int i = 0;
        float maximum = float.NegativeInfinity;
        if (count >= 2 * TLanes.Count)
        {
            // Two chains: one maximum waits for the one before it.
            TLanes even = TLanes.Load(row);
            TLanes odd = TLanes.Load(row + TLanes.Count);
            for (i = 2 * TLanes.Count; i <= count - (2 * TLanes.Count); i += 2 * TLanes.Count)
            {
                even = TLanes.Max(even, TLanes.Load(row + i));
                odd = TLanes.Max(odd, TLanes.Load(row + i + TLanes.Count));
            }

            maximum = TLanes.Max(TLanes.Max(even, odd));
        }

        for (; i < count; i++)
        {
            maximum = MathF.Max(maximum, row[i]);
        }

        return maximum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exponentials<TLanes, TElement>(float* row, int count, float maximum, bool store)
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        int i = 0;
        TLanes shift = TLanes.Create(maximum);
        TLanes sum = TLanes.Create(0);
        for (; i <= count - TLanes.Count; i += TLanes.Count)
        {
            TLanes e = TElement.Exp(TLanes.Load(row + i) - shift);
            if (store)
            {
                e.Store(row + i);
            }

            sum += e;
        }

        float total = TLanes.Sum(sum);
        for (; i < count; i++)
        {
            float e = LaneMath.Exp(row[i] - maximum);
            if (store)
            {
                row[i] = e;
            }

            total += e;
        }

        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static TeacherSums ExponentialsOfBoth<TLanes, TElement>(
        float* student,
        float* teacher,
        int count,
        float studentMaximum,
        float teacherMaximum,
        float temperature,
        out float studentExpSum
    )
        where TLanes : struct, IFloatLanes<TLanes>
        where TElement : unmanaged, IElement<TElement>
    {
        bool tempered = temperature != 1f;
        float sharpness = 1f / temperature;
        TLanes zShift = TLanes.Create(studentMaximum);
        TLanes sShift = TLanes.Create(teacherMaximum);
        TLanes factor = TLanes.Create(sharpness);
        TLanes eSum = TLanes.Create(0);
        TLanes tSum = eSum;
        TLanes cross = eSum;
        TLanes log = eSum;
        TLanes plain = eSum;
        TLanes plainLog = eSum;
        int i = 0;
        for (; i <= count - TLanes.Count; i += TLanes.Count)
        {
            TLanes z = TLanes.Load(student + i) - zShift;
            TLanes s = TLanes.Load(teacher + i) - sShift;
            TLanes e = TElement.Exp(z);
            TLanes u = s * factor;
            TLanes t = TElement.Exp(u);
            e.Store(student + i);
            t.Store(teacher + i);
            eSum += e;
            tSum += t;
            cross = TLanes.MultiplyAdd(t, z, cross);
            log = TLanes.MultiplyAdd(t, u, log);
            if (tempered)
            {
                TLanes q = TElement.Exp(s);
                plain += q;
                plainLog = TLanes.MultiplyAdd(q, s, plainLog);
            }
        }

        var sums = new TeacherSums
        {
            ExpSum = TLanes.Sum(tSum),
            StudentSum = TLanes.Sum(cross),
            LogSum = TLanes.Sum(log),
            PlainExpSum = TLanes.Sum(plain),
            PlainLogSum = TLanes.Sum(plainLog),
        };
        studentExpSum = TLanes.Sum(eSum);
        for (; i < count; i++)
        {
            float z = student[i] - studentMaximum;
            float s = teacher[i] - teacherMaximum;
            float u = s * sharpness;
            student[i] = LaneMath.Exp(z);
            teacher[i] = LaneMath.Exp(u);
            studentExpSum += student[i];
            sums.ExpSum += teacher[i];
            sums.StudentSum += teacher[i] * z;
            sums.LogSum += teacher[i] * u;
            if (tempered)
            {
                float q = LaneMath.Exp(s);
                sums.PlainExpSum += q;
                sums.PlainLogSum += q * s;
            }
        }

        if (!tempered)
        {
            (sums.PlainExpSum, sums.PlainLogSum) = (sums.ExpSum, sums.LogSum);
        }

        return sums;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<TLanes>(float* row, int count, float factor)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes a = TLanes.Create(factor);
        int i = 0;
        for (; i <= count - TLanes.Count; i += TLanes.Count)
        {
            (TLanes.Load(row + i) * a).Store(row + i);
        }

        for (; i < count; i++)
        {
            row[i] *= factor;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Difference<TLanes>(
        float* student,
        float* teacher,
        int count,
        float studentFactor,
        float teacherFactor
    )
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes a = TLanes.Create(studentFactor);
        TLanes b = TLanes.Create(teacherFactor);
        int i = 0;
        for (; i <= count - TLanes.Count; i += TLanes.Count)
        {
            ((TLanes.Load(student + i) * a) - (TLanes.Load(teacher + i) * b)).Store(student + i);
        }

        for (; i < count; i++)
        {
            student[i] = (student[i] * studentFactor) - (teacher[i] * teacherFactor);
        }
    }
}
