namespace Saltern.RunFiles;

/// <summary>Fewer points of a long series, evenly spaced, first and last kept.</summary>
internal static class Thinning
{
    /// <summary>Points after which a line on paper and a table gain nothing.</summary>
    public const int MostPoints = 200;

    public static IEnumerable<T> Keep<T>(IReadOnlyList<T> series, int most = MostPoints)
    {
        if (series.Count <= most)
        {
            return series;
        }

        return Enumerable.Range(0, most).Select(i => series[(int)((long)i * (series.Count - 1) / (most - 1))]);
    }
}
