namespace Saltern.Corpora;

/// <summary>The kinds of file that <see cref="CorpusReader"/> reads, whatever compresses them.</summary>
internal enum CorpusFormat
{
    /// <summary>JSON objects: one a line, one after the other, or the entries of one list.</summary>
    Json,

    /// <summary>Parquet: one row is one document.</summary>
    Parquet,

    /// <summary>Arrow's IPC format, as a stream or a file: one row is one document.</summary>
    Arrow,

    /// <summary>Text: one file is one document.</summary>
    Text,
}

/// <summary>One file of a corpus.</summary>
/// <param name="Path">The path, written the way the user gave it or its folder.</param>
/// <param name="Format">How to read it.</param>
/// <param name="Domain">The domain of documents that name none themselves.</param>
/// <param name="Bytes">Size of the file as stored, in bytes.</param>
internal sealed record CorpusFile(string Path, CorpusFormat Format, string Domain, long Bytes)
{
    /// <summary>Whether its name says that it is kept for measuring (<see cref="HeldOutNames"/>).</summary>
    public bool IsHeldOut { get; init; }

    /// <summary>The supported endings, as messages name them.</summary>
    internal const string SupportedEndings =
        ".jsonl, .ndjson, .jsonlines, .json, .txt, .md (each also .gz, .zst, .bz2, .xz), .parquet, .arrow";

    /// <summary>Domain of documents that neither a field nor a name gives one.</summary>
    internal const string PlainTextDomain = "text";

    private static readonly Dictionary<string, CorpusFormat> Formats = new(StringComparer.OrdinalIgnoreCase)
    {
        [".jsonl"] = CorpusFormat.Json,
        [".ndjson"] = CorpusFormat.Json,
        [".jsonlines"] = CorpusFormat.Json,
        [".json"] = CorpusFormat.Json,
        [".parquet"] = CorpusFormat.Parquet,
        [".arrow"] = CorpusFormat.Arrow,
        [".txt"] = CorpusFormat.Text,
        [".md"] = CorpusFormat.Text,
    };

    private static readonly string[] Compressions = [".gz", ".zst", ".bz2", ".xz"];

    /// <summary>Whether a name says that the file is compressed.</summary>
    internal static bool IsCompressed(string path) =>
        Compressions.Contains(System.IO.Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>The format that a file's name stands for, or null where it says none of the supported ones.</summary>
    internal static CorpusFormat? FormatOf(string path)
    {
        bool isCompressed = IsCompressed(path);
        string name = isCompressed ? System.IO.Path.GetFileNameWithoutExtension(path) : path;
        if (!Formats.TryGetValue(System.IO.Path.GetExtension(name), out CorpusFormat format))
        {
            return null;
        }

        // Both are read by place, not from front to back, and compress their columns themselves.
        bool isColumns = format is CorpusFormat.Parquet or CorpusFormat.Arrow;
        return isColumns && isCompressed ? null : format;
    }

    /// <summary>Whether a name says nothing of the content: it has no ending, or only that of a compression or a number.</summary>
    internal static bool IsNameless(string path)
    {
        string name = System.IO.Path.GetFileName(path);
        if (IsCompressed(name))
        {
            name = System.IO.Path.GetFileNameWithoutExtension(name);
        }

        string ending = System.IO.Path.GetExtension(name);
        return ending.AsSpan().TrimStart('.').IndexOfAnyExceptInRange('0', '9') < 0;
    }

    /// <summary>Describes a file found under <paramref name="root"/>, the folder given or the fixed part of the glob.</summary>
    internal static CorpusFile Describe(string path, string root, CorpusFormat format)
    {
        string domain = format == CorpusFormat.Text ? FolderUnder(root, path) : Stem(path);
        return new CorpusFile(path, format, domain, new FileInfo(path).Length)
        {
            IsHeldOut = HeldOutNames.Says(System.IO.Path.GetRelativePath(root, path)),
        };
    }

    // The first folder below the root: corpora that come as folders name their parts there,
    // and deeper ones would make hundreds of domains.
    private static string FolderUnder(string root, string path)
    {
        string[] parts = System.IO.Path.GetRelativePath(root, path).Split(System.IO.Path.DirectorySeparatorChar, '/');
        if (parts.Length > 1 && parts[0] is not ("." or ".."))
        {
            return parts[0];
        }

        return PlainTextDomain;
    }

    private static string Stem(string path)
    {
        string name = System.IO.Path.GetFileName(path);
        int dot = name.IndexOf('.', 1);
        if (dot < 0)
        {
            return name;
        }

        return name[..dot];
    }
}
