using Saltern.Guidance;
using Saltern.Runs;

namespace Saltern.Samples;

/// <summary>A transition of one's own: as much weight as the teacher is ahead, in nats, and none from a tenth of a nat down.</summary>
internal sealed class OwnTransition(TransitionContext run) : StepwiseTransition(smoothingSteps: 5, run.Domains)
{
    public override string EndReason => "a tenth of a nat";

    // NaN before the first step: nothing is known of the gap yet.
    public override double WeightAt(int step)
    {
        if (double.IsNaN(Gap))
        {
            return run.Distillation.Weight;
        }

        if (Gap < 0.1)
        {
            return 0;
        }

        return Math.Min(run.Distillation.Weight, Gap);
    }

    public static void Run(string folder) =>
        TrainFromCSharp.Train(
            SampleRecipes.Salt(folder) with
            {
                Name = "own-transition",
            },
            folder,
            new TrainingRunOptions
            {
                Transition = run => new OwnTransition(run),
                Sinks = [new OwnSink()],
                Log = Console.WriteLine,
            }
        );
}
