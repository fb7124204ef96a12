using System.Diagnostics;
using System.Globalization;
using Saltern.ModelFiles;

namespace Saltern.Cli.Terminal;

/// <summary>Shows how far the reading of a model's weights is, with the time that is left.</summary>
public static class WeightsLine
{
    /// <summary>Progress that is shown on a status line; the clock starts now.</summary>
    /// <param name="doing">What is being done, e.g. <c>loading</c>.</param>
    internal static IProgress<WeightProgress> On(StatusLine status, string doing)
    {
        long start = Stopwatch.GetTimestamp();
        return new ImmediateProgress<WeightProgress>(progress =>
        {
            // A run loads several models one after the other; each has a clock of its own.
            if (progress.IsFirst)
            {
                start = Stopwatch.GetTimestamp();
            }

            status.Show(() => Text(doing, progress, Stopwatch.GetElapsedTime(start).TotalSeconds));
        });
    }

    /// <summary>The line.</summary>
    internal static string Text(string doing, WeightProgress progress, double seconds)
    {
        double share = progress.Values / (double)progress.TotalValues;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Duration.Bar(share)} {doing} {100 * share:0} % of {progress.TotalValues / 1e6:0.0}M values, "
                + $"{Duration.Text(seconds * (1 - share) / share)} left, {progress.Tensor}"
        );
    }
}
