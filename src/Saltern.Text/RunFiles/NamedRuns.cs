namespace Saltern.RunFiles;

/// <summary>What a path on a command line names: a run folder, all runs of an archive of results, or those at a place in it.</summary>
internal static class NamedRuns
{
    /// <summary>
    /// The runs of a path such as <c>runs/salt</c>, <c>results.zip</c>, <c>results.zip/SALT</c> or <c>results.zip/SALT/seed-1</c>.
    /// </summary>
    /// <exception cref="DataFormatException">The archive is damaged or has no run there.</exception>
    /// <remarks>A folder is only looked at when it is read.</remarks>
    public static IReadOnlyList<RunSource> Of(string path)
    {
        if (Split(path) is var (archive, place))
        {
            return ResultsArchive.Open(archive).RunsAt(place);
        }

        return [new RunFolderSource(path)];
    }

    /// <summary>Folder in which a report on these runs goes by default: the run's own, or the archive's.</summary>
    public static string ReportFolder(string path)
    {
        if (Split(path) is var (archive, _))
        {
            return Path.GetDirectoryName(archive) ?? "";
        }

        return path;
    }

    /// <summary>Reads a run. One that an archive has as <c>ARM/seed-N</c> is of that arm, as in its study.</summary>
    /// <remarks>Its own result tells the method alone, which arms of a study share.</remarks>
    /// <exception cref="DataFormatException">As <see cref="RunRecord.Load"/>.</exception>
    public static RunRecord Load(RunSource source)
    {
        RunRecord record = RunFolderReader.Read(source);
        bool isArchived = source is not RunFolderSource;
        if (isArchived && source.Name.Split('/') is [.., var arm, var seed] && seed == $"seed-{record.Result.Seed}")
        {
            return record with { Result = record.Result with { Arm = arm } };
        }

        return record;
    }

    // The first part of the path that is a file ends in .zip: what follows is a place in it.
    private static (string Archive, string Place)? Split(string path)
    {
        const string mark = ".zip";
        for (int at = Next(0); at >= 0; at = Next(at + 1))
        {
            string archive = path[..(at + mark.Length)];
            string rest = path[archive.Length..];
            if ((rest.Length == 0 || rest[0] == '/') && File.Exists(archive))
            {
                return (archive, rest.Trim('/'));
            }
        }

        return null;

        int Next(int from) => path.IndexOf(mark, from, StringComparison.OrdinalIgnoreCase);
    }
}
