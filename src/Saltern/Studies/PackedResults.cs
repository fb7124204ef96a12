using Saltern.Files;
using Saltern.RunFiles;

namespace Saltern.Studies;

/// <summary>What packing a study's results did.</summary>
/// <param name="Runs">Runs that it holds now, fine-tunings included.</param>
/// <param name="New">Of these, how many it did not hold before, or held with another content.</param>
/// <param name="LeftOut">Files below the folder of results that belong to no finished run, or are none that a verdict reads.</param>
internal sealed record PackedResults(string Path, int Runs, int New, long Bytes, IReadOnlyList<string> LeftOut)
{
    private static readonly string[] Kept =
    [
        RunLayout.Recipe,
        RunLayout.Metrics,
        RunLayout.Result,
        RunLayout.Documents,
    ];

    /// <summary>
    /// Puts the finished runs of <c>results</c> into <c>results.zip</c> beside it, with those that the archive already has; a run that both
    /// have is the folder's.
    /// </summary>
    /// <remarks>The archive appears whole or stays as it was, and is not written where nothing has changed. Nothing is removed.</remarks>
    /// <exception cref="DataFormatException">A run's files or the archive are damaged, or there is more than one may hold.</exception>
    /// <exception cref="ConfigurationException">There is no finished run.</exception>
    public static PackedResults Pack(string folder)
    {
        string path = System.IO.Path.Combine(folder, ResultsArchive.FileName);
        string results = System.IO.Path.Combine(folder, "results");
        Dictionary<string, byte[]> files = File.Exists(path)
            ? new(ResultsArchive.Open(path).Files, StringComparer.Ordinal)
            : [];
        string[] found = FilesBelow(results);
        const string mark = "/" + RunLayout.Result;
        string[] runs =
        [
            .. found.Where(file => file.EndsWith(mark, StringComparison.Ordinal)).Select(file => file[..^mark.Length]),
        ];
        int added = runs.Count(run => Add(files, run, new RunFolderSource(System.IO.Path.Combine(results, run))));
        int packed = files.Keys.Count(file => file.EndsWith(mark, StringComparison.Ordinal));
        if (packed == 0)
        {
            throw new ConfigurationException(
                $"{folder} holds no finished run, so there is nothing to pack. Run the study first, or name its folder with --out."
            );
        }

        if (added > 0)
        {
            byte[] archive = ResultsArchive.Pack(files);
            _ = ResultsArchive.Parse(archive, path); // what could not be read again is not written
            WholeFile.Write(path, file => file.Write(archive));
        }

        HashSet<string> taken = [.. runs.SelectMany(run => Kept.Select(file => System.IO.Path.Combine(run, file)))];
        return new PackedResults(
            path,
            packed,
            added,
            new FileInfo(path).Length,
            [.. found.Where(file => !taken.Contains(file))]
        );
    }

    private static string[] FilesBelow(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return [];
        }

        IEnumerable<string> files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories);
        return [.. files.Select(file => System.IO.Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal)];
    }

    // Whether anything of the run is new.
    private static bool Add(Dictionary<string, byte[]> files, string run, RunFolderSource source)
    {
        _ = RunFolderReader.Read(source); // damage is noticed here rather than kept
        bool isNew = false;
        foreach (string file in Kept)
        {
            string name = run + "/" + file;
            byte[]? before = files.GetValueOrDefault(name);
            if (!source.Has(file))
            {
                isNew |= files.Remove(name);
                continue;
            }

            byte[] now = source.Bytes(file);
            isNew |= before is null || !before.AsSpan().SequenceEqual(now);
            files[name] = now;
        }

        return isNew;
    }
}
