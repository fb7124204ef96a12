using Saltern.Checkpoints;
using Saltern.Optimization;
using TorchSharp;

namespace Saltern.Runs;

/// <summary>Saves a run's state: never twice, and on a background thread where the recipe says so. Rank 0 alone writes.</summary>
/// <param name="metrics">Put on the disk before each checkpoint.</param>
internal sealed class RunSaver(RunContext run, RunMetrics metrics) : IDisposable
{
    private readonly BackgroundSaver _background = new();
    private int _savedStep = run.Folder.ResumeStep ?? 0;

    /// <summary>Saves the present step; not before the first step, and not once the weights are beyond use: the checkpoints before stay.</summary>
    /// <exception cref="CheckpointException">It cannot be written; the one before it is intact.</exception>
    /// <exception cref="DistributedException">The weights of two ranks differ.</exception>
    public void Save()
    {
        int step = run.Trainer.State.Step;
        if (step == _savedStep)
        {
            return;
        }

        run.Options.Ranks.Activity = $"step {step}: checkpoint";
        run.Trainer.Timed(
            AddSeconds,
            () =>
            {
                run.Options.Ranks.RequireSameWeights(run.Trainer.Student);
                if (!run.Trainer.Optimizer.WeightsAreFinite())
                {
                    run.Options.Log($"Step {step} is not saved: some weights are not finite.");
                    return;
                }

                _savedStep = step;
                bool writes = run.Options.Ranks.Rank == 0;
                if (writes)
                {
                    // Before a copy is made: there is never more than one.
                    _background.Wait();
                }

                GatheredState? gathered = run.Trainer.Optimizer.Gather(keep: writes);
                if (writes)
                {
                    Write(gathered);
                }
            }
        );
    }

    /// <summary>Returns once no checkpoint is being written.</summary>
    /// <exception cref="CheckpointException">The last one could not be written.</exception>
    public void Wait() => run.Trainer.Timed(AddSeconds, _background.Wait);

    /// <inheritdoc/>
    public void Dispose() => _background.Dispose();

    private static TrainState AddSeconds(TrainState state, double seconds) =>
        state with
        {
            CheckpointSeconds = state.CheckpointSeconds + seconds,
        };

    private void Write(GatheredState? gathered)
    {
        using torch.Tensor random = torch.get_rng_state();
        TrainState state = run.Trainer.Snapshot() with
        {
            RandomState = Convert.ToBase64String(random.data<byte>().ToArray()),
        };
        var stage = new StageTensors(run.Trainer.Guidance.Section, run.Trainer.Guidance.State);
        metrics.Flush();
        if (run.Config.Training.CheckpointInBackground)
        {
            CheckpointContent copy = CheckpointContent.CopyOf(
                run.Trainer.Student,
                run.Trainer.Optimizer,
                state,
                stage,
                gathered,
                run.Trainer.Average?.Flat
            );
            _background.Start(() => Write(copy));
        }
        else
        {
            Write(
                CheckpointContent.Of(
                    run.Trainer.Student,
                    run.Trainer.Optimizer,
                    state,
                    stage,
                    gathered,
                    run.Trainer.Average?.Flat
                )
            );
        }
    }

    // On the background thread or on the run's own; uses no tensor where the content is a copy.
    private void Write(CheckpointContent content)
    {
        using CheckpointContent disposed = content;
        string path = run.Folder.Checkpoints.PathOf(content.State.Step);
        run.Folder.Write(
            $"The checkpoint {path}",
            () =>
            {
                Checkpoint.Save(path, content, run.Parts.Text.TokenizerJson);
                run.Folder.Checkpoints.Retain(
                    [
                        .. run.Config.Training.KeepSteps ?? [],
                        // The small models, to be taught by, to branch from or to use.
                        .. run.Parts.Stages.Growing.Select(stage => stage.LastStep),
                        content.State.BestStep ?? 0,
                    ],
                    run.Config.Training.KeepEvery
                );
            }
        );
    }
}
