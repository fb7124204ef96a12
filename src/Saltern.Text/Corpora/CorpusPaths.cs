using System.IO.Enumeration;

namespace Saltern.Corpora;

/// <summary>The files of a corpus, and what lay beside them and is not read.</summary>
/// <param name="LeftOut">Files of folders and globs that are no text or records, links to folders, and hidden files that could have been read.</param>
internal sealed record CorpusFiles(IReadOnlyList<CorpusFile> Files, IReadOnlyList<string> LeftOut);

/// <summary>Turns the paths a user gives (files, folders, globs) into the files of a corpus.</summary>
/// <remarks>
/// Folders and globs give their files in ordinal order of the path below them, whatever the file system's order. Hidden files and folders
/// are left out and symbolic links to folders are not followed (they can form a circle). A file that several paths name is read once.
/// A file whose name says nothing is taken by its content.
/// </remarks>
internal static class CorpusPaths
{
    private static readonly char[] Wildcards = ['*', '?'];

    // What describes a published data set beside its files, and holds none of its text.
    private static readonly string[] Descriptions =
    [
        "dataset_info.json",
        "dataset_infos.json",
        "dataset_dict.json",
        "state.json",
        "README.md",
        "LICENSE.md",
        "LICENSE.txt",
        "CHANGELOG.md",
    ];

