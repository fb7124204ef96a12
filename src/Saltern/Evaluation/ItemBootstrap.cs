using Saltern.Batches;

namespace Saltern.Evaluation;

/// <summary>Bootstrap over items: what a metric would have been on other items of the same kind. Says nothing about other seeds of training.</summary>
internal static class ItemBootstrap
{
    /// <summary>Resamples drawn.</summary>
    public const int Resamples = 1_000;

    private const long Seed = 1234;

    /// <summary>Values of a statistic over resampled items, ascending.</summary>
    /// <param name="count">Items, at least 1.</param>
    /// <param name="statistic">From the indices of a resample.</param>
    public static double[] Values(int count, Func<int[], double> statistic)
    {
        double[] values = new double[Resamples];
        Parallel.For(
            0,
            Resamples,
            resample =>
            {
                var random = new SampleRandom(Seed, 0, resample);
                int[] indices = new int[count];
                for (int i = 0; i < count; i++)
                {
                    indices[i] = random.NextBelow(count);
                }

                values[resample] = statistic(indices);
            }
        );
        Array.Sort(values);
        return values;
    }

    /// <summary>Ends of the middle 95 %.</summary>
    public static (double Low, double High) Middle95(double[] ascending)
    {
        int left = (int)(0.025 * ascending.Length);
        return (ascending[left], ascending[^(left + 1)]);
    }
}
