using Microsoft.Extensions.Logging;
using Saltern.Checkpoints;
using Saltern.Evaluation;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;
using Saltern.Verdicts;

namespace Saltern.Hosting;

/// <summary>The road in a few calls: train, compare, evaluate, generate. Each is a handful of lines over the public types, for whoever needs more.</summary>
/// <remarks>
/// One training at a time in a process: libtorch's threads and its generator are the process's. What a user can get wrong throws a
/// <see cref="SalternException"/>.
/// </remarks>
public static partial class Salt
{
    private static readonly Lazy<EngineSetup> Engine = new(EngineSetup.Prepare);

    /// <summary>Trains a recipe to its end, from where the folder's run was interrupted; a finished run stays as it is.</summary>
    /// <param name="recipe">As records, or <c>RecipeReader.Read&lt;RunConfig&gt;(path, [])</c>.</param>
    /// <param name="folder">The run's folder; made if it is not there.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellation">Ends the training between two steps, after a checkpoint.</param>
    /// <returns>What the run says of itself: its result, its curves, what it cost.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled; the same call goes on from the checkpoint.</exception>
    /// <exception cref="ConfigurationException">The recipe is wrong; every problem is listed.</exception>
    /// <exception cref="TrainingException">The run cannot go on, such as after a loss that is no number.</exception>
    public static RunRecord Train(
        RunConfig recipe,
        string folder,
        TrainOptions? options = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(recipe);
        options ??= new TrainOptions();
        bool isThere = options.Resume && File.Exists(Path.Combine(folder, RunLayout.Recipe));
        EngineSetup engine = Engine.Value;
        Action<string> log = options.Run.Log;
        if (options.Logger is ILogger logger)
        {
            log += line => Said(logger, line);
            Said(logger, engine.Description);
        }

        using TrainingRun run = TrainingRun.Open(
            recipe,
            folder,
            options.Run with
            {
                Resume = isThere,
                Log = log,
                OnStep = options.Run.OnStep + (options.Progress is { } progress ? progress.Report : null),
                DefaultThreads = options.Run.DefaultThreads ?? engine.Threads,
            }
        );
        if (run.Continue(recipe.Training.Steps, cancellation) == RunStatus.Interrupted)
        {
            throw new OperationCanceledException(
                $"{recipe.Name} was interrupted after step {run.Step} of {recipe.Training.Steps}; "
                    + $"{folder} has its checkpoint.",
                cancellation
            );
        }

        run.Finish();
        return RunRecord.Load(folder);
    }

    /// <summary>As <see cref="Train"/>, on a thread of its own, so that a host stays responsive.</summary>
    /// <param name="recipe">As records, or <c>RecipeReader.Read&lt;RunConfig&gt;(path, [])</c>.</param>
    /// <param name="folder">The run's folder; made if it is not there.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellation">Ends the training between two steps, after a checkpoint; the task is cancelled then.</param>
    public static Task<RunRecord> TrainAsync(
        RunConfig recipe,
        string folder,
        TrainOptions? options = null,
        CancellationToken cancellation = default
    ) =>
        Task.Factory.StartNew(
            () => Train(recipe, folder, options, cancellation),
            cancellation,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default
        );

    /// <summary>What the runs cost against a baseline, at its final loss: steps, time, FLOPs, free and charged, with intervals over seeds.</summary>
    /// <param name="baselines">Run folders of the baseline, one a seed.</param>
    /// <param name="runs">All other run folders; those of one arm are paired by seed.</param>
    /// <exception cref="DataFormatException">No runs, no common seed, different data, or a folder that is no run's.</exception>
    public static Verdict Compare(IReadOnlyList<string> baselines, IReadOnlyList<string> runs)
    {
        ArgumentNullException.ThrowIfNull(baselines);
        ArgumentNullException.ThrowIfNull(runs);
        return Verdict.Compute([.. baselines.Select(RunRecord.Load)], [.. runs.Select(RunRecord.Load)]);
    }

    /// <summary>Loss, bits per byte and accuracy of a model on a data set's validation text.</summary>
    /// <param name="model">Run folder, checkpoint folder or Hugging Face folder.</param>
    /// <param name="data">Folder of a data set that was made with the model's tokenizer.</param>
    /// <param name="sequenceLength">Tokens of a window.</param>
    /// <exception cref="ConfigurationException">Model and data set have different tokenizers, or the model knows fewer positions.</exception>
    /// <exception cref="DataFormatException">A folder is damaged or something else.</exception>
    public static FinalScores Evaluate(string model, string data, int sequenceLength)
    {
        _ = Engine.Value;
        using TokenDataset set = TokenDataset.Open(data);
        return DatasetEvaluation.Run(model, set, sequenceLength);
    }

    /// <summary>What a model adds to a text.</summary>
    /// <param name="model">Run folder, checkpoint folder or Hugging Face folder; loaded for this one text.</param>
    /// <param name="prompt">The text to continue.</param>
    /// <param name="options">How to draw; null for the defaults.</param>
    /// <param name="cancellation">Ends the text early.</param>
    /// <exception cref="DataFormatException">The folder is no model's or damaged.</exception>
    public static string Generate(
        string model,
        string prompt,
        SamplingOptions? options = null,
        CancellationToken cancellation = default
    )
    {
        _ = Engine.Value;
        string folder = ModelLocation.Resolve(model);
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(folder));
        using Transformer transformer = ModelFolder.Load(folder, trainable: false);
        IEnumerable<int> added = TextGenerator.Generate(
            transformer,
            tokenizer.Encode(prompt),
            EndTokens.Of(folder, tokenizer),
            tokenizer.VocabularySize,
            options ?? new SamplingOptions(),
            cancellation
        );
        return tokenizer.Decode([.. added]);
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "{Line}")]
    private static partial void Said(ILogger logger, string line);
}
