namespace Saltern.Losses;

/// <summary>Sums over counted positions, in float64: what is divided, once, by the number of positions of the global batch.</summary>
public sealed record LossSums
{
    /// <summary>n = |C|.</summary>
    public long Positions { get; private set; }

    /// <summary>Positions of C for which the teacher ran.</summary>
    internal long TeacherPositions { get; private set; }

    /// <summary>Σ CE(m, p), nats.</summary>
    public double Loss { get; private set; }

    /// <summary>Σ −ln p(y), nats.</summary>
    internal double StudentNll { get; private set; }

    /// <summary>Positions whose label the student finds most likely.</summary>
    internal long Correct { get; private set; }

    /// <summary>Σ ω_t.</summary>
    internal double Omega { get; private set; }

    /// <summary>Σ −ln q(y) at τ = 1, over teacher positions.</summary>
    internal double TeacherNll { get; private set; }

    /// <summary>Σ −ln q_τ(y), over teacher positions.</summary>
    internal double TeacherNllTempered { get; private set; }

    /// <summary>Σ −Σ q_τ ln p, over teacher positions.</summary>
    internal double CrossEntropyToTeacher { get; private set; }

    /// <summary>Σ H(q_τ), over teacher positions.</summary>
    internal double TeacherEntropy { get; private set; }

    /// <summary>Teacher positions where both find the same token most likely.</summary>
    internal long Agreements { get; private set; }

    /// <summary>Σ student NLL − reference over teacher positions; the reference is −ln((1 − ω)·q(y) + ω·q_τ(y)), what a student that knows just what the teacher knows would pay.</summary>
    internal double Gap { get; private set; }

    /// <summary>Σ h_t over teacher positions.</summary>
    internal double Gate { get; private set; }

    /// <summary>Adds the counted positions of a range of rows.</summary>
    internal void Add(PositionLosses losses, int firstRow, int rowCount)
    {
        for (int row = firstRow; row < firstRow + rowCount; row++)
        {
            if (!losses.Counted[row])
            {
                continue;
            }

            Positions++;
            Loss += losses.Loss[row];
            StudentNll += losses.StudentNll[row];
            if (losses.Correct[row])
            {
                Correct++;
            }

            if (!losses.HasTeacher[row])
            {
                continue;
            }

            double omega = losses.Omega[row];
            TeacherPositions++;
            Omega += omega;
            TeacherNll += losses.TeacherNll[row];
            TeacherNllTempered += losses.TeacherNllTempered[row];
            CrossEntropyToTeacher += losses.CrossEntropyToTeacher[row];
            TeacherEntropy += losses.TeacherEntropy[row];
            if (losses.Agrees[row])
            {
                Agreements++;
            }

            Gate += losses.Gate[row];
            Gap += losses.StudentNll[row] - Reference(losses.TeacherNll[row], losses.TeacherNllTempered[row], omega);
        }
    }

    /// <summary>Adds another sum: of a micro-batch, a domain, a rank or a step.</summary>
    internal void Add(LossSums other)
    {
        Positions += other.Positions;
        TeacherPositions += other.TeacherPositions;
        Loss += other.Loss;
        StudentNll += other.StudentNll;
        Correct += other.Correct;
        Omega += other.Omega;
        TeacherNll += other.TeacherNll;
        TeacherNllTempered += other.TeacherNllTempered;
        CrossEntropyToTeacher += other.CrossEntropyToTeacher;
        TeacherEntropy += other.TeacherEntropy;
        Agreements += other.Agreements;
        Gap += other.Gap;
        Gate += other.Gate;
    }

    /// <summary>All sums as float64 in a fixed order, for other ranks; counts are exact below 2⁵³.</summary>
    internal double[] ToValues() =>
        [
            Positions,
            TeacherPositions,
            Loss,
            StudentNll,
            Correct,
            Omega,
            TeacherNll,
            TeacherNllTempered,
            CrossEntropyToTeacher,
            TeacherEntropy,
            Agreements,
            Gap,
            Gate,
        ];

    /// <summary>Sums from <see cref="ToValues"/>'s order.</summary>
    internal static LossSums FromValues(ReadOnlySpan<double> values) =>
        new()
        {
            Positions = (long)values[0],
            TeacherPositions = (long)values[1],
            Loss = values[2],
            StudentNll = values[3],
            Correct = (long)values[4],
            Omega = values[5],
            TeacherNll = values[6],
            TeacherNllTempered = values[7],
            CrossEntropyToTeacher = values[8],
            TeacherEntropy = values[9],
            Agreements = (long)values[10],
            Gap = values[11],
            Gate = values[12],
        };

    /// <summary>−ln((1 − ω)·q(y) + ω·q_τ(y)) from the two losses, nats.</summary>
    internal static double Reference(double teacherNll, double teacherNllTempered, double omega)
    {
        // Factored by the larger probability; where ω = 1 leaves only one that underflows, it is that one's loss.
        double least = Math.Min(teacherNll, teacherNllTempered);
        double mixed = ((1.0 - omega) * Math.Exp(least - teacherNll)) + (omega * Math.Exp(least - teacherNllTempered));
        return mixed > 0 ? least - Math.Log(mixed) : teacherNllTempered;
    }
}
