// FLOPs of a run, its baseline and its teacher by the rule of docs/method.md, "Cost", and what follows from them before anything is trained.
using Saltern.Growth;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Runs;

namespace Saltern.Planning;

/// <summary>A part of a planned run with a smaller model, or a smaller batch.</summary>
/// <param name="StepFlops">FLOPs of one of its steps, the update apart.</param>
/// <param name="UpdateFlops">The optimizer's own products of one of them.</param>
/// <param name="BatchSequences">Sequences of one of its steps.</param>
/// <param name="Grows">Whether the model grows after it; otherwise the batch alone does.</param>
internal sealed record StagePlan(
    int Steps,
    double StepFlops,
    double UpdateFlops,
    long Parameters,
    int Layers,
    int HiddenSize,
    int BatchSequences,
    bool Grows
);

/// <summary>Arithmetic of a planned run, FLOPs.</summary>
internal sealed record CostPlan
{
    /// <summary>One step of the student alone, the update apart.</summary>
    public required double StudentStep { get; init; }

    /// <summary>The teacher's forward pass of one step; 0 without a live one.</summary>
    public required double TeacherStep { get; init; }

    /// <summary>The optimizer's own products of one step, whatever the batch; 0 where it has none.</summary>
    public double OptimizerStep { get; init; }

    /// <summary>Optimizer steps.</summary>
    public required int Steps { get; init; }

    /// <summary>Steps with the teacher; of <c>auto</c> the most it may take.</summary>
    public required int TaughtSteps { get; init; }

    /// <summary>Whether stage 1 may end earlier by itself.</summary>
    public required bool MayEndEarlier { get; init; }

    /// <summary>Evaluations along the run and after it.</summary>
    public required double Evaluation { get; init; }

    /// <summary>Evaluations on the curve set over the student's part of the steps between them: what they take of a run without a teacher, tasks and text samples apart.</summary>
    public required double EvaluationShare { get; init; }

    /// <summary>The teacher's own training; null without a teacher.</summary>
    public required double? TeacherTraining { get; init; }

    /// <summary>A teacher pass that fills a cache; 0 where it runs live.</summary>
    public required double CachePass { get; init; }

    /// <summary>Steps of the smaller models that the student grows out of, and of smaller batches, in order; empty where neither grows.</summary>
    public IReadOnlyList<StagePlan> SmallStages { get; init; } = [];

    /// <summary>Their steps together.</summary>
    public int SmallSteps => SmallStages.Sum(stage => stage.Steps);

    /// <summary>The student's part, all steps.</summary>
    public double Student =>
        SmallStages.Sum(stage => stage.Steps * (stage.StepFlops + stage.UpdateFlops))
        + ((Steps - SmallSteps) * (StudentStep + OptimizerStep));

    /// <summary>The student's and the live teacher's part, all steps.</summary>
    public double Run => Student + (TaughtSteps * TeacherStep);

    /// <summary>Steps of the whole batch that as many sequences would be as <c>training.batch_warmup</c> leaves out.</summary>
    public double MissingSteps { get; init; }

    /// <summary>BASELINE with as many steps, of the same batches where they grow.</summary>
    public double Baseline => ((Steps - MissingSteps) * StudentStep) + (Steps * OptimizerStep);

    /// <summary>Reckons a run.</summary>
    /// <param name="teacher">The teacher's shape; null without one.</param>
    /// <param name="teacherSteps">Steps of its own training, of as many tokens each.</param>
    public static CostPlan Of(
        RunConfig recipe,
        TransformerConfig student,
        TransformerConfig? teacher,
        double teacherSteps
    )
    {
        int length = recipe.Data.SequenceLength;
        int steps = recipe.Training.Steps;
        double tokens = recipe.BatchTokens;
        GuidanceKind? kind = GuidanceKinds.Active(recipe);
        int taught = kind?.LastStep(recipe) ?? 0;
        double forward = 0;
        double? teacherTraining = null;
        if (teacher is not null)
        {
            forward = tokens * ModelFlops.ForwardPerToken(teacher, length);
            teacherTraining = tokens * ModelFlops.TrainingPerToken(teacher, length) * teacherSteps;
        }

        bool cached = recipe.Teacher?.Cache is not null;
        return new CostPlan
        {
            SmallStages =
            [
                .. recipe
                    .PlanStages(student.VocabSize)
                    .Stages.SkipLast(1)
                    .Select(stage => new StagePlan(
                        stage.Steps,
                        GrowthPlan.StepFlops(stage, length),
                        MuonRule.UpdateFlops(recipe.Optimizer, new DecoderLayout(stage.Model).Parameters),
                        ModelFlops.Parameters(stage.Model),
                        stage.Model.NumHiddenLayers,
                        stage.Model.HiddenSize,
                        stage.BatchSequences,
                        stage.Growth is not null
                    )),
            ],
            MissingSteps = recipe.Training.BatchWarmup is null
                ? 0
                : recipe
                    .PlanStages(student.VocabSize)
                    .Stages.Sum(stage =>
                        stage.Steps * (1.0 - ((double)stage.BatchSequences / recipe.Training.BatchSequences))
                    ),
            OptimizerStep = MuonRule.UpdateFlops(recipe.Optimizer, new DecoderLayout(student).Parameters),
            StudentStep = tokens * ModelFlops.TrainingPerToken(student, length),
            TeacherStep = cached ? 0 : forward,
            Steps = steps,
            TaughtSteps = taught,
            MayEndEarlier = kind?.MayEndEarlier(recipe) == true,
            Evaluation =
                ModelFlops.ForwardPerToken(student, length)
                * (
                    ((double)steps / recipe.Training.EvaluateEvery * recipe.Training.EvaluationTokens)
                    + recipe.Training.FinalEvaluationTokens
                ),
            EvaluationShare =
                recipe.Training.EvaluationTokens
                * ModelFlops.ForwardPerToken(student, length)
                / (recipe.Training.EvaluateEvery * tokens * ModelFlops.TrainingPerToken(student, length)),
            TeacherTraining = teacherTraining,
            CachePass = cached ? taught * forward : 0,
        };
    }

    /// <summary>Cost of a run that reaches BASELINE's quality after a share of the steps, over BASELINE's own: free, what it executes itself.</summary>
    /// <param name="share">Share of the steps.</param>
    public double FreeRatio(double share) => share + (Math.Min(TaughtSteps, share * Steps) * TeacherStep / Baseline);

    /// <summary>The same with the teacher's training and passes, shared by K students.</summary>
    /// <param name="share">Share of the steps.</param>
    public double ChargedRatio(double share, int students) =>
        FreeRatio(share) + (((TeacherTraining ?? 0) + CachePass) / students / Baseline);

    /// <summary>The largest share of the steps at which the free cost is BASELINE's.</summary>
    public double FreeBreakEven => 1 - (TaughtSteps * TeacherStep / Baseline);

    /// <summary>Students over which the teacher's training has to be shared to cost as much as BASELINE; null where no number is enough.</summary>
    /// <param name="share">Share of the steps.</param>
    public double? StudentsToBreakEven(double share)
    {
        if (FreeRatio(share) < 1)
        {
            return ((TeacherTraining ?? 0) + CachePass) / Baseline / (1 - FreeRatio(share));
        }

        return null;
    }
}
