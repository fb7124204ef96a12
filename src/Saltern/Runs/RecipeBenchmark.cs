// What this machine gives a recipe: the recipe's own steps, on its own data, timed and taken apart. Nothing is written.
using System.Diagnostics;
using Saltern.Evaluation;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>Times a recipe's steps with and without its teacher.</summary>
internal static class RecipeBenchmark
{
    private const int WarmupSteps = 2;
    private const int FewestSteps = 5;
    private const int MostSteps = 400;

    /// <summary>Runs the benchmark.</summary>
    /// <param name="config">Validated recipe; data set and teacher must be there.</param>
    /// <param name="threads">Threads where the recipe gives none.</param>
    /// <param name="budget">Time for the steps; at least five of each kind are made whatever they take.</param>
    /// <param name="log">Told what is being measured.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    /// <exception cref="ConfigurationException">Something does not fit; every problem is listed.</exception>
    public static BenchmarkResult Run(
        RunConfig config,
        int threads,
        TimeSpan budget,
        Action<string> log,
        CancellationToken cancellation
    )
    {
        if (config.Training.Steps < WarmupSteps + FewestSteps)
        {
            throw new ConfigurationException(
                $"training.steps = {config.Training.Steps} is too short to be timed: "
                    + $"{WarmupSteps} steps warm up and {FewestSteps} are measured. Give at least {WarmupSteps + FewestSteps} steps."
            );
        }

        RunConfig recipe = config;
        GrowthPlan stages = RunParts.PlanStages(recipe);
        GrowthStage[] small = [.. stages.Stages.SkipLast(1)];
        config = recipe.OfStage(stages.Stages[^1]);
        using RunParts parts = RunParts.Open(config, resumed: null);
        int used = config.Threads ?? threads;
        torch.set_num_threads(used);
        MatrixProduct.Use(ComputePlan.ChooseProducts(config, resumed: null));
        var load = new OtherLoad(used);
        load.Sample();
        double peak = parts.Compute.MeasurePeak();
        RunConfig plain = GuidanceKinds.Without(config) with { Selection = null };
        GuidanceKind? kind = GuidanceKinds.Active(config);
        TimeSpan share = budget / (small.Length + (kind is null ? 1 : 2));
        log("plain steps");
        Measurement plainSteps = Measure(plain, parts, used, share, cancellation);
        peak = Math.Max(peak, parts.Compute.MeasurePeak());
        Measurement? guidedSteps = null;
        double? teacherFlops = null;
        if (kind is not null)
        {
            log($"{kind.Activity} steps");
            guidedSteps = Measure(kind.AtFullWeight(config), parts, used, share, cancellation);
            teacherFlops = guidedSteps.TeacherFlops / (guidedSteps.Flops - guidedSteps.TeacherFlops);
            peak = Math.Max(peak, parts.Compute.MeasurePeak());
        }

        var smallStages = new List<BenchmarkStage>();
        foreach (GrowthStage stage in small)
        {
            log($"steps of {stage.Model.NumHiddenLayers} layers of {stage.Model.HiddenSize}");
            RunConfig alone = GuidanceKinds.Without(recipe.OfStage(stage)) with { Selection = null };
            using RunParts its = RunParts.Open(alone, resumed: null);
            Measurement steps = Measure(alone, its, used, share, cancellation);
            smallStages.Add(
                new BenchmarkStage(
                    stage.Steps,
                    stage.Model.NumHiddenLayers,
                    stage.Model.HiddenSize,
                    ModelFlops.Parameters(stage.Model),
                    steps.Phase(peak)
                )
            );
        }

        (double watched, double loaded) = load.Sample();
        return new BenchmarkResult
        {
            Name = config.Name,
            Machine = MachineDescription.Of(parts.Compute, used, MatrixProduct.Library, peak),
            PeaksGflops = parts.Compute.MeasurePeaks(),
            Versions = MachineDescription.Versions(),
            LoadedShare = watched > 0 ? loaded / watched : null,
            BatchTokens = plainSteps.Tokens,
            Plain = plainSteps.Phase(peak),
            SmallStages = smallStages,
            Distilling = guidedSteps?.Phase(peak),
            TeacherFlopsShare = teacherFlops,
            EvaluationSeconds = plainSteps.EvaluationSeconds,
            EvaluationProcessorSeconds = plainSteps.ProcessorOfEvaluation,
            OverheadProcessorSeconds = Math.Max(
                0,
                ProcessorSeconds() - plainSteps.Processor - (guidedSteps?.Processor ?? 0)
            ),
            EvaluationShare = plainSteps.EvaluationSeconds / (config.Training.EvaluateEvery * plainSteps.Median),
        };
    }

