using Saltern.Configuration;
using Saltern.Models;

namespace Saltern.Growth;

/// <summary>Steps of a run with one model.</summary>
/// <param name="FirstStep">From 1.</param>
/// <param name="LastStep">The growth follows this step; the run's last for the last stage.</param>
/// <param name="Model">The resolved shape.</param>
/// <param name="BatchSequences">Sequences of one step.</param>
/// <param name="Growth">How the stage's model becomes the next one's; null for the last stage, and where the batch alone grows.</param>
internal sealed record GrowthStage(
    int FirstStep,
    int LastStep,
    TransformerConfig Model,
    int BatchSequences,
    GrowthStageConfig? Growth
)
{
    /// <summary>Steps of the stage.</summary>
    public int Steps => LastStep - FirstStep + 1;
}

/// <summary>The models and batches of a run, one stage after the other; a run in which neither grows has one stage.</summary>
internal sealed record GrowthPlan(IReadOnlyList<GrowthStage> Stages)
{
    /// <summary>Samples of the whole run.</summary>
    public long Samples => SamplesUpTo(Stages[^1].LastStep);

    /// <summary>The largest batch, in sequences.</summary>
    public int LargestBatch => Stages.Max(stage => stage.BatchSequences);

    /// <summary>The stage of a step; of step 0, before the first one, the first.</summary>
    public GrowthStage At(int step) => Stages.First(stage => step <= stage.LastStep);

    /// <summary>Stages that end by a growth of the model.</summary>
    public IEnumerable<GrowthStage> Growing => Stages.Where(stage => stage.Growth is not null);

    /// <summary>The same stages, cut where the batch grows.</summary>
    /// <param name="ends">Last step and batch of each part with a smaller batch, ascending.</param>
    public GrowthPlan WithBatches(IReadOnlyList<(int LastStep, int BatchSequences)> ends)
    {
        var cut = new List<GrowthStage>();
        foreach (GrowthStage stage in Stages)
        {
            int first = stage.FirstStep;
            foreach ((int last, int batch) in ends.Where(end => end.LastStep >= stage.FirstStep))
            {
                if (first > stage.LastStep)
                {
                    break;
                }

                bool isWhole = last >= stage.LastStep;
                cut.Add(
                    stage with
                    {
                        FirstStep = first,
                        LastStep = Math.Min(last, stage.LastStep),
                        BatchSequences = batch,
                        Growth = isWhole ? stage.Growth : null,
                    }
                );
                first = Math.Min(last, stage.LastStep) + 1;
            }

            if (first <= stage.LastStep)
            {
                cut.Add(stage with { FirstStep = first });
            }
        }

        return new GrowthPlan(cut);
    }

    /// <summary>Last step of each stage.</summary>
    public IReadOnlyList<int> Ends => [.. Stages.Select(stage => stage.LastStep)];

    /// <summary>Whether the model grows after a step.</summary>
    public bool EndsAfter(int step) => Stages.Any(stage => stage.Growth is not null && stage.LastStep == step);

    /// <summary>Samples drawn by the end of a step.</summary>
    public long SamplesUpTo(int step) =>
        Stages.Sum(stage => Math.Clamp((long)step - stage.FirstStep + 1, 0, stage.Steps) * stage.BatchSequences);

    /// <summary>Training FLOPs of the run, a teacher's left out.</summary>
    public double Flops(int sequenceLength) => Stages.Sum(stage => stage.Steps * StepFlops(stage, sequenceLength));

    /// <summary>Training FLOPs of one step of a stage.</summary>
    public static double StepFlops(GrowthStage stage, int sequenceLength) =>
        (double)stage.BatchSequences * sequenceLength * ModelFlops.TrainingPerToken(stage.Model, sequenceLength);

