using System.Globalization;

namespace Saltern.Configuration;

/// <summary>How many of a model's layers: none, all, or the first so many.</summary>
/// <remarks>In a recipe <c>false</c>, <c>true</c> or a whole number. The default value is none.</remarks>
public readonly record struct LayerCount
{
    private readonly int _count;

    private LayerCount(int count) => _count = count;

    /// <summary>No layer.</summary>
    public static LayerCount None => default;

    /// <summary>Every layer, however many there are.</summary>
    public static LayerCount All => new(-1);

    /// <summary>The first so many.</summary>
    /// <param name="count">At least 0; more than there are means all.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is negative.</exception>
    public static LayerCount Of(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return new LayerCount(count);
    }

    /// <summary>Whether it is none.</summary>
    public bool IsNone => _count == 0;

    /// <summary>The layers of a model.</summary>
    /// <param name="layers">L, how many it has.</param>
    /// <returns>From 0 to L.</returns>
    public int Resolve(int layers)
    {
        if (_count < 0)
        {
            return layers;
        }

        return Math.Min(_count, layers);
    }

    /// <summary>As a recipe writes it: <c>false</c>, <c>true</c>, <c>12</c>.</summary>
    public override string ToString() =>
        _count switch
        {
            < 0 => "true",
            0 => "false",
            _ => _count.ToString(CultureInfo.InvariantCulture),
        };
}
