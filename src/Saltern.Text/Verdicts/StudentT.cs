namespace Saltern.Verdicts;

/// <summary>Student's t distribution for whole degrees of freedom.</summary>
internal static class StudentT
{
    /// <summary>The t with 97.5 % of the distribution below it: 12.706 for one degree of freedom, 1.960 in the limit.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one degree of freedom.</exception>
    public static double Quantile975(int degreesOfFreedom) => Bisect(0.95, degreesOfFreedom, 1.9, 13.0);

    /// <summary>The t with a probability between −t and t.</summary>
    /// <param name="probability">In (0, 1).</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one degree of freedom, or no probability.</exception>
    public static double Within(double probability, int degreesOfFreedom)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(probability, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(probability, 1);
        double high = 1;
        while (ProbabilityWithin(high, degreesOfFreedom) < probability)
        {
            high *= 2;
        }

        return Bisect(probability, degreesOfFreedom, 0, high);
    }

    private static double Bisect(double probability, int degreesOfFreedom, double low, double high)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degreesOfFreedom, 1);
        while (high - low > 1e-12 * high)
        {
            double middle = 0.5 * (low + high);
            if (middle <= low || middle >= high)
            {
                break;
            }

            if (ProbabilityWithin(middle, degreesOfFreedom) < probability)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return 0.5 * (low + high);
    }

    /// <summary>Probability of a value between −t and t, by the finite series in the angle arctan(t/√ν) (Abramowitz and Stegun, 26.7.3 and 26.7.4).</summary>
    /// <param name="degreesOfFreedom">ν, at least 1.</param>
    public static double ProbabilityWithin(double t, int degreesOfFreedom)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(t);
        ArgumentOutOfRangeException.ThrowIfLessThan(degreesOfFreedom, 1);
        double angle = Math.Atan(t / Math.Sqrt(degreesOfFreedom));
        double sine = Math.Sin(angle);
        double cosine = Math.Cos(angle);

        // Terms are cos^power with power = 1, 3, … ν − 2 (odd) or 0, 2, … ν − 2 (even), each the last times cos²·(power − 1)/power.
        if (degreesOfFreedom % 2 == 0)
        {
            return sine * Series(1.0, 2);
        }

        if (degreesOfFreedom == 1)
        {
            return 2.0 / Math.PI * angle;
        }

        return 2.0 / Math.PI * (angle + sine * Series(cosine, 3));

        double Series(double first, int power)
        {
            double term = first;
            double sum = first;
            for (; power <= degreesOfFreedom - 2; power += 2)
            {
                term *= cosine * cosine * (power - 1) / power;
                sum += term;
            }

            return sum;
        }
    }
}
