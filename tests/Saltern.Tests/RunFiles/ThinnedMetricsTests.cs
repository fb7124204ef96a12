using System.Text;
using Saltern.RunFiles;

namespace Saltern.Tests.RunFiles;

public class ThinnedMetricsTests
{
    private static readonly string[] Lines =
    [
        .. Enumerable
            .Range(1, 64)
            .SelectMany(step =>
                step % 16 == 0
                    ? [$"{{\"step\":{step},\"train/loss\":1.5}}", $"{{\"step\":{step},\"valid/loss\":2.5}}"]
                    : new[] { $"{{\"step\":{step},\"train/loss\":1.5}}" }
            ),
        "{\"step\":64,\"event/stage1_end\":12}",
    ];

    [Fact]
    public void Everything_StaysWhereThereIsRoom() =>
        Assert.Equal(string.Concat(Lines.Select(line => line + "\n")), ThinnedMetrics.Of(Lines, 1_000_000));

    [Fact]
    public void EvaluationsAndEvents_StayWhole_TrainingLinesAreThinnedEvenly()
    {
        string[] kept = ThinnedMetrics.Of(Lines, 600).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(kept.Sum(line => Encoding.UTF8.GetByteCount(line) + 1) <= 600);
        Assert.Equal(4, kept.Count(line => line.Contains("valid/loss", StringComparison.Ordinal)));
        Assert.Single(kept, line => line.Contains("event/", StringComparison.Ordinal));
        Assert.Equal(
            ["{\"step\":1,\"train/loss\":1.5}", "{\"step\":9,\"train/loss\":1.5}"],
            kept.Where(line => line.Contains("train/", StringComparison.Ordinal)).Take(2)
        );
    }

    [Fact]
    public void EvaluationsAlone_MayTakeMore() =>
        Assert.Equal(6, ThinnedMetrics.Of(Lines, 10).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
}