    /// <summary>The files that the paths stand for, in the order given.</summary>
    /// <exception cref="ConfigurationException">A path leads nowhere, to nothing, or to something unsupported; all are listed.</exception>
    public static CorpusFiles Resolve(IEnumerable<string> paths)
    {
        List<CorpusFile> files = [];
        List<string> leftOut = [];
        List<string> problems = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        bool any = false;
        foreach (string path in paths)
        {
            any = true;
            try
            {
                foreach (CorpusFile file in ResolveOne(path, problems, leftOut))
                {
                    if (seen.Add(Path.GetFullPath(file.Path)))
                    {
                        files.Add(file);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                problems.Add($"'{path}' cannot be listed: {e.Message}");
            }
        }

        if (!any)
        {
            problems.Add($"No input was given. Name files ({CorpusFile.SupportedEndings}), folders or globs.");
        }

        if (problems.Count == 0)
        {
            HashSet<string> read = [.. files.Select(file => file.Path)];
            return new CorpusFiles(
                [.. ShardNames.Unite(files)],
                [.. leftOut.Where(path => !read.Contains(path)).Distinct()]
            );
        }

        throw new ConfigurationException(problems);
    }

    private static List<CorpusFile> ResolveOne(string path, List<string> problems, List<string> leftOut)
    {
        if (File.Exists(path))
        {
            if ((CorpusFile.FormatOf(path) ?? FileContent.FormatOf(path)) is { } format)
            {
                string? parent = Path.GetDirectoryName(path);
                return [CorpusFile.Describe(path, string.IsNullOrEmpty(parent) ? "." : parent, format)];
            }

            string found =
                Path.GetExtension(path).Length == 0
                    ? "has no ending, and its content is neither JSON nor Parquet nor Arrow"
                    : "has an ending that is not supported";
            problems.Add($"'{path}' {found}. Allowed: {CorpusFile.SupportedEndings}.");
            return [];
        }

        bool isGlob = path.AsSpan().IndexOfAny(Wildcards) >= 0;
        if (!isGlob && !Directory.Exists(path))
        {
            problems.Add(
                $"'{path}' does not exist. Give a file ({CorpusFile.SupportedEndings}), a folder, or a glob such as 'corpus/**/*.jsonl'."
            );
            return [];
        }

        (string root, Found met) = Directory.Exists(path) ? (path, Walk(path, ["**", "*"])) : Glob(path);
        List<CorpusFile> files = Supported(root, met, isGlob, leftOut);
        if (files.Count == 0)
        {
            problems.Add(NothingSupported(path, isGlob, [.. met.Files]));
        }

        return files;
    }

    private static List<CorpusFile> Supported(string root, Found found, bool isGlob, List<string> leftOut)
    {
        List<CorpusFile> files = [];
        foreach (string name in found.Files)
        {
            string path = Path.Combine(root, name);
            CorpusFormat? format = CorpusFile.FormatOf(path);
            if (format is null && CorpusFile.IsNameless(path))
            {
                format = FileContent.FormatOf(path);
            }

            if (format is { } known)
            {
                files.Add(CorpusFile.Describe(path, root, known));
            }
            else
            {
                leftOut.Add(path);
            }
        }

        // A glob does not mean hidden files, here as in a shell; who names a folder may have meant them.
        leftOut.AddRange(
            found.Skipped.Where(name => !isGlob || name.EndsWith('/')).Select(name => Path.Combine(root, name))
        );

        // Beside records a README is the card of the data set, not a document of it; beside texts it may be one, and only what is JSON
        // describes them. A glob that leads to such a file means it.
        bool IsDescription(CorpusFile file) =>
            Descriptions.Contains(Path.GetFileName(file.Path), StringComparer.OrdinalIgnoreCase);
        bool hasRecords = files.Any(file => file.Format != CorpusFormat.Text && !IsDescription(file));
        bool IsLeftOut(CorpusFile file) => IsDescription(file) && (hasRecords || file.Format != CorpusFormat.Text);
        if (isGlob || files.All(IsLeftOut))
        {
            return files;
        }

        leftOut.AddRange(files.Where(IsLeftOut).Select(file => file.Path));
        return [.. files.Where(file => !IsLeftOut(file))];
    }

    private static string NothingSupported(string path, bool isGlob, IReadOnlyList<string> found)
    {
        if (found.Count > 0)
        {
            return $"'{path}' leads to {found.Count} file(s), none of a supported kind (the first is '{found[0]}'). "
                + $"Allowed: {CorpusFile.SupportedEndings}.";
        }

        string what = isGlob ? "matches no file" : "is a folder without files";
        return $"'{path}' {what}. Allowed are files that end in {CorpusFile.SupportedEndings}.";
    }

    // The fixed folders before the first wildcard are the root; the rest is matched name by name.
    private static (string Root, Found Found) Glob(string pattern)
    {
        string[] parts = pattern.Replace('\\', '/').Split('/');
        int firstWild = Array.FindIndex(parts, part => part.AsSpan().IndexOfAny(Wildcards) >= 0);
        string root = string.Join('/', parts[..firstWild]);
        if (firstWild == 0)
        {
            root = ".";
        }
        else if (root.Length == 0)
        {
            root = "/";
        }

        if (Directory.Exists(root))
        {
            return (root, Walk(root, [.. parts[firstWild..].Where(part => part.Length > 0)]));
        }

        return (root, new Found());
    }

    private static Found Walk(string root, List<string> pattern)
    {
        var found = new Found();
        Walk(root, "", pattern, 0, found);
        return found;
    }

    private static void Walk(string folder, string prefix, List<string> pattern, int at, Found found)
    {
        bool anyDepth = pattern[at] == "**";
        if (anyDepth && at + 1 < pattern.Count)
        {
            Walk(folder, prefix, pattern, at + 1, found);
        }

        string name = anyDepth ? "*" : pattern[at];
        bool last = at == pattern.Count - 1;
        foreach (FileSystemInfo entry in new DirectoryInfo(folder).EnumerateFileSystemInfos())
        {
            if (!FileSystemName.MatchesSimpleExpression(name, entry.Name, ignoreCase: false))
            {
                continue;
            }

            bool isFolder = entry is DirectoryInfo;
            if (entry.Name.StartsWith('.'))
            {
                if (last && !isFolder && CorpusFile.FormatOf(entry.Name) is not null)
                {
                    found.Skipped.Add(prefix + entry.Name);
                }
            }
            else if (isFolder && (anyDepth || !last))
            {
                if ((entry.Attributes & FileAttributes.ReparsePoint) == 0)
                {
                    Walk(entry.FullName, $"{prefix}{entry.Name}/", pattern, anyDepth ? at : at + 1, found);
                }
                else
                {
                    found.Skipped.Add($"{prefix}{entry.Name}/");
                }
            }
            else if (last && !isFolder)
            {
                found.Files.Add(prefix + entry.Name);
            }
        }
    }

    /// <summary>What a walk met; sets, because "**" can reach one file in several ways.</summary>
    private sealed class Found
    {
        public SortedSet<string> Files { get; } = new(StringComparer.Ordinal);

        /// <summary>Hidden files with a supported ending, and links to folders (ending in '/').</summary>
        public SortedSet<string> Skipped { get; } = new(StringComparer.Ordinal);
    }
}
