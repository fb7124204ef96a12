using System.Diagnostics;

namespace Saltern.Training;

/// <summary>Work apart from the steps, whose seconds the state counts by kind.</summary>
internal static class TimedWork
{
    /// <summary>Does the work and notes its seconds.</summary>
    /// <param name="trainer">Whose state counts.</param>
    /// <param name="note">The state with so many more seconds of the kind.</param>
    /// <param name="work">What is done.</param>
    public static void Timed(this Trainer trainer, Func<TrainState, double, TrainState> note, Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        trainer.Note(state => note(state, seconds));
    }
}
