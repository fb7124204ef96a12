// A fine-tuning run, top to bottom: open → tasks before → train (TrainingRun) → tasks on the best checkpoint → result.
using System.Globalization;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>Supervised fine-tuning: the training loop of all runs on packed examples, between two evaluations on tasks.</summary>
internal sealed class FineTuneRun : IDisposable
{
    private readonly FineTuneConfig _config;
    private readonly ExampleSet _examples;
    private readonly TaskComparison? _tasks;

    private FineTuneRun(FineTuneConfig config, ExampleSet examples, TaskComparison? tasks, TrainingRun training) =>
        (_config, _examples, _tasks, Training) = (config, examples, tasks, training);

    /// <summary>The training itself.</summary>
    public TrainingRun Training { get; }

    /// <summary>Lines that describe what was derived, for the start of a log.</summary>
    public IReadOnlyList<string> Description()
    {
        ExampleCounts counts = _examples.Counts;
        List<string> lines =
        [
            Text($"examples: {counts.Train} to train on ({counts.Targets} targets), {counts.Valid} to validate on; ")
                + Text($"{counts.Rows} rows, {100 * _examples.Train.Fill:0.0} % filled"),
            .. _examples.Remarks,
            .. Training.Description(),
        ];
        if (counts.TooLong.Count > 0)
        {
            string named = string.Join(", ", counts.TooLong.Take(5));
            string more = counts.TooLong.Count > 5 ? ", … (result.json has all)" : "";
            lines.Insert(
                1,
                Text($"left out: {counts.TooLong.Count} examples longer than {_config.Data.SequenceLength} tokens: ")
                    + named
                    + more
            );
        }

        return lines;
    }

