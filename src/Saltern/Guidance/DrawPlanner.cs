namespace Saltern.Guidance;

/// <summary>Finds how many draws a byte budget allows, from the teacher's distributions at some probe positions.</summary>
/// <remarks>E distinct = Σ_v min(1, n_d·q_v) for systematic draws, Σ_v 1 − (1 − q_v)^n_d for independent ones; the most likely token is stored whether it was drawn or not.</remarks>
internal sealed class DrawPlanner
{
    // Below this, 1 − (1 − q_v)^n_d is its first two terms to 3e-6 of itself for n_d ≤ 254.
    private const double Small = 1e-4;

    private readonly DrawKind _kind;
    private readonly double[] _sum = new double[TargetDraws.Most + 1];
    private readonly double[] _squares = new double[TargetDraws.Most + 1];
    private readonly double[] _distinct = new double[TargetDraws.Most + 1];

    /// <summary>Starts without a position.</summary>
    public DrawPlanner(DrawKind kind) => _kind = kind;

    /// <summary>Positions taken.</summary>
    public long Positions { get; private set; }

    /// <summary>Takes a position.</summary>
    public void Add(ReadOnlySpan<float> weights, double total)
    {
        double smallMass = 0;
        double smallSquares = 0;
        double top = 0;
        double limit = _kind == DrawKind.Systematic ? 1.0 / TargetDraws.Most : Small;
        Array.Clear(_distinct);
        foreach (float weight in weights)
        {
            double q = weight / total;
            top = Math.Max(top, q);
            if (q < limit)
            {
                smallMass += q;
                smallSquares += q * q;
            }
            else
            {
                AddLarge(q);
            }
        }

        for (int n = 1; n <= TargetDraws.Most; n++)
        {
            double small = (n * smallMass) - (_kind == DrawKind.Independent ? n * (n - 1.0) / 2 * smallSquares : 0);
            double entries = _distinct[n] + small + Missed(top, n);
            _sum[n] += entries;
            _squares[n] += entries * entries;
        }

        Positions++;
    }

    /// <summary>Expected entries of a record, the most likely token included, averaged over the positions.</summary>
    public double MeanEntries(int draws) => _sum[draws] / Positions;

    /// <summary>Standard error of that mean.</summary>
    public double StandardError(int draws)
    {
        if (Positions < 2)
        {
            return 0;
        }

        return Math.Sqrt(
            Math.Max(0, (_squares[draws] / Positions) - Math.Pow(MeanEntries(draws), 2)) / (Positions - 1)
        );
    }

    /// <summary>The most draws whose mean record stays below a budget by two standard errors, so that the whole pass stays below it too.</summary>
    /// <param name="budget">Bytes for each position.</param>
    /// <param name="fixedBytes">Bytes of a record without entries.</param>
    /// <param name="entryBytes">Bytes of an entry.</param>
    /// <returns>1 … 254; 1 where even that is over the budget.</returns>
    public int Most(double budget, double fixedBytes, int entryBytes)
    {
        int draws = TargetDraws.Most;
        while (draws > 1 && fixedBytes + (entryBytes * (MeanEntries(draws) + (2 * StandardError(draws)))) > budget)
        {
            draws--;
        }

        return draws;
    }

    private void AddLarge(double q)
    {
        double left = 1;
        for (int n = 1; n <= TargetDraws.Most; n++)
        {
            left *= 1 - q;
            _distinct[n] += _kind == DrawKind.Systematic ? Math.Min(1, n * q) : 1 - left;
        }
    }

    private double Missed(double top, int draws)
    {
        if (_kind == DrawKind.Systematic)
        {
            return 1 - Math.Min(1, draws * top);
        }

        return Math.Pow(1 - top, draws);
    }
}
