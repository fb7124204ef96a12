using System.Diagnostics;
using Saltern.Checkpoints;
using Saltern.Distributed;

namespace Saltern.Runs;

/// <summary>Work apart from the steps, whose seconds the state counts by kind. All ranks come out of it together, so that what one does never counts as a step of another that waits for it.</summary>
internal static class TimedWork
{
    /// <summary>Does the work and notes the seconds of the slowest rank. All ranks must come here.</summary>
    /// <param name="ranks">Who waits for whom.</param>
    /// <param name="note">The state with so many more seconds of the kind.</param>
    public static void Timed(
        this Trainer trainer,
        ICommunicator ranks,
        Func<TrainState, double, TrainState> note,
        Action work
    )
    {
        long start = Stopwatch.GetTimestamp();
        work();
        // Nobody has the maximum before the last one came: no barrier is needed besides.
        double seconds = ranks.Max(Stopwatch.GetElapsedTime(start).TotalSeconds);
        trainer.Note(state => note(state, seconds));
    }
}