    /// <summary>Opens a run; all mistakes in recipe, examples and task files end here, before anything is written.</summary>
    /// <param name="options">What the run is given besides.</param>
    /// <exception cref="ConfigurationException">Something does not fit.</exception>
    /// <exception cref="DataFormatException">Examples or model are damaged.</exception>
    public static FineTuneRun Open(FineTuneConfig config, string folder, TrainingRunOptions options)
    {
        RunFolder run = RunFolder.Inspect(
            folder,
            config,
            options.Ranks.Rank == 0,
            options.Resume,
            options.Overrides,
            options.Log
        );
        try
        {
            // A checkpoint has all that the training needs, wherever the first model is by now.
            string model = run.ResumeStep is int step
                ? run.Checkpoints.PathOf(step)
                : ModelLocation.Resolve(config.InitFrom.Path);
            string? frozen = config.Lora is null ? null : FrozenModel(config, run.ResumeStep is not null);
            TransformerConfig shape = ModelFolder.LoadConfig(
                model,
                run.ResumeStep is null ? config.InitFrom.IgnoreKeys : null
            );
            if (shape.MaxPositionEmbeddings < config.Data.SequenceLength)
            {
                throw new ConfigurationException(
                    $"data.sequence_length = {config.Data.SequenceLength}, but init_from = {config.InitFrom.Path} "
                        + $"reads at most {shape.MaxPositionEmbeddings} tokens at once. "
                        + $"Use --set data.sequence_length={shape.MaxPositionEmbeddings}, or a model that was trained "
                        + "on longer sequences."
                );
            }

            BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(model, ModelFolder.TokenizerFile));
            ExampleSet examples = ExampleSet.Open(config.Data, tokenizer);
            RefuseOtherExamples(config, run.ResumeState, examples);
            string? first = run.ResumeStep is null ? model : frozen;
            RunConfig training = config.ToRun(shape, first, examples.Counts.Rows);
            TaskComparison? tasks = null;
            if (config.Evaluation is not null)
            {
                tasks = TaskComparison.Plan(
                    config.Evaluation,
                    ModelLocation.Resolve(config.InitFrom.Path),
                    config.Data.SequenceLength,
                    options.Log,
                    config.InitFrom.IgnoreKeys
                );
            }

            return new FineTuneRun(
                config,
                examples,
                tasks,
                TrainingRun.Open(
                    training,
                    run,
                    options,
                    () => Parts(config, training, examples, tokenizer, model, run.ResumeState)
                )
            );
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>Measures the tasks before, then trains to the end.</summary>
    /// <param name="cancellation">Ends the training between two steps, after a checkpoint.</param>
    public RunStatus Continue(CancellationToken cancellation)
    {
        if (Training.Folder.Finished is not null)
        {
            return RunStatus.Reached;
        }

        try
        {
            // On resume too: it takes little beside the training, and the comparison needs every item.
            _tasks?.Before(
                Training.Folder.PathOf(TaskComparison.BeforeFolder),
                _config.InitFrom.Path,
                Training.State.InitialWeights,
                cancellation
            );
        }
        catch (OperationCanceledException)
        {
            return RunStatus.Interrupted;
        }

        return Training.Continue(Training.Config.Training.Steps, cancellation);
    }

    /// <summary>Goes back to the best checkpoint, measures the tasks on it, and writes the result.</summary>
    /// <param name="cancellation">Ends the evaluation early, with an exception.</param>
    /// <exception cref="TrainingException">No evaluation along the run gave a finite loss.</exception>
    public RunResult Finish(CancellationToken cancellation)
    {
        if (Training.Folder.Finished is not null)
        {
            return Training.Finish(); // its record stays as it is
        }

        int best =
            Training.State.BestStep
            ?? throw new TrainingException(
                "No evaluation along the run gave a finite loss, so there is no best checkpoint. "
                    + "A lower optimizer.learning_rate or a longer schedule.warmup_steps usually helps."
            );
        string checkpoint = ModelLocation.Resolve(Training.Folder.Checkpoints.PathOf(best));
        long trained = Training.Student.Trained.Layout.ParameterCount;
        Training.Student.RemoveAdapters(); // the checkpoint's weights have them
        ModelFolder.LoadWeights(checkpoint, Training.Student);
        IReadOnlyDictionary<string, TaskChange>? changes = _tasks?.After(
            Training.Folder.PathOf(TaskComparison.AfterFolder),
            checkpoint,
            cancellation
        );
        return Training.Finish(
            truncated: false,
            new FineTuningOutcome
            {
                InitFrom = _config.InitFrom.Path,
                Checkpoint = Path.GetRelativePath(Training.Folder.Path, checkpoint).Replace('\\', '/'),
                Examples = _examples.Counts,
                TrainedParameters = trained,
                Tasks = changes ?? new Dictionary<string, TaskChange>(),
            }
        );
    }

    /// <inheritdoc/>
    public void Dispose() => Training.Dispose();

    private static RunParts Parts(
        FineTuneConfig recipe,
        RunConfig config,
        ExampleSet examples,
        BpeTokenizer tokenizer,
        string model,
        TrainState? resumed
    )
    {
        ValidationSet valid = examples.Valid.ToValidationSet();
        ChatTemplate? chat = null;
        if (recipe.Data.ChatTexts is ChatTemplateConfig texts)
        {
            chat = ChatTemplate.Create(texts, tokenizer);
        }

        return RunParts.Of(
            config,
            new RunText
            {
                Domains = ["examples"],
                Fingerprint = examples.Fingerprint,
                TokenizerJson = File.ReadAllText(Path.Combine(model, ModelFolder.TokenizerFile)),
                CurveSet = valid,
                WholeSet = valid,
                Prompts = examples.Prompts,
                Arm = "finetune",
                ChatTemplate = chat?.ToJinja(tokenizer),
                EndOfReply = chat?.EndOfReplyId(tokenizer),
            },
            tokenizer,
            new BatchLoader(examples.Train, [1.0], config.Seed),
            resumed,
            recipe.Lora
        );
    }

    // The weights that adapters stand beside are in no checkpoint, so the first model must still be there.
    private static string FrozenModel(FineTuneConfig config, bool resumes)
    {
        try
        {
            return ModelLocation.Resolve(config.InitFrom.Path);
        }
        catch (CheckpointException problem) when (resumes)
        {
            throw new ConfigurationException(
                $"init_from = {config.InitFrom.Path}: a run with the section lora is resumed from its adapters and the model "
                    + $"that it started from. {problem.Message} Put that model back."
            );
        }
    }

    private static void RefuseOtherExamples(FineTuneConfig config, TrainState? resumed, ExampleSet examples)
    {
        if (resumed is not null && resumed.DataFingerprint != examples.Fingerprint)
        {
            throw new ConfigurationException(
                $"data.path = {config.Data.Path}: "
                    + $"the run was trained on the examples {resumed.DataFingerprint}, "
                    + $"but these are {examples.Fingerprint}. Put the old file and layout back, or start a new run."
            );
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
