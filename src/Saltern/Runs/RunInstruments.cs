using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Evaluation;
using Saltern.Guidance;
using Saltern.Models;
using Saltern.Tokenization;

namespace Saltern.Runs;

/// <summary>What a recipe's section <c>evaluation</c> measures along a run: loss by difficulty, and tasks.</summary>
/// <param name="Bounds">Bounds of easy, medium and hard; null where they are not asked for.</param>
/// <param name="Tasks">Tasks, ready to be read; null where there are none.</param>
internal sealed record RunInstruments(EvaluationConfig Config, DifficultyBuckets? Bounds, TaskPlan? Tasks)
{
    private readonly Dictionary<ValidationSet, float[]> _teacherNll = [];

    /// <summary>Opens what the section names.</summary>
    /// <param name="config">The section; null for none.</param>
    /// <param name="dataFingerprint">Identity of the run's data set.</param>
    /// <exception cref="ConfigurationException">The pass is of another data set, or a task cannot be read.</exception>
    public static RunInstruments? Open(EvaluationConfig? config, string dataFingerprint)
    {
        if (config is null)
        {
            return null;
        }

        DifficultyBuckets? bounds = null;
        if (config.Buckets is string folder)
        {
            TeachManifest manifest = TeachManifest.Load(folder);
            if (manifest.Plan.Samples.Data != dataFingerprint)
            {
                throw new ConfigurationException(
                    $"evaluation.buckets = {folder} was made on the data set {manifest.Plan.Samples.Data}, "
                        + $"but data.path has {dataFingerprint}. "
                        + "Make a pass over this data set with 'saltern teach', or remove the key."
                );
            }

            bounds = manifest.Buckets;
        }

        return new RunInstruments(
            config,
            bounds,
            config.Tasks is { Count: > 0 } tasks ? TaskPlan.Read(tasks, config.TasksData, shots: null) : null
        );
    }

    /// <summary>Loads the pass's losses on a set, so that <see cref="Buckets"/> can be asked about it.</summary>
    /// <exception cref="ConfigurationException">The pass has none for this text.</exception>
    public void Prepare(ValidationSet set)
    {
        if (Bounds is not null)
        {
            _teacherNll[set] =
                TeacherLosses.Load(Config.Buckets!, set)?.Nll
                ?? throw new ConfigurationException(
                    $"evaluation.buckets = {Config.Buckets} has no losses for this run's validation text: "
                        + "it was made for another data.sequence_length, "
                        + "training.evaluation_tokens or training.final_evaluation_tokens. "
                        + "Make a pass with 'saltern teach --recipe' of this recipe."
                );
        }
    }

    /// <summary>Losses by difficulty; empty where they are not asked for.</summary>
    /// <param name="set">A set that was prepared.</param>
    /// <param name="scores">The student on it.</param>
    public IReadOnlyList<BucketScores> Buckets(ValidationSet set, EvaluationResult scores)
    {
        if (Bounds is null)
        {
            return [];
        }

        return BucketScores.Of(set, scores, _teacherNll[set], Bounds);
    }

    /// <summary>Whether tasks are run after a step.</summary>
    /// <param name="training">Length of the run and the usual distance of evaluations.</param>
    public bool RunsTasksAfter(int step, TrainingConfig training) =>
        Tasks is not null && (step == training.Steps || step % (Config.TasksEvery ?? training.EvaluateEvery) == 0);

    /// <summary>Runs the tasks; the student stays the caller's.</summary>
    /// <param name="name">What results call the model.</param>
    /// <param name="student">The model as it is.</param>
    /// <param name="window">Most tokens at once.</param>
    /// <param name="ranks">Ranks that each have the student and share the work out.</param>
    public IReadOnlyList<TaskResult> RunTasks(
        string name,
        Transformer student,
        BpeTokenizer tokenizer,
        int window,
        ICommunicator ranks
    )
    {
        using var model = new TaskModel(name, student, tokenizer, window, ownsModel: false, ranks);
        return [.. Tasks!.Tasks.Select(task => TaskResult.Of(model, task, Config.TasksLimit))];
    }
}
