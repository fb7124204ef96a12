using System.Text;

namespace Saltern.RunFiles;

/// <summary>A run's <c>metrics.jsonl</c> made small: every evaluation and event stays, training lines at even distances.</summary>
internal static class ThinnedMetrics
{
    /// <summary>Thins the lines of a file.</summary>
    /// <param name="mostBytes">Most UTF-8 bytes wanted; evaluations are kept even where they alone take more.</param>
    public static string Of(IEnumerable<string> lines, int mostBytes)
    {
        string[] all = [.. lines.Where(line => line.Length > 0)];
        for (int every = 1; ; every *= 2)
        {
            var kept = new StringBuilder();
            int training = 0;
            foreach (string line in all)
            {
                if (!line.Contains($"\"{MetricNames.TrainLoss}\"", StringComparison.Ordinal) || training++ % every == 0)
                {
                    kept.Append(line).Append('\n');
                }
            }

            if (Encoding.UTF8.GetByteCount(kept.ToString()) <= mostBytes || every >= all.Length)
            {
                return kept.ToString();
            }
        }
    }
}
