namespace Saltern.Watch;

/// <summary>Where a run's steps lie on an axis: interpolated between logged values, 0 at step 0.</summary>
/// <param name="logged">By step; null for the axis of steps.</param>
internal sealed class RunScale(IReadOnlyList<(int Step, double Value)>? logged)
{
    /// <summary>The axis of a run.</summary>
    public static RunScale Of(RunView run, RunAxis axis) =>
        new(RunAxes.Series(axis) is { } series ? run.Points(series) : null);

    /// <summary>Place of a step; null beyond what was logged.</summary>
    public double? At(int step)
    {
        if (logged is null)
        {
            return step;
        }

        int low = 0;
        int high = logged.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (logged[middle].Step < step)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (low == logged.Count)
        {
            return step == 0 ? 0 : null;
        }

        (int Step, double Value) before = low > 0 ? logged[low - 1] : (0, 0.0);
        (int Step, double Value) after = logged[low];
        if (after.Step == before.Step)
        {
            return after.Value;
        }

        return before.Value + ((after.Value - before.Value) * (step - before.Step) / (after.Step - before.Step));
    }

    /// <summary>Values by step, put on the axis; those beyond what was logged are left out.</summary>
    public IReadOnlyList<ChartPoint> Place(IReadOnlyList<(int Step, double Value)> points)
    {
        List<ChartPoint> placed = [];
        foreach ((int step, double value) in points)
        {
            if (At(step) is double x)
            {
                placed.Add(new ChartPoint(step, x, value));
            }
        }

        return placed;
    }

    /// <summary>The value of a curve at a place between its points; null outside them.</summary>
    /// <param name="curve">In order of places.</param>
    public static double? Interpolate(IReadOnlyList<ChartPoint> curve, double x)
    {
        for (int i = 0; i < curve.Count; i++)
        {
            if (curve[i].X >= x)
            {
                if (curve[i].X == x)
                {
                    return curve[i].Value;
                }

                if (i == 0)
                {
                    return null;
                }

                return curve[i - 1].Value
                    + ((curve[i].Value - curve[i - 1].Value) * (x - curve[i - 1].X) / (curve[i].X - curve[i - 1].X));
            }
        }

        return null;
    }
}
