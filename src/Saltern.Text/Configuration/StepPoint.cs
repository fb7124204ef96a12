using System.Globalization;

namespace Saltern.Configuration;

/// <summary>A point in a run: a number of steps, or a share of them.</summary>
/// <remarks>
/// In a recipe a number with a decimal point or an exponent is a share in [0, 1] and an integer is steps:
/// <c>1.0</c> is the whole run, <c>1</c> is one step. The default value is 0 steps. docs/method.md.
/// </remarks>
public readonly record struct StepPoint
{
    private readonly double _value;

    private StepPoint(double value, bool isShare)
    {
        _value = value;
        IsShare = isShare;
    }

    /// <summary>Whether this is a share of the run; otherwise it is a number of steps.</summary>
    public bool IsShare { get; }

    /// <summary>A number of steps.</summary>
    /// <param name="steps">At least 0.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="steps"/> is negative.</exception>
    public static StepPoint FromSteps(int steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        return new StepPoint(steps, isShare: false);
    }

    /// <summary>A share of the run.</summary>
    /// <param name="share">In [0, 1].</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="share"/> is outside [0, 1] or not a number.</exception>
    public static StepPoint FromShare(double share)
    {
        if (share is not (>= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(share), share, "A share is in [0, 1].");
        }

        // Adding 0.0 turns -0.0 into 0.0, so that equal points are written alike.
        return new StepPoint(share + 0.0, isShare: true);
    }

    /// <summary>The point in steps: ⌊share · J + ½⌋ for a share, the number of steps itself otherwise, even beyond J.</summary>
    /// <param name="totalSteps">J, the optimizer steps of the whole run, at least 0.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="totalSteps"/> is negative.</exception>
    public int Resolve(int totalSteps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(totalSteps);
        if (IsShare)
        {
            return (int)Math.Floor((_value * totalSteps) + 0.5);
        }

        return (int)_value;
    }

    /// <summary>The point as it is written in a recipe: <c>0.25</c>, <c>1.0</c>, <c>250</c>.</summary>
    public override string ToString()
    {
        if (IsShare)
        {
            return ScalarText.OfNumber(_value);
        }

        return ((int)_value).ToString(CultureInfo.InvariantCulture);
    }
}
