// The arithmetic of one position, over rows of logits in place: one pass for maxima, one for exponentials and sums, one for the gradient.
// z = student logits, s = teacher logits, e_i = exp(z_i − max z), t_i = exp((s_i − max s)/τ); lse = log-sum-exp.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

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
    /// <summary>Σ t_i.</summary>
    public float ExpSum;

    /// <summary>Σ t_i·(z_i − max z), for the student's cross-entropy.</summary>
    public float StudentSum;

    /// <summary>Σ t_i·(s_i − max s)/τ, for the entropy.</summary>
    public float LogSum;

    /// <summary>Σ exp(s_i − max s), at τ = 1.</summary>
    public float PlainExpSum;

    /// <summary>Σ exp(s_i − max s)·(s_i − max s), at τ = 1.</summary>
    public float PlainLogSum;
}

/// <summary>Vectorised passes over one row of logits.</summary>
internal static unsafe class SoftLabelKernel
{
    private static readonly int Lanes = Vector256<float>.Count;

    /// <summary>Largest value and its lowest index. A row with a NaN gives NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static RowSums Maximum(float* row, int count)
    {
        int i = 0;
        float maximum = float.NegativeInfinity;
        if (count >= Lanes)
        {
            Vector256<float> largest = Vector256.Load(row);
            for (i = Lanes; i <= count - Lanes; i += Lanes)
            {
                largest = Vector256.Max(largest, Vector256.Load(row + i));
            }

            for (int lane = 0; lane < Lanes; lane++)
            {
                maximum = MathF.Max(maximum, largest[lane]);
            }
        }

        for (; i < count; i++)
        {
            maximum = MathF.Max(maximum, row[i]);
        }

        int index = new ReadOnlySpan<float>(row, count).IndexOf(maximum);
        return new RowSums { Maximum = maximum, MaximumIndex = Math.Max(index, 0) };
    }

    /// <summary>Replaces z_i by e_i and returns Σ e_i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Exponentials(float* row, int count, float maximum)
    {
        int i = 0;
        Vector256<float> shift = Vector256.Create(maximum), sum = Vector256<float>.Zero;
        for (; i <= count - Lanes; i += Lanes)
        {
            Vector256<float> e = Vector256.Exp(Vector256.Load(row + i) - shift);
            e.Store(row + i);
            sum += e;
        }

        float total = Vector256.Sum(sum);
        for (; i < count; i++)
        {
            row[i] = MathF.Exp(row[i] - maximum);
            total += row[i];
        }

        return total;
    }

    /// <summary>Σ e_i without a write: evaluation needs no gradient.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float ExponentialSum(float* row, int count, float maximum)
    {
        int i = 0;
        Vector256<float> shift = Vector256.Create(maximum), sum = Vector256<float>.Zero;
        for (; i <= count - Lanes; i += Lanes)
        {
            sum += Vector256.Exp(Vector256.Load(row + i) - shift);
        }

        float total = Vector256.Sum(sum);
        for (; i < count; i++)
        {
            total += MathF.Exp(row[i] - maximum);
        }

        return total;
    }

    /// <summary>Replaces z_i by e_i and s_i by t_i, and sums all that the loss, its gradient and the log need.</summary>
    /// <param name="student">z, [count].</param>
    /// <param name="teacher">s, [count].</param>
    /// <param name="count">V.</param>
    /// <param name="studentMaximum">max z.</param>
    /// <param name="teacherMaximum">max s.</param>
    /// <param name="temperature">τ.</param>
    /// <param name="studentExpSum">Σ e_i.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static TeacherSums ExponentialsOfBoth(float* student, float* teacher, int count, float studentMaximum, float teacherMaximum, float temperature, out float studentExpSum)
    {
        bool tempered = temperature != 1f;
        float sharpness = 1f / temperature;
        Vector256<float> zShift = Vector256.Create(studentMaximum), sShift = Vector256.Create(teacherMaximum), factor = Vector256.Create(sharpness);
        Vector256<float> eSum = Vector256<float>.Zero, tSum = eSum, cross = eSum, log = eSum, plain = eSum, plainLog = eSum;
        int i = 0;
        for (; i <= count - Lanes; i += Lanes)
        {
            Vector256<float> z = Vector256.Load(student + i) - zShift, s = Vector256.Load(teacher + i) - sShift;
            Vector256<float> e = Vector256.Exp(z);
            Vector256<float> u = s * factor;
            Vector256<float> t = Vector256.Exp(u);
            e.Store(student + i);
            t.Store(teacher + i);
            eSum += e;
            tSum += t;
            cross += t * z;
            log += t * u;
            if (tempered)
            {
                Vector256<float> q = Vector256.Exp(s);
                plain += q;
                plainLog += q * s;
            }
        }

        var sums = new TeacherSums
        {
            ExpSum = Vector256.Sum(tSum),
            StudentSum = Vector256.Sum(cross),
            LogSum = Vector256.Sum(log),
            PlainExpSum = Vector256.Sum(plain),
            PlainLogSum = Vector256.Sum(plainLog),
        };
        studentExpSum = Vector256.Sum(eSum);
        for (; i < count; i++)
        {
            float z = student[i] - studentMaximum, s = teacher[i] - teacherMaximum, u = s * sharpness;
            student[i] = MathF.Exp(z);
            teacher[i] = MathF.Exp(u);
            studentExpSum += student[i];
            sums.ExpSum += teacher[i];
            sums.StudentSum += teacher[i] * z;
            sums.LogSum += teacher[i] * u;
            if (tempered)
            {
                float q = MathF.Exp(s);
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

    /// <summary>Replaces e_i by factor·e_i: the part of p in the gradient p − m.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* row, int count, float factor)
    {
        Vector256<float> a = Vector256.Create(factor);
        int i = 0;
        for (; i <= count - Lanes; i += Lanes)
        {
            (Vector256.Load(row + i) * a).Store(row + i);
        }

        for (; i < count; i++)
        {
            row[i] *= factor;
        }
    }

    /// <summary>Replaces e_i by a·e_i − b·t_i: p and the teacher's part of m in the gradient p − m.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Difference(float* student, float* teacher, int count, float studentFactor, float teacherFactor)
    {
        Vector256<float> a = Vector256.Create(studentFactor), b = Vector256.Create(teacherFactor);
        int i = 0;
        for (; i <= count - Lanes; i += Lanes)
        {
            ((Vector256.Load(student + i) * a) - (Vector256.Load(teacher + i) * b)).Store(student + i);
        }

        for (; i < count; i++)
        {
            student[i] = (student[i] * studentFactor) - (teacher[i] * teacherFactor);
        }
    }
}
