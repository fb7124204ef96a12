using System.IO.Enumeration;

namespace Saltern.Corpora;

/// <summary>Turns the paths a user gives (files, folders, globs) into the files of a corpus.</summary>
/// <remarks>
/// Folders and globs give their files in ordinal order of the path below them, whatever the file system's order. Hidden files and folders
/// are left out and symbolic links to folders are not followed (they can form a circle). A file that several paths name is read once.
/// </remarks>
internal static class CorpusPaths
{
    private static readonly char[] Wildcards = ['*', '?'];

    /// <summary>The files that the paths stand for, in the order given.</summary>
    /// <exception cref="ConfigurationException">A path leads nowhere, to nothing, or to something unsupported; all are listed.</exception>
    public static List<CorpusFile> Resolve(IEnumerable<string> paths)
    {
        List<CorpusFile> files = [];
        List<string> problems = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        bool any = false;
        foreach (string path in paths)
        {
            any = true;
            try
            {
                foreach (CorpusFile file in ResolveOne(path, problems))
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
            return files;
        }

        throw new ConfigurationException(problems);
    }

    private static IEnumerable<CorpusFile> ResolveOne(string path, List<string> problems)
    {
        if (File.Exists(path))
        {
            if (CorpusFile.FormatOf(path) is not null)
            {
                string? parent = Path.GetDirectoryName(path);
                return [CorpusFile.Describe(path, string.IsNullOrEmpty(parent) ? "." : parent)];
            }

            problems.Add($"'{path}' has an ending that is not supported. Allowed: {CorpusFile.SupportedEndings}.");
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

        (string root, List<string> relative) = Directory.Exists(path) ? (path, Walk(path, ["**", "*"])) : Glob(path);
        List<string> supported = [.. relative.Where(name => CorpusFile.FormatOf(name) is not null)];
        if (supported.Count == 0)
        {
            problems.Add(NothingSupported(path, isGlob, relative));
        }

        return supported.Select(name => CorpusFile.Describe(Path.Combine(root, name), root));
    }

    private static string NothingSupported(string path, bool isGlob, List<string> found)
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
    private static (string Root, List<string> Relative) Glob(string pattern)
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

        return (root, []);
    }

    private static List<string> Walk(string root, List<string> pattern)
    {
        // A set, because "**" can reach one file in several ways.
        SortedSet<string> found = new(StringComparer.Ordinal);
        Walk(root, "", pattern, 0, found);
        return [.. found];
    }

    private static void Walk(string folder, string prefix, List<string> pattern, int at, SortedSet<string> found)
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
            if (
                entry.Name.StartsWith('.')
                || !FileSystemName.MatchesSimpleExpression(name, entry.Name, ignoreCase: false)
            )
            {
                continue;
            }

            if (entry is DirectoryInfo)
            {
                if ((anyDepth || !last) && (entry.Attributes & FileAttributes.ReparsePoint) == 0)
                {
                    Walk(entry.FullName, $"{prefix}{entry.Name}/", pattern, anyDepth ? at : at + 1, found);
                }
            }
            else if (last)
            {
                found.Add(prefix + entry.Name);
            }
        }
    }
}
