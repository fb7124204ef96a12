namespace Saltern.Corpora;

/// <summary>The file formats that <see cref="CorpusReader"/> reads, told apart by the end of the name.</summary>
internal enum CorpusFormat
{
    /// <summary><c>.jsonl</c>: one JSON object a line.</summary>
    JsonLines,

    /// <summary><c>.jsonl.gz</c>: the same, compressed with gzip.</summary>
    JsonLinesGzip,

    /// <summary><c>.jsonl.zst</c>: the same, compressed with Zstandard.</summary>
    JsonLinesZstandard,

    /// <summary><c>.parquet</c>: one row is one document.</summary>
    Parquet,

    /// <summary><c>.txt</c> and <c>.md</c>: one file is one document.</summary>
    Text,
}

/// <summary>One file of a corpus.</summary>
/// <param name="Path">The path, written the way the user gave it or its folder.</param>
/// <param name="Format">How to read it.</param>
/// <param name="Domain">The domain of documents that name none themselves.</param>
/// <param name="Bytes">Size of the file as stored, in bytes.</param>
internal sealed record CorpusFile(string Path, CorpusFormat Format, string Domain, long Bytes)
{
    /// <summary>The supported endings, as messages name them.</summary>
    internal const string SupportedEndings = ".jsonl, .jsonl.gz, .jsonl.zst, .parquet, .txt, .md";

    /// <summary>Domain of text files that lie directly in the folder they were found from.</summary>
    internal const string PlainTextDomain = "text";

    private static readonly (string Ending, CorpusFormat Format)[] Formats =
    [
        (".jsonl", CorpusFormat.JsonLines),
        (".jsonl.gz", CorpusFormat.JsonLinesGzip),
        (".jsonl.zst", CorpusFormat.JsonLinesZstandard),
        (".parquet", CorpusFormat.Parquet),
        (".txt", CorpusFormat.Text),
        (".md", CorpusFormat.Text),
    ];

    /// <summary>The format that a file's name stands for, or null where it is not a supported one.</summary>
    internal static CorpusFormat? FormatOf(string path)
    {
        foreach ((string ending, CorpusFormat format) in Formats)
        {
            if (path.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
            {
                return format;
            }
        }

        return null;
    }

    /// <summary>Describes a supported file found under <paramref name="root"/>, the folder given or the fixed part of the glob.</summary>
    internal static CorpusFile Describe(string path, string root)
    {
        CorpusFormat format = FormatOf(path)!.Value;
        string domain = format == CorpusFormat.Text ? FolderUnder(root, path) : Stem(path);
        return new CorpusFile(path, format, domain, new FileInfo(path).Length);
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