    /// <summary>Resolves the stages of a run.</summary>
    /// <param name="growth">The recipe's section; null or empty for a run that does not grow.</param>
    /// <param name="model">The resolved shape of the whole model.</param>
    /// <param name="steps">J.</param>
    /// <param name="batchSequences">Sequences of a step where a stage says nothing else.</param>
    /// <param name="sequenceLength">T.</param>
    /// <exception cref="ConfigurationException">Stages out of order or without a step, or shapes that cannot grow into each other; every problem is listed.</exception>
    public static GrowthPlan Of(
        IReadOnlyList<GrowthStageConfig>? growth,
        TransformerConfig model,
        int steps,
        int batchSequences,
        int sequenceLength
    )
    {
        if (growth is not { Count: > 0 })
        {
            return new GrowthPlan([new GrowthStage(1, steps, model, batchSequences, null)]);
        }

        TransformerConfig[] models = [.. growth.Select(stage => stage.Model.Of(model)), model];
        int[] batches = [.. growth.Select(stage => stage.BatchSequences ?? batchSequences), batchSequences];
        int[] ends = LastSteps(growth, models, batches, steps, sequenceLength);
        var problems = new List<string>();
        var stages = new List<GrowthStage>();
        for (int i = 0; i < models.Length; i++)
        {
            int first = i == 0 ? 1 : ends[i - 1] + 1;
            var stage = new GrowthStage(first, ends[i], models[i], batches[i], growth.ElementAtOrDefault(i));
            if (stage.Steps < 1)
            {
                string problem =
                    $"growth[{i}] would last from step {first} to step {ends[i]}, which is no step. "
                    + "Stages follow each other: let it end later, or remove it.";
                if (i == growth.Count)
                {
                    problem =
                        $"growth[{i - 1}] ends with step {ends[i - 1]} of {steps}, so no step is left for the whole model. "
                        + "End it earlier.";
                }

                problems.Add(problem);
            }

            stages.Add(stage);
            if (i < growth.Count)
            {
                problems.AddRange(ShapeProblems(models[i], models[i + 1], growth[i], i));
            }
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }

        return new GrowthPlan(stages);
    }

    private static IReadOnlyList<string> ShapeProblems(
        TransformerConfig from,
        TransformerConfig to,
        GrowthStageConfig growth,
        int index
    )
    {
        string[] problems =
        [
            .. ((IValidated)from)
                .Validate()
                .Select(problem => $"growth[{index}].model.{problem.Key} {problem.Message}"),
        ];
        if (problems.Length > 0)
        {
            return problems;
        }

        try
        {
            GrowthMap map = GrowthMap.Of(from, to, growth.Operator, $"growth[{index}]");
            if (!map.KeepsAll)
            {
                return [];
            }

            return
            [
                $"growth[{index}].model is the model that follows it, so nothing grows. Remove the stage, or make it smaller.",
            ];
        }
        catch (ConfigurationException e)
        {
            return e.Problems;
        }
    }

    // Shares of FLOPs need all stages at once: of F FLOPs a stage of share s has s·F/c steps of c FLOPs each, and all steps are J.
    private static int[] LastSteps(
        IReadOnlyList<GrowthStageConfig> growth,
        TransformerConfig[] models,
        int[] batches,
        int steps,
        int sequenceLength
    )
    {
        int[] ends = [.. growth.Select(stage => stage.Until?.Resolve(steps) ?? 0), steps];
        if (growth.All(stage => stage.Until is not null))
        {
            return ends;
        }

        if (growth.Any(stage => stage.Until is not null))
        {
            throw new ConfigurationException(
                "growth: some stages end by 'until' and others by 'until_flops'. Give all of them the same."
            );
        }

        double[] costs =
        [
            .. models.Zip(batches, (model, batch) => batch * ModelFlops.TrainingPerToken(model, sequenceLength)),
        ];
        double[] shares = [.. growth.Select(stage => stage.UntilFlops!.Value), 1.0];
        double stepsOfAll = 0;
        for (int i = 0; i < shares.Length; i++)
        {
            stepsOfAll += (shares[i] - (i == 0 ? 0 : shares[i - 1])) / costs[i];
        }

        double done = 0;
        for (int i = 0; i < growth.Count; i++)
        {
            done += (shares[i] - (i == 0 ? 0 : shares[i - 1])) / costs[i];
            ends[i] = (int)Math.Floor((done / stepsOfAll * steps) + 0.5);
        }

        return ends;
    }
}
