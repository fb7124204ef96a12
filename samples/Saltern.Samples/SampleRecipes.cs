using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Runs;

namespace Saltern.Samples;

/// <summary>Recipes in C#: the records that a YAML recipe becomes (docs/recipe-format.md). <c>RecipeReader.Read&lt;RunConfig&gt;("my.yaml", [])</c> gives the same from a file.</summary>
internal static class SampleRecipes
{
    public static RunConfig Teacher(string folder) =>
        Baseline(folder) with
        {
            Name = "teacher",
            Seed = 1001,
            Model = Shape(hidden: 32),
        };

    public static RunConfig Salt(string folder) =>
        Baseline(folder) with
        {
            Name = "salt",
            Teacher = new TeacherConfig { Path = $"{folder}/teacher" },
            Distillation = new DistillationConfig
            {
                Transition = TransitionKind.Step,
                Start = StepPoint.FromShare(0.25),
            },
        };

    public static RunConfig Baseline(string folder) =>
        new()
        {
            Name = "baseline",
            Seed = 1,
            Threads = 1,
            Data = new DataConfig { Path = $"{folder}/data", SequenceLength = 64 },
            Model = Shape(hidden: 64),
            Optimizer = new OptimizerConfig { LearningRate = 8e-3 },
            Schedule = new ScheduleConfig { WarmupSteps = 10 },
            Training = new TrainingConfig
            {
                Steps = 100,
                BatchSequences = 8,
                EvaluateEvery = 10,
                EvaluationTokens = 2_048,
                FinalEvaluationTokens = 8_192,
            },
        };

    private static TransformerConfig Shape(int hidden) =>
        new()
        {
            HiddenSize = hidden,
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            IntermediateSize = 2 * hidden,
            TieWordEmbeddings = true,
        };
}
