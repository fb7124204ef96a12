using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Losses;

namespace Saltern.Tests.Guidance;

public class TransitionTests
{
    private const double TwoThirds = 2.0 / 3.0;

    [Theory]
    [InlineData(TransitionKind.Linear, 500, 1.0 / 3.0)]
    [InlineData(TransitionKind.LinearRatio, 500, 0.5)]
    [InlineData(TransitionKind.Cosine, 500, 1.0 / 3.0)]
    [InlineData(TransitionKind.Linear, 425, 0.5)]
    [InlineData(TransitionKind.LinearRatio, 425, 0.6)]
    [InlineData(TransitionKind.Cosine, 425, 0.569036)]
    public void HandWorkedWeights(TransitionKind kind, int step, double expected)
    {
        ScheduledTransition transition = Window(kind, 0.35, 0.65, 1_000);
        Assert.Equal(TwoThirds, transition.WeightAt(350), 12);
        Assert.Equal(expected, transition.WeightAt(step), 6);
        Assert.Equal(0.0, transition.WeightAt(650));
    }

    [Theory]
    [InlineData(TransitionKind.Linear)]
    [InlineData(TransitionKind.LinearRatio)]
    [InlineData(TransitionKind.Cosine)]
    public void EveryStep_EqualsItsClosedForm(TransitionKind kind)
    {
        const int T = 997;
        const int N1 = 150;
        const int N2 = 701;
        var transition = new ScheduledTransition(
            new DistillationConfig
            {
                Weight = 0.667,
                Transition = kind,
                Start = StepPoint.FromSteps(N1),
                End = StepPoint.FromSteps(N2),
            },
            T,
            1
        );
        for (int j = 1; j <= T; j++)
        {
            double f = (double)(N2 - j) / (N2 - N1);
            double r = f * 0.667 / 0.333;
            double inside = kind switch
            {
                TransitionKind.Linear => 0.667 * f,
                TransitionKind.LinearRatio => r / (1 + r),
                _ => 0.667 / 2 * (1 + Math.Cos(Math.PI * (j - N1) / (N2 - N1))),
            };
            double expected = j switch
            {
                <= N1 => 0.667,
                >= N2 => 0,
                _ => inside,
            };
            Assert.True(
                Math.Abs(expected - transition.WeightAt(j)) <= 1e-12,
                $"step {j}: {transition.WeightAt(j)}, expected {expected}"
            );
        }
    }

    [Fact]
    public void Step_HasTheTeacherUpToAndIncludingStart()
    {
        var transition = new ScheduledTransition(
            new DistillationConfig
            {
                Weight = 0.5,
                Transition = TransitionKind.Step,
                Start = StepPoint.FromShare(0.25),
            },
            1_000,
            1
        );
        Assert.Equal(0.5, transition.WeightAt(250));
        Assert.Equal(0.0, transition.WeightAt(251));
    }

    [Fact]
    public void Constant_HasTheTeacherToTheEnd()
    {
        var transition = new ScheduledTransition(
            new DistillationConfig { Weight = 0.5, Transition = TransitionKind.Constant },
            40,
            2
        );
        Assert.Equal([0.5, 0.5], transition.Next(40, 1).ByDomain);
    }

    [Fact]
    public void EmptyWindow_LastsOneStep()
    {
        ScheduledTransition transition = Window(TransitionKind.Linear, 0.5, 0.5, 10);
        Assert.Equal((5, 6), (transition.LastFullStep, transition.FirstZeroStep));
    }

