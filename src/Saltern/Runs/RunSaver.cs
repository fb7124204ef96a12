using Saltern.Checkpoints;
using Saltern.Optimization;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>Saves a run's state: never twice, and on a background thread where the recipe says so. Rank 0 alone writes.</summary>
/// <param name="trainer">Whose state.</param>
/// <param name="config">The recipe.</param>
/// <param name="folder">The run's folder.</param>
/// <param name="tokenizerJson">The tokenizer that goes with the weights.</param>
/// <param name="figures">Put on the disk before each checkpoint.</param>
/// <param name="options">The ranks, and where words go.</param>
/// <param name="savedStep">Step of the checkpoint that the run goes on from; 0 for a new run.</param>
internal sealed class RunSaver(
    Trainer trainer,
    RunConfig config,
    RunFolder folder,
    string tokenizerJson,
    RunFigures figures,
    TrainingRunOptions options,
    int savedStep
) : IDisposable
{
    private readonly BackgroundSaver _background = new();
    private int _savedStep = savedStep;

    /// <summary>Where to go on from, as a sentence.</summary>
    public string LastGood()
    {
        if (folder.Checkpoints.NewestGood().Step is int step)
        {
            return $"The last good checkpoint is {folder.Checkpoints.PathOf(step)}.";
        }

        return "There is no checkpoint yet.";
    }

    /// <summary>Saves the present step; not before the first step, and not once the weights are beyond use: the checkpoints before stay.</summary>
    /// <exception cref="CheckpointException">It cannot be written; the one before it is intact.</exception>
    /// <exception cref="DistributedException">The weights of two ranks differ.</exception>
    public void Save()
    {
        int step = trainer.State.Step;
        if (step == _savedStep)
        {
            return;
        }

        options.Ranks.Activity = $"step {step}: checkpoint";
        trainer.Timed(
            options.Ranks,
            Noted,
            () =>
            {
                options.Ranks.RequireSameWeights(trainer.Student);
                if (!trainer.Optimizer.WeightsAreFinite())
                {
                    options.Log($"Step {step} is not saved: some weights are not finite.");
                    return;
                }

                _savedStep = step;
                bool writes = options.Ranks.Rank == 0;
                if (writes)
                {
                    // Before a copy is made: there is never more than one.
                    _background.Wait();
                }

                GatheredState? gathered = trainer.Optimizer.Gather(keep: writes);
                if (writes)
                {
                    Write(gathered);
                }
            }
        );
    }

    /// <summary>Returns once no checkpoint is being written.</summary>
    /// <exception cref="CheckpointException">The last one could not be written.</exception>
    public void Wait() => trainer.Timed(options.Ranks, Noted, _background.Wait);

    /// <inheritdoc/>
    public void Dispose() => _background.Dispose();

    private static TrainState Noted(TrainState state, double seconds) =>
        state with
        {
            CheckpointSeconds = state.CheckpointSeconds + seconds,
        };

    private void Write(GatheredState? gathered)
    {
        using torch.Tensor random = torch.get_rng_state();
        TrainState state = trainer.Snapshot() with
        {
            RandomState = Convert.ToBase64String(random.data<byte>().ToArray()),
        };
        figures.Flush();
        if (config.Training.CheckpointInBackground)
        {
            CheckpointContent copy = CheckpointContent.CopyOf(
                trainer.Student,
                trainer.Optimizer,
                state,
                trainer.Alignment,
                gathered
            );
            _background.Start(() => Write(copy));
        }
        else
        {
            Write(CheckpointContent.Of(trainer.Student, trainer.Optimizer, state, trainer.Alignment, gathered));
        }
    }

    // On the background thread or on the run's own; uses no tensor where the content is a copy.
    private void Write(CheckpointContent content)
    {
        using CheckpointContent disposed = content;
        string path = folder.Checkpoints.PathOf(content.State.Step);
        try
        {
            Checkpoint.Save(path, content, tokenizerJson);
            folder.Checkpoints.Retain(
                [.. config.Training.KeepSteps ?? [], content.State.BestStep ?? 0],
                config.Training.KeepEvery
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(
                $"The checkpoint {path} cannot be written: {e.Message} {LastGood()} Make room or change the permissions, then go on with --resume.",
                e
            );
        }
    }
}
