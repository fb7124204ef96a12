using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class CrossedIntervalTests
{
    // Mean −0.15; sums of the two groups' deviations ±0.1: 2/1·0.02/16.
    [Theory]
    [InlineData("a a b b", 0.0025, 1)]
    [InlineData("a a a a", 0.01 / 3 / 4, 3)]
    [InlineData("a b c d", 0.01 / 3 / 4, 3)]
    public void SeedsOfOneSmallModel_CountTogether(string smallModels, double variance, int degrees)
    {
        (double found, int freedom) = CrossedInterval.OfSeeds([-0.1, -0.1, -0.2, -0.2], smallModels.Split(' '));
        Assert.Equal(variance, found, 1e-12);
        Assert.Equal(degrees, freedom);
    }

    [Fact]
    public void BothVariances_AreAddedUp()
    {
        // t of 4 degrees of freedom is 2.7764.
        var interval = CrossedInterval.Of(-0.1, 4e-4, 4, 1e-4, 101);
        Assert.Equal((4, 101), (interval.DegreesOfFreedom, interval.Documents));
        Assert.Equal(Math.Sqrt(5e-4), interval.StandardError, 1e-12);
        Assert.Equal(-0.1 - (2.7764 * Math.Sqrt(5e-4)), interval.Ends[0], 1e-5);
        Assert.Equal(-0.1 + (2.7764 * Math.Sqrt(5e-4)), interval.Ends[1], 1e-5);
    }

    // True difference 0. Seeds and documents each move it, and what one seed does on one document.
    [Theory]
    [InlineData(0.02, 0.02, 0.05)]
    [InlineData(0.002, 0.2, 0.05)]
    [InlineData(0.05, 0.002, 0.01)]
    public void TheInterval_HoldsTheTruth_19TimesIn20_WhereSeedsAloneDoNot(double seed, double document, double both)
    {
        const int Studies = 400;
        const int Seeds = 5;
        const int Documents = 30;
        var random = new Random(7);
        int held = 0;
        int heldBySeeds = 0;
        for (int study = 0; study < Studies; study++)
        {
            double[] ofSeed = [.. Enumerable.Range(0, Seeds).Select(_ => seed * Normal(random))];
            double[] ofDocument = [.. Enumerable.Range(0, Documents).Select(_ => document * Normal(random))];
            List<(RunRecord Run, RunRecord Baseline)> pairs = [];
            foreach ((int number, double effect) in ofSeed.Index())
            {
                double[] losses = [.. ofDocument.Select(of => effect + of + (both * Normal(random)))];
                pairs.Add((Scored(number, losses), Scored(number, new double[Documents])));
            }

            CrossedInterval interval = CrossedInterval.Of(pairs)!;
            Assert.Equal(Documents, interval.Documents);
            held += interval.Ends[0] <= 0 && interval.Ends[1] >= 0 ? 1 : 0;
            PairedInterval seeds = PairedInterval.OfDifferences([.. pairs.Select(pair => pair.Run.FinalLoss)]);
            heldBySeeds += seeds.Lower <= 0 && seeds.Upper >= 0 ? 1 : 0;
        }

        Assert.InRange((double)held / Studies, 0.93, 1.0);
        if (document > 10 * seed)
        {
            Assert.InRange((double)heldBySeeds / Studies, 0.0, 0.8);
        }
    }

    [Fact]
    public void WithoutScoresByDocument_OrWithOneSeed_ThereIsNone()
    {
        RunRecord run = Scored(1, [0.1, 0.2]);
        RunRecord baseline = Scored(1, [0.0, 0.0]);
        Assert.Null(CrossedInterval.Of([(run, baseline)]));
        Assert.Null(CrossedInterval.Of([(run, baseline), (Scored(2, [0.1, 0.2]) with { Documents = [] }, baseline)]));

        // Another text for the second seed.
        Assert.Null(CrossedInterval.Of([(run, baseline), (Scored(2, [0.1]), Scored(2, [0.0]))]));
        Assert.NotNull(CrossedInterval.Of([(run, baseline), (Scored(2, [0.1, 0.3]), Scored(2, [0.0, 0.0]))]));
    }

    [Fact]
    public void AVerdict_CountsWhatItsIntervalIsOver()
    {
        RunRecord[] baselines =
        [
            .. Enumerable.Range(1, 3).Select(seed => FakeStudy.Run("baseline", seed, 3.7 + (0.01 * seed))),
        ];
        RunRecord[] taught =
        [
            .. Enumerable
                .Range(1, 3)
                .Select(seed => Taught(FakeStudy.Run("salt", seed, 3.6 + (0.02 * seed), 250), "one")),
        ];
        VerdictRun run = Verdict.Compute(baselines, taught).Runs[0];
        Assert.Equal((1, 20), (run.SmallModels, run.Documents));
        Assert.True(run.FinalLossDifferenceCrossedInterval![0] < run.FinalLossDifferenceInterval![0]);
        Assert.Equal(
            2,
            Verdict.Compute(baselines, [taught[0], Taught(taught[1], "two"), taught[2]]).Runs[0].SmallModels
        );
        RunRecord[] alone = [.. taught.Select(each => each with { Result = each.Result with { Teacher = null } })];
        Assert.Equal(0, Verdict.Compute(baselines, alone).Runs[0].SmallModels);
        RunRecord[] grown =
        [
            .. alone.Select(each =>
                each with
                {
                    Result = each.Result with { Stages = [new RunStage { LastStep = 5 }] },
                }
            ),
        ];
        Assert.Equal(3, Verdict.Compute(baselines, grown).Runs[0].SmallModels);
    }

    private static RunRecord Taught(RunRecord run, string weights) =>
        run with
        {
            Result = run.Result with { Teacher = run.Result.Teacher! with { Weights = weights } },
        };

    // A hundred tokens a document, whose mean is the run's final loss.
    private static RunRecord Scored(int seed, double[] losses)
    {
        RunRecord run = FakeStudy.Run("run", seed, losses.Average());
        return run with
        {
            Documents = [.. losses.Select((loss, i) => new DocumentScore("stories", i, 100, 100 * loss))],
            Result = run.Result with { Final = run.Result.Final! with { Loss = losses.Average() } },
        };
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
