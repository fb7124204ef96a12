using Saltern.Checkpoints;
using Saltern.Distributed;
using Saltern.Evaluation;

namespace Saltern.Runs;

/// <summary>What is measured along a run: the curve set, and tasks where the recipe has some. Shared out over the ranks; rank 0 writes.</summary>
/// <param name="config">The recipe.</param>
/// <param name="parts">Text, tokenizer and instruments.</param>
/// <param name="trainer">The student, and the teacher while there is one.</param>
/// <param name="log">Makes the lines of figures.</param>
/// <param name="figures">Takes them.</param>
/// <param name="teacher">The teacher's losses on the curve set; null without soft labels and on ranks that do not evaluate.</param>
/// <param name="tokenBytes">Bytes of each token id.</param>
/// <param name="options">The ranks, and where words go.</param>
/// <param name="folder">The run folder, for samples of text.</param>
internal sealed class RunEvaluation(
    RunConfig config,
    RunParts parts,
    Trainer trainer,
    RunLog log,
    RunFigures figures,
    TeacherValidation? teacher,
    int[] tokenBytes,
    TrainingRunOptions options,
    string folder
)
{
    /// <summary>Evaluates on the curve set.</summary>
    /// <returns>The loss, nats per token; the same on all ranks.</returns>
    public double EvaluateCurve()
    {
        double loss = double.NaN;
        options.Ranks.Activity = $"step {trainer.State.Step}: evaluation";
        trainer.Timed(options.Ranks, Noted, () => loss = CurveLoss());
        return options.Ranks.FromFirst(loss);
    }

    /// <summary>Whether a loss is the run's best so far, and keeps it if so: the first of equal ones, and never one that is no number.</summary>
    public bool IsBest(double loss)
    {
        bool isBest = double.IsFinite(loss) && !(trainer.State.BestLoss <= loss);
        if (isBest)
        {
            trainer.Note(state => state with { BestStep = state.Step, BestLoss = loss });
        }

        return isBest;
    }

    /// <summary>Runs the recipe's tasks.</summary>
    public void EvaluateTasks()
    {
        options.Ranks.Activity = $"step {trainer.State.Step}: tasks";
        trainer.Timed(
            options.Ranks,
            Noted,
            () =>
            {
                IReadOnlyList<TaskResult> tasks = parts.Instruments!.RunTasks(
                    config.Name,
                    trainer.Student,
                    parts.Tokenizer,
                    config.Data.SequenceLength,
                    options.Ranks
                );
                if (options.Ranks.Rank == 0)
                {
                    figures.Write(log.TaskLine(tasks));
                }
            }
        );
    }

    private static TrainState Noted(TrainState state, double seconds) =>
        state with
        {
            EvaluationSeconds = state.EvaluationSeconds + seconds,
        };

    private double CurveLoss()
    {
        EvaluationResult scores = ModelEvaluation.Run(
            trainer.Student,
            trainer.Head,
            parts.Text.CurveSet,
            tokenBytes,
            parts.Text.Domains.Count,
            options.Ranks
        );
        if (options.Ranks.Rank > 0)
        {
            return scores.Total.Loss;
        }

        int step = trainer.State.Step;
        double? gap = trainer.Teacher is null ? null : teacher?.Gap(scores, log.LastWeight);
        if (
            gap is double valid
            && teacher!.BeginsToLookTooGood(trainer.Transition!.Gap, valid, step / (double)config.Training.Steps)
        )
        {
            options.Log(
                $"Step {step}: the teacher is {trainer.Transition.Gap:0.000} nats ahead on the training text but only {valid:0.000} on the validation text. If it was trained on these tokens more than once, it looks better than it is."
            );
        }

        figures.Write(
            log.ValidationLine(
                scores,
                parts.Text.Domains,
                gap,
                parts.Instruments?.Buckets(parts.Text.CurveSet, scores) ?? []
            )
        );
        if (config.Training.SampleText)
        {
            new RunSamples { Step = step, Samples = RunSamples.Of(parts, trainer.Student, config.Seed) }.Write(folder);
        }

        return scores.Total.Loss;
    }
}