    [Fact]
    public void WindowBeyondTheRun_IsNamed()
    {
        var config = new DistillationConfig
        {
            Transition = TransitionKind.Linear,
            Start = StepPoint.FromSteps(80),
            End = StepPoint.FromSteps(120),
        };
        ConfigurationException e = Assert.Throws<ConfigurationException>(() => new ScheduledTransition(config, 100, 1));
        Assert.Contains("steps 80 and 120 of 100", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SmoothedGap_HandWorked()
    {
        // Over two steps β = ½: 4; (½·4 + 2)/(½ + 1) = 8/3; (½·4 + 0)/(½·1.5 + 1) = 8/7.
        var gap = new SmoothedGap(2);
        double[] values =
        [
            .. new[] { 4.0, 2.0, 0.0 }.Select(d =>
            {
                gap.Add(d, 1);
                return gap.Value;
            }),
        ];
        Assert.Equal([4.0, 8.0 / 3.0, 8.0 / 7.0], values, (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void AScheduledTransition_SmoothsItsGapOverAllDomains_AndResumesIt()
    {
        // Smoothing over 0.02 of 100 steps, as above; sums and positions of two domains add up.
        var config = new DistillationConfig { Transition = TransitionKind.Constant, Smoothing = 0.02 };
        var transition = new ScheduledTransition(config, 100, 2);
        transition.Observe([(3, 1), (5, 1)]);
        transition.Observe([(1, 0), (3, 2)]);
        Assert.Equal(8.0 / 3.0, transition.Gap, 12);

        var resumed = new ScheduledTransition(config, 100, 2);
        resumed.Restore(transition.Save());
        transition.Observe([(0, 2), (0, 0)]);
        resumed.Observe([(0, 2), (0, 0)]);
        Assert.Equal(8.0 / 7.0, resumed.Gap, 12);
        Assert.Equal(transition.Gap, resumed.Gap);
        Assert.Equal("schedule", resumed.EndReason);
    }

    [Theory]
    [InlineData(0.0, true)]
    [InlineData(0.25, true)]
    [InlineData(-0.25, false)]
    [InlineData(double.PositiveInfinity, false)]
    public void OnesOwnTransition_MayGiveAnyWeightThatIsNotNegative(double weight, bool allowed)
    {
        var transition = new Given(weight);
        if (allowed)
        {
            Assert.Equal([weight, weight], transition.Next(1, 1.0).ByDomain);
        }
        else
        {
            Assert.Throws<InvalidOperationException>(() => transition.Next(1, 1.0));
        }
    }

    [Fact]
    public void TheTeacherRuns_WhereAnyDomainHasAWeight()
    {
        Assert.True(new StageWeights(0.1, [0, 0.1]).TeacherRuns);
        Assert.False(new StageWeights(0, [0, 0]).TeacherRuns);
    }

    [Theory]
    [InlineData(TransitionKind.Auto, null, null, 49)] // from half of the run on, at step 50, ω is 0
    [InlineData(TransitionKind.Step, 25, null, 25)]
    [InlineData(TransitionKind.Linear, 35, 65, 64)]
    [InlineData(TransitionKind.Constant, null, null, 100)]
    public void LastTeacherStep_IsTheLastThatMayHaveAWeight(TransitionKind kind, int? start, int? end, int expected)
    {
        var config = new DistillationConfig
        {
            Transition = kind,
            Start = start is int first ? StepPoint.FromSteps(first) : null,
            End = end is int last ? StepPoint.FromSteps(last) : null,
        };
        Assert.Equal(expected, Transition.LastTeacherStep(config, 100));
        Transition created = Transition.Create(config, 100, warmupSteps: 0, domainCount: 1);
        Assert.Equal(kind == TransitionKind.Auto, created is AutoTransition);
    }

    [Fact]
    public void Reference_HandWorked()
    {
        // q(y) = 0.5, q_τ(y) = 0.9, ω = ⅔: −ln(0.5/3 + 0.6).
        Assert.Equal(0.265703, LossSums.Reference(-Math.Log(0.5), -Math.Log(0.9), TwoThirds), 6);
    }

    [Fact]
    public void Auto_FollowsTheGap_NeverRises_AndEndsBecauseOfIt()
    {
        AutoTransition auto = Auto();
        double[] gaps = [.. Enumerable.Repeat(2.0, 10), 1.0, 0.5, 0.9, 0.35, 0.21, .. Enumerable.Repeat(5.0, 85)];
        double[] weights = Replay(auto, gaps, _ => 1.0);
        AssertWeights([TwoThirds, 0.5, 0.5, 1.0 / 3.0, 0.0], weights[11..16]);
        Assert.All(weights[15..], weight => Assert.Equal(0.0, weight));
        Assert.Equal((16, "gap"), auto.FirstWithout);
    }

    [Fact]
    public void Auto_EndsAtTheMaximumAtTheLatest()
    {
        AutoTransition auto = Auto();
        double[] weights = Replay(auto, [.. Enumerable.Repeat(2.0, 100)], _ => 1.0);
        AssertWeights(
            [TwoThirds, 0.647059, 0.5, 1.0 / 7.0, 0.0],
            [weights[37], weights[38], weights[43], weights[48], weights[49]]
        );
        Assert.Equal((50, "maximum"), auto.FirstWithout);
    }

    [Fact]
    public void Auto_FallsWithTheLearningRate()
    {
        double[] weights = Replay(Auto(), [.. Enumerable.Repeat(2.0, 100)], step => step < 20 ? 1.0 : 0.5);
        AssertWeights(
            [TwoThirds, 0.5, 0.5, 5.0 / 11.0, 0.0],
            [weights[18], weights[19], weights[43], weights[44], weights[49]]
        );
    }

    [Fact]
    public void Auto_SendsAUselessTeacherAwayAtOnce()
    {
        double[] weights = Replay(Auto(), [.. Enumerable.Repeat(-0.2, 100)], _ => 1.0);
        AssertWeights([TwoThirds, TwoThirds, 0.0], weights[..3]);
    }

    [Fact]
    public void Auto_ResumedAnywhere_GoesOnAlike()
    {
        double[] gaps = [.. Enumerable.Range(0, 100).Select(i => 2.0 - (i * 0.03) + (0.2 * Math.Sin(i)))];
        double[] whole = Replay(Auto(), gaps, _ => 1.0);
        for (int cut = 1; cut < 60; cut += 7)
        {
            AutoTransition first = Auto();
            AutoTransition second = Auto();
            double[] before = Replay(first, gaps[..cut], _ => 1.0);
            second.Restore(first.Save());
            double[] after = Replay(second, gaps[cut..], _ => 1.0, firstStep: cut + 1);
            Assert.Equal(whole, before.Concat(after));
        }
    }

    [Fact]
    public void Auto_PerDomain_EndsEachDomainOnItsOwn()
    {
        var config = new DistillationConfig
        {
            Weight = TwoThirds,
            Transition = TransitionKind.Auto,
            PerDomain = true,
            Smoothing = 0.001,
        };
        var auto = new AutoTransition(config, 100, 0, domainCount: 3);
        int[] ends = [0, 0, 0];
        for (int step = 1; step <= 60; step++)
        {
            StageWeights weights = auto.Next(step, 1.0);
            for (int domain = 0; domain < 3; domain++)
            {
                ends[domain] = ends[domain] == 0 && weights.ByDomain[domain] == 0 ? step : ends[domain];
            }

            // The first domain's gap closes at step 20, the second's never; the third is too small to judge and goes by the overall gap.
            auto.Observe([(step < 20 ? 20_000 : -20_000, 10_000), (20_000, 10_000), (20, 10)]);
        }

        Assert.Equal(21, ends[0]);
        Assert.Equal(50, ends[1]);
        Assert.Equal(21, ends[2]);
    }

    [Fact]
    public void Auto_TakesTheAnchorLaterWhereItsStepWasNotApplied()
    {
        AutoTransition auto = Auto();
        for (int step = 1; step <= 12; step++)
        {
            auto.Next(step, 1.0);
            if (step != 10)
            {
                auto.Observe([(step < 12 ? 2_000 : 500, 1_000)]);
            }
        }

        // g₁₁ = 2 became the measure; g₁₂/G = ¼ → φ = ½ → r = 1 → ω = ½.
        Assert.Equal(0.5, auto.Next(13, 1.0).Global, 12);
    }

    [Fact]
    public void Auto_PerDomain_ATinyDomainsNoiseDoesNotEndIt()
    {
        var config = new DistillationConfig
        {
            Weight = TwoThirds,
            Transition = TransitionKind.Auto,
            PerDomain = true,
            Smoothing = 0.001,
        };
        var auto = new AutoTransition(config, 100, 0, domainCount: 2);
        StageWeights weights = auto.Next(1, 1.0);
        for (int step = 2; step <= 9; step++)
        {
            auto.Observe([(20_000, 10_000), (-1, 10)]);
            weights = auto.Next(step, 1.0);
        }

        Assert.True(weights.ByDomain[1] > 0);
    }

    [Fact]
    public void ALabelGate_LiftsUnlikelyTokensInExpectation()
    {
        // q = data = (0.8, 0.2), h = (1, 0) by the label, ω = ½: E m_v = q_v·(1 − ω·h_v + ω·E h) = (0.72, 0.28).
        double[] q = [0.8, 0.2];
        double[] h = [1, 0];
        double[] expected = [0, 0];
        for (int y = 0; y < 2; y++)
        {
            double weight = 0.5 * h[y];
            for (int v = 0; v < 2; v++)
            {
                expected[v] += q[y] * (((1 - weight) * (v == y ? 1 : 0)) + (weight * q[v]));
            }
        }

        double meanGate = (q[0] * h[0]) + (q[1] * h[1]);
        Assert.Equal([0.72, 0.28], expected, (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal(expected[0], q[0] * (1 - (0.5 * h[0]) + (0.5 * meanGate)), 12);
    }

    [Fact]
    public void Auto_OfAVeryShortRun_Ends()
    {
        var auto = new AutoTransition(
            new DistillationConfig { Weight = 0.5, Transition = TransitionKind.Auto },
            totalSteps: 4,
            warmupSteps: 0,
            domainCount: 1
        );
        double[] weights = Replay(auto, [2, 2, 2, 2], _ => 1.0);
        Assert.Equal([0.5, 0, 0, 0], weights);
        Assert.Equal((2, "maximum"), auto.FirstWithout);
    }

    [Fact]
    public void Auto_PerDomain_ResumedAnywhere_GoesOnAlike()
    {
        var config = new DistillationConfig
        {
            Weight = TwoThirds,
            Transition = TransitionKind.Auto,
            PerDomain = true,
            Smoothing = 0.02,
        };
        AutoTransition Create() => new(config, 100, 0, domainCount: 2);
        IReadOnlyList<double>[] Run(AutoTransition auto, int first, int last) =>
            [
                .. Enumerable
                    .Range(first, last - first + 1)
                    .Select(step =>
                    {
                        StageWeights weights = auto.Next(step, 1.0);
                        auto.Observe([((2 - (0.05 * step)) * 10_000, 10_000), ((1 - (0.015 * step)) * 10_000, 10_000)]);
                        return weights.ByDomain;
                    }),
            ];
        IReadOnlyList<double>[] whole = Run(Create(), 1, 60);
        Assert.NotEqual(whole.Select(w => w[0]), whole.Select(w => w[1]));
        for (int cut = 3; cut < 55; cut += 5)
        {
            AutoTransition before = Create();
            AutoTransition after = Create();
            Run(before, 1, cut);
            after.Restore(before.Save());
            Assert.Equal(whole[cut..].SelectMany(w => w), Run(after, cut + 1, 60).SelectMany(w => w));
        }
    }

    [Fact]
    public void Auto_MaximumBeforeTheAnchor_IsNamed()
    {
        var config = new DistillationConfig { Transition = TransitionKind.Auto, Maximum = StepPoint.FromSteps(5) };
        Assert.Contains(
            "must lie after the anchor",
            Assert.Throws<ConfigurationException>(() => new AutoTransition(config, 100, 0, 1)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(GateKind.None, 0.1, 5.0, 9.0, 1.0)]
    [InlineData(GateKind.TopProbability, 0.5, 5.0, 9.0, 1.0)]
    [InlineData(GateKind.TopProbability, 0.49, 5.0, 9.0, 0.0)]
    [InlineData(GateKind.Entropy, 0.1, 0.5, 9.0, 1.0)]
    [InlineData(GateKind.Entropy, 0.1, 0.51, 9.0, 0.0)]
    [InlineData(GateKind.Observed, 0.1, 5.0, 1.3862943611198906, 0.5)] // q(y) = ¼ at θ = ½
    [InlineData(GateKind.Bucket, 0.1, 5.0, 3.0, 1.0)]
    [InlineData(GateKind.Bucket, 0.1, 5.0, 6.0, 0.5)]
    [InlineData(GateKind.Bucket, 0.1, 5.0, 6.1, 0.25)]
    public void Gates_HandWorked(GateKind kind, double top, double entropy, double nll, double expected) =>
        Assert.Equal(expected, new Gate(kind, 0.5, [1.0, 0.5, 0.25], [3.0, 6.0]).Factor(top, entropy, nll), 12);

    private sealed class Given(double weight) : StepwiseTransition(smoothingSteps: 1, domainCount: 2)
    {
        public override double WeightAt(int step) => weight;
    }

    private static ScheduledTransition Window(TransitionKind kind, double start, double end, int steps) =>
        new(
            new DistillationConfig
            {
                Weight = TwoThirds,
                Transition = kind,
                Start = StepPoint.FromShare(start),
                End = StepPoint.FromShare(end),
            },
            steps,
            1
        );

    // J = 100, no smoothing: n_a = 10, n_min = 2, n_max = 50, n_c = 38.
    private static AutoTransition Auto() =>
        new(new DistillationConfig { Weight = TwoThirds, Transition = TransitionKind.Auto }, 100, 0, 1);

    // ω_j for a trace of gaps; element i belongs to step i + 1.
    private static double[] Replay(
        AutoTransition auto,
        double[] gaps,
        Func<int, double> learningRate,
        int firstStep = 1
    ) =>
        [
            .. gaps.Select(
                (gap, i) =>
                {
                    double weight = auto.Next(firstStep + i, learningRate(firstStep + i)).Global;
                    auto.Observe([(gap * 1_000, 1_000)]);
                    return weight;
                }
            ),
        ];

    private static void AssertWeights(double[] expected, double[] actual) =>
        Assert.Equal(expected, actual, (a, b) => Math.Abs(a - b) < 1e-6);
}
