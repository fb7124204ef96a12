using System.Text.Json;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Evaluation;
using Saltern.Files;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>What a run says when it is over: losses on the whole validation set, samples of text, costs, circumstances.</summary>
internal sealed class RunConclusion(
    RunParts parts,
    Trainer trainer,
    RunFolder folder,
    int[] tokenBytes,
    IReadOnlyList<string> domainNames
)
{
    // Evaluation along a run should not cost more than this share of its steps' time.
    private const double HighestEvaluationShare = 0.06;

    // Seconds of two runs compare only where at most this share of them had other load.
    private const double HighestLoadedShare = 0.05;

    /// <summary>Evaluates, writes <c>result.json</c> and <c>eval/documents.jsonl</c>, and returns the result.</summary>
    /// <param name="config">The recipe.</param>
    /// <param name="truncated">Whether the run ends before its planned steps.</param>
    /// <param name="peak">Speed of matrix products, FLOP/s.</param>
    /// <param name="options">Where words go, and what ran beside.</param>
    /// <param name="fineTuning">What fine-tuning adds; null for other runs.</param>
    public RunResult Write(
        RunConfig config,
        bool truncated,
        double peak,
        TrainingRunOptions options,
        FineTuningOutcome? fineTuning
    )
    {
        TrainState state = trainer.State;
        if (state.EvaluationSeconds > HighestEvaluationShare * state.Seconds && state.Step >= 100)
        {
            options.Log(
                $"Evaluation took {100 * state.EvaluationSeconds / state.Seconds:0} % of the steps' time. A larger training.evaluate_every makes it cheaper, and so does less validation text."
            );
        }

        ValidationSet whole = parts.Text.WholeSet;
        (EvaluationResult scores, IReadOnlyList<TaskResult> tasks) = Measure(config, options);
        WriteDocuments(scores);
        var result = new RunResult
        {
            Name = config.Name,
            Arm = parts.Text.Arm ?? config.Arm,
            Seed = config.Seed,
            Steps = state.Step,
            PlannedSteps = config.Training.Steps,
            Truncated = truncated,
            Samples = state.Samples,
            Tokens = state.Tokens,
            Seconds = state.Seconds,
            SecondsApart = new SecondsApart(
                state.EvaluationSeconds,
                state.CheckpointSeconds,
                state.LoggingSeconds,
                state.TeacherSeconds
            ),
            Flops = state.Flops,
            TeacherFlops = state.TeacherFlops,
            Stage1EndStep =
                config.Distils || config.Aligns
                    ? (state.Stage1EndStep - 1) ?? state.Step
                    : config.Selection?.Until?.Resolve(config.Training.Steps),
            Stage1EndReason = state.Stage1EndStep is null ? null : trainer.Stage1EndReason,
            StudentParameters = trainer.Student.Parameters.Layout.ParameterCount,
            DataFingerprint = parts.Text.Fingerprint,
            OrderFingerprint = parts.Batches.Fingerprint(
                SampleSpace.Of(parts.Text.Fingerprint, config.Data, config.Objective),
                config.Training.BatchSequences
            ),
            InitialWeightsFingerprint = state.InitialWeights,
            SelectionFingerprint = state.Selection.Length > 0 ? state.Selection : null,
            SecondsComparable =
                state.WatchedSeconds > 0 && state.LoadedSeconds <= HighestLoadedShare * state.WatchedSeconds,
            InterleavedWith = options.InterleavedWith,
            Teacher =
                config.Distils || config.Aligns || config.Selection is not null
                    ? state.Teacher is null
                        ? null
                        : state.Teacher with
                        {
                            Weights = state.TeacherWeights.Length > 0 ? state.TeacherWeights : state.Teacher.Weights,
                        }
                    : null,
            BestStep = state.BestStep,
            BestLoss = state.BestLoss,
            FineTuning = fineTuning,
            Final = RunScores.Of(scores, domainNames, parts.Instruments?.Buckets(whole, scores)),
            Tasks = RunScores.Of(tasks),
            Machine = MachineDescription.Of(parts.Compute, state.Threads, state.Products, peak),
            Versions = MachineDescription.Versions(),
            TextSamples = RunSamples.Of(parts, trainer.Student, config.Seed),
            Files = ResultSums.Sums(folder.Path),
        };
        WholeFile.WriteText(folder.PathOf(RunLayout.Result), result.ToJson());
        return result;
    }

    /// <summary>The student on the whole validation set and on the recipe's tasks, if any; on all ranks together.</summary>
    /// <param name="config">The recipe.</param>
    /// <param name="options">The ranks.</param>
    public (EvaluationResult Scores, IReadOnlyList<TaskResult> Tasks) Measure(
        RunConfig config,
        TrainingRunOptions options
    )
    {
        options.Ranks.Activity = "the last evaluation";
        EvaluationResult scores = ModelEvaluation.Run(
            trainer.Student,
            trainer.Head,
            parts.Text.WholeSet,
            tokenBytes,
            domainNames.Count,
            options.Ranks
        );
        return (
            scores,
            parts.Instruments is { Tasks: not null } instruments
                ? instruments.RunTasks(
                    config.Name,
                    trainer.Student,
                    parts.Tokenizer,
                    config.Data.SequenceLength,
                    options.Ranks
                )
                : []
        );
    }

    private void WriteDocuments(EvaluationResult scores)
    {
        string path = folder.PathOf(RunLayout.Documents);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        WholeFile.WriteText(
            path,
            string.Concat(
                scores.Documents.Select(d =>
                    JsonSerializer.Serialize(
                        new
                        {
                            domain = domainNames[d.Document.Domain],
                            document = d.Document.Document,
                            tokens = d.Document.TargetCount,
                            nll = d.Nll,
                        }
                    ) + "\n"
                )
            )
        );
    }
}
