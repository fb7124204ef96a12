using Saltern.Checkpoints;
using Saltern.Distributed;
using Saltern.Evaluation;

namespace Saltern.Runs;

/// <summary>What is measured along a run: the curve set, and tasks where the recipe has some. Shared out over the ranks; rank 0 writes.</summary>
/// <param name="log">Makes the lines of metrics.</param>
/// <param name="teacher">The teacher's losses on the curve set; null without soft labels and on ranks that do not evaluate.</param>
/// <param name="tokenBytes">Bytes of each token id.</param>
internal sealed class RunEvaluation(
    RunContext run,
    RunLog log,
    RunMetrics metrics,
    TeacherValidation? teacher,
    int[] tokenBytes
)
{
    /// <summary>Evaluates on the curve set.</summary>
    /// <returns>The loss, nats per token; the same on all ranks.</returns>
    public double EvaluateCurve()
    {
        double loss = double.NaN;
        run.Options.Ranks.Activity = $"step {Trainer.State.Step}: evaluation";
        Trainer.Timed(AddSeconds, () => loss = CurveLoss());
        return run.Options.Ranks.FromFirst(loss);
    }

    /// <summary>Whether a loss is the run's best so far, and keeps it if so: the first of equal ones, and never one that is no number.</summary>
    public bool IsBest(double loss)
    {
        bool isBest = double.IsFinite(loss) && !(Trainer.State.BestLoss <= loss);
        if (isBest)
        {
            Trainer.Note(state => state with { BestStep = state.Step, BestLoss = loss });
        }

        return isBest;
    }

    /// <summary>Runs the recipe's tasks.</summary>
    public void EvaluateTasks()
    {
        run.Options.Ranks.Activity = $"step {Trainer.State.Step}: tasks";
        Trainer.Timed(
            AddSeconds,
            () =>
            {
                IReadOnlyList<TaskResult> tasks = Parts.Instruments!.RunTasks(
                    run.Config.Name,
                    Trainer.Student,
                    Parts.Tokenizer,
                    run.Config.Data.SequenceLength,
                    run.Options.Ranks
                );
                if (run.Options.Ranks.Rank == 0)
                {
                    metrics.Write(log.TaskLine(tasks));
                }
            }
        );
    }

    private Trainer Trainer => run.Trainer;

    private RunParts Parts => run.Parts;

    private static TrainState AddSeconds(TrainState state, double seconds) =>
        state with
        {
            EvaluationSeconds = state.EvaluationSeconds + seconds,
        };

    private double CurveLoss()
    {
        EvaluationResult scores = ModelEvaluation.Run(
            Trainer.Student,
            Trainer.LossHead,
            Parts.Text.CurveSet,
            tokenBytes,
            Parts.Text.Domains.Count,
            run.Options.Ranks
        );
        double? average = null;
        Trainer.Average?.InPlaceOfWeights(() =>
            average = ModelEvaluation
                .Run(
                    Trainer.Student,
                    Trainer.LossHead,
                    Parts.Text.CurveSet,
                    tokenBytes,
                    Parts.Text.Domains.Count,
                    run.Options.Ranks
                )
                .Total.Loss
        );
        if (run.Options.Ranks.Rank > 0)
        {
            return scores.Total.Loss;
        }

        int step = Trainer.State.Step;
        double? gap = Trainer.Guidance.Teacher is null ? null : teacher?.Gap(scores, log.LastOmega);
        if (
            gap is double valid
            && teacher!.BeginsToLookTooGood(Trainer.Guidance.Gap, valid, step / (double)run.Config.Training.Steps)
        )
        {
            run.Options.Log(
                $"Step {step}: the teacher is {Trainer.Guidance.Gap:0.000} nats ahead on the training text but only "
                    + $"{valid:0.000} on the validation text. "
                    + "If it was trained on these tokens more than once, it looks better than it is."
            );
        }

        metrics.Write(
            log.ValidationLine(
                scores,
                Parts.Text.Domains,
                gap,
                average,
                Parts.Instruments?.Buckets(Parts.Text.CurveSet, scores) ?? []
            )
        );
        if (run.Config.Training.SampleText)
        {
            var samples = new RunSamples
            {
                Step = step,
                Samples = RunSamples.Of(Parts, Trainer.Student, run.Config.Seed),
            };
            samples.Write(run.Folder);
            metrics.Write(samples);
        }

        return scores.Total.Loss;
    }
}