    private static Measurement Measure(
        RunConfig config,
        RunParts parts,
        int threads,
        TimeSpan budget,
        CancellationToken cancellation
    )
    {
        StageGuidance guidance = parts.CreateGuidance(config, threads);
        ProcessMemory.ResetPeak();
        using Transformer student = parts.CreateStudent(config, resumedStep: null);
        parts.Batches.Position = 0;
        using var trainer = new Trainer(config, parts, student, guidance, threads);
        for (int i = 0; i < WarmupSteps; i++)
        {
            trainer.Step();
        }

        (double flopsBefore, double teacherFlopsBefore) = (trainer.State.Flops, trainer.State.TeacherFlops);
        double processorBefore = ProcessorSeconds();
        long start = Stopwatch.GetTimestamp();
        var seconds = new List<double>();
        StepProfile.Start();
        while (
            (seconds.Count < FewestSteps || Stopwatch.GetElapsedTime(start) < budget)
            && seconds.Count < Math.Min(MostSteps, config.Training.Steps - WarmupSteps)
        )
        {
            cancellation.ThrowIfCancellationRequested();
            seconds.Add(trainer.Step().Seconds);
        }

        IReadOnlyDictionary<StepPart, double> profile = StepProfile.Stop();
        double flops = (trainer.State.Flops - flopsBefore) / seconds.Count;
        double teacherFlops = (trainer.State.TeacherFlops - teacherFlopsBefore) / seconds.Count;
        double processor = ProcessorSeconds() - processorBefore;
        double processorOfSteps = processor / seconds.Count;
        long evaluation = Stopwatch.GetTimestamp();
        processorBefore = ProcessorSeconds();
        if (!guidance.IsActive)
        {
            ModelEvaluation.Run(
                student,
                trainer.LossHead,
                parts.Text.CurveSet,
                ModelEvaluation.TokenBytes(parts.Tokenizer),
                parts.Text.Domains.Count
            );
        }

        double evaluationSeconds = Stopwatch.GetElapsedTime(evaluation).TotalSeconds;
        return new Measurement(
            seconds,
            flops,
            teacherFlops,
            config.BatchTokens,
            ProcessMemory.Peak(),
            profile,
            evaluationSeconds,
            processorOfSteps,
            ProcessorSeconds() - processorBefore
        );
    }

    private static double ProcessorSeconds() => Environment.CpuUsage.TotalTime.TotalSeconds;

    private sealed record Measurement(
        List<double> Seconds,
        double Flops,
        double TeacherFlops,
        long Tokens,
        long? PeakBytes,
        IReadOnlyDictionary<StepPart, double> Profile,
        double EvaluationSeconds,
        double ProcessorOfStep,
        double ProcessorOfEvaluation
    )
    {
        /// <summary>Processor time of all that was measured here, warm-up included.</summary>
        public double Processor => ((Seconds.Count + WarmupSteps) * ProcessorOfStep) + ProcessorOfEvaluation;

        public double Median { get; } = Middle([.. Seconds.Order()]);

        public BenchmarkPhase Phase(double peak)
        {
            var parts = Profile.ToDictionary(part => part.Key, part => part.Value / Seconds.Count);
            return new BenchmarkPhase(
                Seconds.Count,
                Median,
                Seconds.Min(),
                Tokens / Median,
                Flops / Median / peak,
                PeakBytes,
                parts,
                Math.Max(0, Seconds.Average() - parts.Values.Sum()),
                ProcessorOfStep
            );
        }

        private static double Middle(double[] sorted) =>
            (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
