namespace Saltern.Checkpoints;

/// <summary>Writes one checkpoint at a time beside the training; what goes wrong there comes out at the next <see cref="Wait"/>.</summary>
internal sealed class BackgroundSaver : IDisposable
{
    private Task _writing = Task.CompletedTask;

    /// <summary>Starts writing, once the one before is done.</summary>
    /// <param name="write">The whole work; uses no tensor.</param>
    public void Start(Action write)
    {
        Wait();
        _writing = Task.Run(write);
    }

    /// <summary>Returns once nothing is being written.</summary>
    /// <exception cref="CheckpointException">The last write failed.</exception>
    public void Wait()
    {
        Task writing = _writing;
        _writing = Task.CompletedTask;
        writing.GetAwaiter().GetResult();
    }

    /// <summary>Lets a write finish, whatever comes of it: the run is over, and a half-written checkpoint is never taken for whole.</summary>
    public void Dispose()
    {
        try
        {
            Wait();
        }
        catch (CheckpointException)
        {
            // Told where it can be: TrainingRun.Continue and Finish wait before they return.
        }
    }
}
