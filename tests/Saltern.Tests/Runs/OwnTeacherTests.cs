using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Runs;

// A teacher that the caller puts around the recipe's.
public sealed class OwnTeacherTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // The recipe's logits, written out: the same soft labels up to the rounding of another product.
    [Fact]
    public void GivingTheRecipesLogits_TrainsTheRecipesModel()
    {
        float[] recipes = Train("recipes", 12, resume: false, own: null);
        float[] own = Train("own", 12, resume: false, teacher => new Shifted(teacher, 0));
        Assert.True(LargestDifference(recipes, own) < 1e-5);
        float[] other = Train("other", 12, resume: false, teacher => new Shifted(teacher, 3));
        Assert.True(LargestDifference(recipes, other) > 1e-3);
    }

    [Fact]
    public void ResumedWithTheSame_IsBitForBitTheUninterruptedRun()
    {
        float[] whole = Train("whole", 20, resume: false, teacher => new Shifted(teacher, 3));
        Train("cut", 10, resume: false, teacher => new Shifted(teacher, 3));
        Assert.Equal(whole, Train("cut", 20, resume: true, teacher => new Shifted(teacher, 3)));
    }

    [Fact]
    public void IsDisposedOfWithTheRecipes_AtTheEndOfStage1()
    {
        Shifted? made = null;
        using TrainingRun run = TrainingRun.Open(
            Salt(),
            _folder["run"],
            TinyRun.Quick with
            {
                Teacher = teacher => made = new Shifted(teacher, 0),
            }
        );
        run.Continue(17, CancellationToken.None);
        Assert.Equal(0, made!.Disposals);
        run.Continue(20, CancellationToken.None);
        Assert.Equal((1, null), (made.Disposals, run.Teacher));
    }

    [Fact]
    public void WhereNothingIsDistilled_ItIsRefused()
    {
        string message = Assert
            .Throws<ConfigurationException>(() =>
                TrainingRun.Open(
                    TinyRun.Shared.Plain("plain", 20),
                    _folder["plain"],
                    TinyRun.Quick with
                    {
                        Teacher = teacher => new Shifted(teacher, 0),
                    }
                )
            )
            .Message;
        Assert.Contains("A teacher was given, but the recipe distils nothing", message, StringComparison.Ordinal);
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

    private static float LargestDifference(float[] a, float[] b) =>
        a.Zip(b).Max(pair => Math.Abs(pair.First - pair.Second));

    private float[] Train(string folder, int steps, bool resume, Func<Teacher, Teacher>? own)
    {
        using TrainingRun run = TrainingRun.Open(
            Salt(),
            _folder[folder],
            TinyRun.Quick with
            {
                Resume = resume,
                Teacher = own,
            }
        );
        run.Continue(steps, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    // Adds a number of nats to the logit of token 0.
    private sealed class Shifted(Teacher recipes, double nats) : Teacher
    {
        public int Disposals { get; private set; }

        public override SoftLabels Label(
            Batch batch,
            IReadOnlyList<int> rows,
            torch.Tensor inputs,
            AttentionRanges? ranges
        )
        {
            using IDisposable noGradients = torch.no_grad();
            var labels = (LiveSoftLabels)recipes.Label(batch, rows, inputs, ranges);
            using torch.Tensor hidden = labels.HiddenStates;
            torch.Tensor logits = labels.Logits();
            using torch.Tensor first = logits.narrow(1, 0, 1);
            first.add_(nats);
            return new DenseSoftLabels(logits, labels.Temperature);
        }

        public override double FlopsPerToken(int sequenceLength) => recipes.FlopsPerToken(sequenceLength);

        protected override void Dispose(bool disposing)
        {
            Disposals++;
            recipes.Dispose();
        }
    }
}
