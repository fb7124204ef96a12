using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

// A transition that the caller gives in place of the recipe's.
public sealed class OwnTransitionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Weights_AreTheGivenOnes_AndTheTeacherLeavesAtTheFirstZero()
    {
        var weights = new List<double>();
        TrainingRunOptions options = TinyRun.Quick with
        {
            Transition = run => new Falling(run),
            OnStep = step => weights.Add(step.Weights.Global),
        };
        using TrainingRun run = TrainingRun.Open(Salt(), _folder["run"], options);
        run.Continue(12, CancellationToken.None);
        Assert.Equal([0.5, 0.4, 0.3, 0.2, 0.1, 0, 0, 0, 0, 0, 0, 0], weights.Select(weight => Math.Round(weight, 12)));
        Assert.Null(run.Teacher);
        Assert.Equal((5, "fell"), (run.State.Stage1LastStep, run.Finish().Stage1EndReason));
    }

    [Fact]
    public void ResumedWithTheSame_IsBitForBitTheUninterruptedRun()
    {
        float[] whole = Train("whole", 20, resume: false);
        Train("cut", 10, resume: false);
        Assert.Equal(whole, Train("cut", 20, resume: true));
    }

    [Fact]
    public void WhereNothingIsDistilled_ItIsRefused()
    {
        TrainingRunOptions options = TinyRun.Quick with { Transition = run => new Falling(run) };
        string message = Assert
            .Throws<ConfigurationException>(() =>
                TrainingRun.Open(TinyRun.Shared.Plain("plain", 20), _folder["plain"], options)
            )
            .Message;
        Assert.Contains("the recipe distils nothing, so it would be ignored", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(double.NaN, "NaN")]
    [InlineData(1.5, "1.5")]
    public void AWeightThatIsNoShare_IsRefused(double weight, string words)
    {
        using TrainingRun run = TrainingRun.Open(
            Salt(),
            _folder["no-share"],
            TinyRun.Quick with
            {
                Transition = context => new ByGap(context, weight),
            }
        );
        Assert.Equal(
            $"ByGap gives the weight {words} at step 1; a weight is a number from 0 to 1.",
            Assert.Throws<InvalidOperationException>(() => run.Continue(1, CancellationToken.None)).Message
        );
    }

    private static RunConfig Salt() =>
        TinyRun.Shared.Salt(
            "own",
            20,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromShare(0.9) }
        ) with
        {
            Products = ProductChoice.Blas,
        };

    private float[] Train(string folder, int steps, bool resume)
    {
        using TrainingRun run = TrainingRun.Open(
            Salt(),
            _folder[folder],
            TinyRun.Quick with
            {
                Resume = resume,
                Transition = context => new ByGap(context, 0.5),
            }
        );
        run.Continue(steps, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    private sealed class Falling(TransitionContext run) : StepwiseTransition(smoothingSteps: 1, run.Domains)
    {
        public override string EndReason => "fell";

        public override double WeightAt(int step)
        {
            if (Math.Max(0, 0.6 - (0.1 * step)) is var weight && weight < 0.05)
            {
                return 0;
            }

            return weight;
        }
    }

    // Depends on what was observed, so that a state which is not restored changes the weights.
    private sealed class ByGap(TransitionContext run, double first) : StepwiseTransition(smoothingSteps: 5, run.Domains)
    {
        public override double WeightAt(int step) =>
            double.IsNaN(Gap) ? first : Math.Clamp(0.3 + (0.1 * Gap), 0.1, 0.6);
    }
}
