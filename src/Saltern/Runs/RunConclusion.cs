using System.Text.Json;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Evaluation;
using Saltern.Files;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>What a run says when it is over: losses on the whole validation set, samples of text, costs, circumstances.</summary>
/// <param name="tokenBytes">Bytes of each token id.</param>
internal sealed class RunConclusion(RunContext run, int[] tokenBytes)
{
    // Evaluation along a run should not cost more than this share of its steps' time.
    private const double HighestEvaluationShare = 0.06;

    // Seconds of two runs compare only where at most this share of them had other load.
    private const double HighestLoadedShare = 0.05;

    /// <summary>Evaluates, writes <c>result.json</c> and <c>eval/documents.jsonl</c>, and returns the result; of a run that was finished before, returns what it wrote then.</summary>
    /// <param name="truncated">Whether the run ends before its planned steps.</param>
    /// <param name="peak">Speed of matrix products, FLOP/s.</param>
    /// <param name="fineTuning">What fine-tuning adds; null for other runs.</param>
    public RunResult Write(bool truncated, double peak, FineTuningOutcome? fineTuning)
    {
        TrainState state = run.Trainer.State;
        if (run.Folder.Finished is { } finished)
        {
            if (run.Options.Ranks.Size > 1)
            {
                // The other ranks evaluate, and wait for this one.
                _ = Measure();
            }

            return finished;
        }

        if (state.EvaluationSeconds > HighestEvaluationShare * state.Seconds && state.Step >= 100)
        {
            run.Options.Log(
                $"Evaluation took {100 * state.EvaluationSeconds / state.Seconds:0} % of the steps' time. "
                    + "A larger training.evaluate_every makes it cheaper, and so does less validation text."
            );
        }

        ValidationSet whole = Parts.Text.WholeSet;
        (EvaluationResult scores, EvaluationResult? average, IReadOnlyList<TaskResult> tasks) = Measure();
        WriteDocuments(scores);
        var result = new RunResult
        {
            Name = run.Config.Name,
            Arm = Parts.Text.Arm ?? run.Config.Arm,
            Seed = run.Config.Seed,
            Steps = state.Step,
            PlannedSteps = run.Config.Training.Steps,
            Truncated = truncated,
            Samples = state.Samples - state.FirstSample,
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
            OptimizerFlops = state.OptimizerFlops,
            Run = state.Run.Length > 0 ? state.Run : null,
            Origin = state.Origin ?? [],
            Stages = state.Stages,
            // The last step with the teacher: stage1_last_step of a checkpoint.
            Stage1EndStep = LastStepOfStage1(run.Config, state),
            Stage1EndReason = state.Stage1LastStep is null ? null : run.Trainer.Guidance.EndReason,
            StudentParameters = run.Trainer.Student.Parameters.Layout.ParameterCount,
            DataFingerprint = Parts.Text.Fingerprint,
            OrderFingerprint = Order(state),
            InitialWeightsFingerprint = state.InitialWeights,
            SelectionFingerprint = state.Selection.Length > 0 ? state.Selection : null,
            SecondsComparable =
                state.WatchedSeconds > 0 && state.LoadedSeconds <= HighestLoadedShare * state.WatchedSeconds,
            InterleavedWith = run.Options.InterleavedWith,
            Teacher = TeacherOf(run.Config, state),
            BestStep = state.BestStep,
            BestLoss = state.BestLoss,
            FineTuning = fineTuning,
            // Final.Loss: mean over all counted tokens of the whole set, all domains together, nats per token.
            Final = RunScores.Of(scores, Parts.Text.Domains, Parts.Instruments?.Buckets(whole, scores)),
            FinalEma = average is null
                ? null
                : RunScores.Of(average, Parts.Text.Domains, Parts.Instruments?.Buckets(whole, average)),
            Tasks = RunScores.Of(tasks),
            Machine = MachineDescription.Of(Parts.Compute, state.Threads, state.Products, peak),
            Versions = MachineDescription.Versions(),
            TextSamples = RunSamples.Of(Parts, run.Trainer.Student, run.Config.Seed),
            Files = ResultSums.Sums(run.Folder.Path),
        };
        run.Folder.WriteText(RunLayout.Result, result.ToJson());
        return result;
    }

    /// <summary>The student, and the average of its last weights where there is one, on the whole validation set, and the student on the recipe's tasks, if any; on all ranks together.</summary>
    public (EvaluationResult Scores, EvaluationResult? Average, IReadOnlyList<TaskResult> Tasks) Measure()
    {
        run.Options.Ranks.Activity = "the last evaluation";
        EvaluationResult scores = OnWholeSet();
        EvaluationResult? average = null;
        run.Trainer.Average?.InPlaceOfWeights(() => average = OnWholeSet());
        if (Parts.Instruments is not { Tasks: not null } instruments)
        {
            return (scores, average, []);
        }

        IReadOnlyList<TaskResult> tasks = instruments.RunTasks(
            run.Config.Name,
            run.Trainer.Student,
            Parts.Tokenizer,
            run.Config.Data.SequenceLength,
            run.Options.Ranks
        );
        return (scores, average, tasks);
    }

    private EvaluationResult OnWholeSet() =>
        ModelEvaluation.Run(
            run.Trainer.Student,
            run.Trainer.LossHead,
            Parts.Text.WholeSet,
            tokenBytes,
            Parts.Text.Domains.Count,
            run.Options.Ranks
        );

    private RunParts Parts => run.Parts;

    // Which sample comes in which step.
    private string Order(TrainState state)
    {
        string stream = Parts.Batches.Fingerprint(
            SampleSpace.Of(Parts.Text.Fingerprint, run.Config.Data, run.Config.Objective),
            run.Config.Training.BatchSequences
        );
        int[] batches = [.. Parts.Stages.Stages.Select(stage => stage.BatchSequences)];
        if (state.FirstSample == 0 && batches.Distinct().Count() == 1)
        {
            return stream;
        }

        IEnumerable<string> stages = Parts.Stages.Stages.Select(stage => $"{stage.LastStep}x{stage.BatchSequences}");
        return Fingerprint.Of($"{stream} from {state.FirstSample}: {string.Join(' ', stages)}");
    }

    private static int? LastStepOfStage1(RunConfig config, TrainState state)
    {
        if (GuidanceKinds.Active(config) is not null)
        {
            return state.Stage1LastStep ?? state.Step;
        }

        return config.Selection?.Until?.Resolve(config.Training.Steps);
    }

    // The small model that helped, be it by its labels or its states or by what it selected.
    private static RunTeacher? TeacherOf(RunConfig config, TrainState state)
    {
        bool helped = GuidanceKinds.Active(config) is not null || config.Selection is not null;
        if (!helped || state.Teacher is null)
        {
            return null;
        }

        return state.Teacher with
        {
            Weights = state.TeacherWeights.Length > 0 ? state.TeacherWeights : state.Teacher.Weights,
        };
    }

    private void WriteDocuments(EvaluationResult scores)
    {
        run.Folder.WriteText(
            RunLayout.Documents,
            string.Concat(
                scores.Documents.Select(d =>
                    JsonSerializer.Serialize(
                        new
                        {
                            domain = Parts.Text.Domains[d.Document.Domain],
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
