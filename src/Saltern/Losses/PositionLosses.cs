namespace Saltern.Losses;

/// <summary>What the loss head finds at each position of a micro-batch, in row order; reused from one micro-batch to the next.</summary>
/// <remarks>All losses in nats, float32. Teacher quantities hold only where <see cref="HasTeacher"/> is set; nothing holds where a position is not counted.</remarks>
internal sealed class PositionLosses
{
    /// <summary>Reserves room for <paramref name="rows"/> positions.</summary>
    public PositionLosses(int rows)
    {
        Counted = new bool[rows];
        HasTeacher = new bool[rows];
        Omega = new float[rows];
        Loss = new float[rows];
        StudentNll = new float[rows];
        Correct = new bool[rows];
        Confidence = new float[rows];
        TeacherNll = new float[rows];
        TeacherNllTempered = new float[rows];
        CrossEntropyToTeacher = new float[rows];
        TeacherEntropy = new float[rows];
        Agrees = new bool[rows];
        Gate = new float[rows];
    }

    /// <summary>Whether the position belongs to C.</summary>
    public bool[] Counted { get; }

    /// <summary>Whether a teacher's distribution was given for it.</summary>
    public bool[] HasTeacher { get; }

    /// <summary>ω_t, gate included.</summary>
    public float[] Omega { get; }

    /// <summary>CE(m, p).</summary>
    public float[] Loss { get; }

    /// <summary>−ln p(y).</summary>
    public float[] StudentNll { get; }

    /// <summary>[argmax p = y], ties to the lowest id.</summary>
    public bool[] Correct { get; }

    /// <summary>max_v p(v): how sure the student is of its most likely token.</summary>
    public float[] Confidence { get; }

    /// <summary>−ln q(y) at τ = 1.</summary>
    public float[] TeacherNll { get; }

    /// <summary>−ln q_τ(y).</summary>
    public float[] TeacherNllTempered { get; }

    /// <summary>−Σ q_τ ln p.</summary>
    public float[] CrossEntropyToTeacher { get; }

    /// <summary>H(q_τ).</summary>
    public float[] TeacherEntropy { get; }

    /// <summary>[argmax p = argmax q].</summary>
    public bool[] Agrees { get; }

    /// <summary>h_t, the gate's factor before it is scaled.</summary>
    public float[] Gate { get; }
}
