using CsCheck;
using Saltern.Batches;
using Saltern.Guidance;

namespace Saltern.Tests.Guidance;

public class TargetDrawsTests
{
    [Fact]
    public void SystematicDraws_HandWorked()
    {
        // q = (½, ¼, ¼), n_d = 4, shift = ½: points ⅛, ⅜, ⅝, ⅞ fall on 0, 0, 1, 2.
        (int[] ids, byte[] counts) = Draw([2, 1, 1], [0.125, 0.375, 0.625, 0.875]);
        Assert.Equal([0, 1, 2], ids);
        Assert.Equal([2, 1, 1], counts);
    }

    [Fact]
    public void SystematicCounts_AreTheProductRoundedDownOrUp() =>
        Gen.Select(Gen.Float[0.0001f, 1f].Array[1, 300], Gen.Int[1, 254], Gen.Long)
            .Sample(
                (weights, n, seed) =>
                {
                    double[] points = new double[n];
                    TargetDraws.Points(DrawKind.Systematic, new SampleRandom(seed, 0, 1), 7, points);
                    (int[] ids, byte[] counts) = Draw(weights, points);
                    double total = weights.Sum(weight => (double)weight);

                    // 1e-3: sums of up to 300 float32 probabilities, times 254 draws.
                    return counts.Sum(count => count) == n
                        && ids.SequenceEqual(ids.Order().Distinct())
                        && Enumerable
                            .Range(0, weights.Length)
                            .All(v =>
                                Math.Abs(
                                    (Array.IndexOf(ids, v) is >= 0 and int at ? counts[at] : 0)
                                        - (n * weights[v] / total)
                                )
                                < 1 + 1e-3
                            );
                },
                iter: 300
            );

    [Theory]
    [InlineData(DrawKind.Systematic)]
    [InlineData(DrawKind.Independent)]
    public void Targets_AreUnbiasedInTheGradient(DrawKind kind)
    {
        // The gradient at the logits is p − (1 − ω)·onehot − ω·q̂, so its error is that of ω·q̂. 10⁴ draws of n at 16 positions of 128 tokens.
        const int V = 128;
        const int N = 16;
        const int Repeats = 10_000;
        const int Draws = 12;
        const double Weight = 2.0 / 3;
        int beyond = 0;
        int coordinates = 0;
        for (int position = 0; position < N; position++)
        {
            float[] weights =
            [
                .. Enumerable
                    .Range(0, V)
                    .Select(v => (float)Math.Exp(2.5 * Math.Sin((v * 12.9898) + (position * 78.233)))),
            ];
            double total = TargetDraws.Total(weights);
            double[] sum = new double[V];
            double[] points = new double[Draws];
            int[] ids = new int[Draws];
            byte[] counts = new byte[Draws];
            for (int repeat = 0; repeat < Repeats; repeat++)
            {
                TargetDraws.Points(kind, new SampleRandom(3, 0, repeat), position, points);
                int distinct = TargetDraws.Draw(weights, total, points, ids, counts);
                for (int i = 0; i < distinct; i++)
                {
                    sum[ids[i]] += Weight * counts[i] / Draws;
                }
            }

            for (int v = 0; v < V; v++)
            {
                double q = weights[v] / total;
                double f = (Draws * q) - Math.Floor(Draws * q);
                double variance = kind == DrawKind.Systematic ? f * (1 - f) / (Draws * Draws) : q * (1 - q) / Draws;
                double error = Math.Abs((sum[v] / Repeats) - (Weight * q));
                double sigma = Weight * Math.Sqrt(variance / Repeats);
                beyond += error > 3 * sigma ? 1 : 0;
                coordinates++;
            }
        }

        Assert.True(beyond <= 0.005 * coordinates, $"{beyond} of {coordinates} coordinates lie beyond 3σ");
    }

    [Theory]
    [InlineData(DrawKind.Systematic)]
    [InlineData(DrawKind.Independent)]
    public void Planner_ExpectsTheEntriesThatDrawingGives(DrawKind kind)
    {
        const int V = 2_000;
        const int Repeats = 4_000;
        float[] weights = [.. Enumerable.Range(0, V).Select(v => 1f / (v + 1))];
        double total = TargetDraws.Total(weights);
        var planner = new DrawPlanner(kind);
        planner.Add(weights, total);
        foreach (int draws in new[] { 1, 15, 50, 254 })
        {
            double[] points = new double[draws];
            int[] ids = new int[draws];
            byte[] counts = new byte[draws];
            double entries = 0;
            for (int repeat = 0; repeat < Repeats; repeat++)
            {
                TargetDraws.Points(kind, new SampleRandom(1, 2, repeat), 3, points);
                int distinct = TargetDraws.Draw(weights, total, points, ids, counts);
                entries += distinct + (ids.AsSpan(0, distinct).Contains(0) ? 0 : 1);
            }

            // Standard deviation of distinct tokens is at most √n/2; five of its standard errors.
            Assert.Equal(planner.MeanEntries(draws), entries / Repeats, 5 * Math.Sqrt(draws) / 2 / Math.Sqrt(Repeats));
        }
    }

    [Fact]
    public void MostDraws_FitTheBudget()
    {
        var planner = new DrawPlanner(DrawKind.Systematic);
        float[] peaked = [0.9f, .. Enumerable.Repeat(0.001f, 100)];
        float[] flat = [.. Enumerable.Repeat(0.01f, 100)];
        planner.Add(peaked, TargetDraws.Total(peaked));
        planner.Add(flat, TargetDraws.Total(flat));
        int draws = planner.Most(40, 8, 3);
        Assert.True(8 + (3 * (planner.MeanEntries(draws) + (2 * planner.StandardError(draws)))) <= 40);
        Assert.True(8 + (3 * (planner.MeanEntries(draws + 1) + (2 * planner.StandardError(draws + 1)))) > 40);
        Assert.Equal(TargetDraws.Most, planner.Most(10_000, 8, 3));
        Assert.Equal(1, planner.Most(1, 8, 3));
    }

    private static (int[] Ids, byte[] Counts) Draw(float[] weights, double[] points)
    {
        int[] ids = new int[points.Length];
        byte[] counts = new byte[points.Length];
        int distinct = TargetDraws.Draw(weights, TargetDraws.Total(weights), points, ids, counts);
        return (ids[..distinct], counts[..distinct]);
    }
}
