using Saltern.Files;
using Saltern.RunFiles;

namespace Saltern.Studies;

/// <summary>What became of a study's run.</summary>
internal enum StudyRunState
{
    /// <summary>It was finished before.</summary>
    Kept,

    /// <summary>It was trained to its end now.</summary>
    Finished,

    /// <summary>Another process is training it.</summary>
    Elsewhere,

    /// <summary>It could not be trained.</summary>
    Failed,
}

/// <summary>A run and what became of it.</summary>
/// <param name="State">What became of it.</param>
/// <param name="Problem">Why it failed; null elsewhere.</param>
internal sealed record StudyOutcome(StudyJob Job, StudyRunState State, string? Problem = null);

/// <summary>Trains the missing runs of a study, one after the other; what is finished is never trained again.</summary>
/// <remarks>
/// Two programs on libtorch slow each other more than twofold, so that one run at a time is the fast way on a small machine. On a larger one several
/// processes may share a study: each skips the runs that another one has taken.
/// </remarks>
/// <param name="results">Where results are kept.</param>
/// <param name="runsFolder">Where runs lie with their weights.</param>
internal sealed class StudyRunner(StudyResults results, string runsFolder)
{
    /// <summary>Folder of a run, or of its fine-tuning, with the weights.</summary>
    public string FolderOf(StudyJob job) => Path.Combine(runsFolder, job.RelativePath);

    /// <summary>Trains what is missing.</summary>
    /// <param name="jobs">Work in the order it is wanted.</param>
    /// <param name="train">Trains one of them in a folder to its end, resuming where it stopped; false where it was interrupted.</param>
    /// <param name="say">Told of every run.</param>
    /// <returns>What became of each; fewer than were asked for where it was interrupted.</returns>
    /// <exception cref="ConfigurationException">A result on disk is not that of the plan.</exception>
    public IReadOnlyList<StudyOutcome> Run<T>(
        IReadOnlyList<T> jobs,
        Func<T, string, bool> train,
        Action<StudyOutcome> say
    )
        where T : StudyJob
    {
        // All of the disk is looked at before anything is trained.
        T[] finished = [.. jobs.Where(results.Has)];
        var outcomes = new List<StudyOutcome>();
        foreach (T job in jobs)
        {
            StudyOutcome? outcome = finished.Contains(job)
                ? new StudyOutcome(job, StudyRunState.Kept)
                : Attempt(job, train);
            if (outcome is null)
            {
                break;
            }

            outcomes.Add(outcome);
            say(outcome);
        }

        return outcomes;
    }

    // Null where it was interrupted.
    private StudyOutcome? Attempt<T>(T job, Func<T, string, bool> train)
        where T : StudyJob
    {
        string folder = FolderOf(job);
        try
        {
            // Held over training and keeping: in between the run would be anybody's.
            using FileLock? held = FileLock.TryTake(results.PathOf(job) + FileLock.Ending, out _);
            if (held is null)
            {
                return new StudyOutcome(job, StudyRunState.Elsewhere);
            }

            if (results.Has(job))
            {
                return new StudyOutcome(job, StudyRunState.Kept); // by another process, since this one looked
            }

            bool there = StudyResults.IsResultOf(folder, job);
            if (!there && !train(job, folder))
            {
                return null;
            }

            if (there)
            {
                // Its result may be of a process that was killed before the name was on the disk.
                DurableFolder.FlushParent(Path.Combine(folder, RunLayout.Result));
            }

            results.Keep(job, folder);
            return new StudyOutcome(job, there ? StudyRunState.Kept : StudyRunState.Finished);
        }
        catch (ConfigurationException e) when (e.IsHeldByAnother)
        {
            return new StudyOutcome(job, StudyRunState.Elsewhere);
        }
        catch (Exception e) when (e is SalternException or IOException or UnauthorizedAccessException)
        {
            return new StudyOutcome(job, StudyRunState.Failed, e.Message);
        }
    }
}
