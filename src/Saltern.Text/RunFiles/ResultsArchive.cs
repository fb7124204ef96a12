// Results of many runs in one zip file (docs/study-format.md, "results.zip").
// It may come from anywhere, so nothing in it is believed: not its size, its names or its lengths.
using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Saltern.RunFiles;

/// <summary>An archive of results, read whole: the files of many runs by their path in it.</summary>
/// <remarks>
/// The tree is that of a study's folder <c>results</c>: <c>ARM/seed-N/recipe.yaml</c>, <c>metrics.jsonl</c>, <c>result.json</c>,
/// <c>eval/documents.jsonl</c>. Archives that <see cref="Pack"/> made hold the SHA-256 of themselves as the zip file's comment, so that no
/// flipped byte renames a run; archives of another program have none and are read as they are.
/// </remarks>
internal sealed class ResultsArchive
{
    /// <summary>Name of the file in a study's folder.</summary>
    public const string FileName = "results.zip";

    // The largest study so far, 39 runs: 4.7 MB, 1.1 MB packed.
    private const long LargestFile = 64L << 20;
    private const long LargestContent = 512L << 20;
    private const int MostFiles = 50_000;
    private const int LongestName = 1_000;

    private const int EndLength = 22;
    private const int Digits = 64;

    private readonly IReadOnlyDictionary<string, byte[]> _files;

    private ResultsArchive(string path, IReadOnlyDictionary<string, byte[]> files) => (Path, _files) = (path, files);

    /// <summary>Where it lies.</summary>
    public string Path { get; }

    /// <summary>All files by their path in the archive.</summary>
    public IReadOnlyDictionary<string, byte[]> Files => _files;

    private static ReadOnlySpan<byte> Comment => "saltern results; sha256 of this file with zeros here: "u8;

    /// <summary>Reads an archive.</summary>
    /// <exception cref="DataFormatException">No zip file, damaged, larger than results are, or with names that leave a folder.</exception>
    public static ResultsArchive Open(string path)
    {
        long length = new FileInfo(path).Length;
        if (length > LargestFile)
        {
            throw Refused(path, $"has {length:N0} bytes, at most {LargestFile:N0} are read");
        }

        return Parse(File.ReadAllBytes(path), path);
    }

    /// <summary>Reads the bytes of an archive.</summary>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="DataFormatException">As <see cref="Open"/>.</exception>
    public static ResultsArchive Parse(byte[] file, string path)
    {
        CheckEnd(file, path);
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        try
        {
            using var zip = new ZipArchive(new MemoryStream(file, writable: false), ZipArchiveMode.Read);
            if (zip.Entries.Count > MostFiles)
            {
                throw Refused(path, $"holds {zip.Entries.Count:N0} files, at most {MostFiles:N0} are read");
            }

            // What the entries say of themselves; each is held to it below.
            long content = zip.Entries.Aggregate(
                0L,
                (sum, entry) => sum > LargestContent ? sum : sum + Math.Max(0, entry.Length)
            );
            if (content > LargestContent)
            {
                throw Refused(path, $"unpacks to more than {LargestContent:N0} bytes");
            }

            foreach (ZipArchiveEntry entry in zip.Entries)
            {
                string name = entry.FullName;
                CheckName(name, path);
                if (name.EndsWith('/'))
                {
                    continue;
                }

                if (!files.TryAdd(name, Read(entry, path)))
                {
                    throw Refused(path, $"holds '{name}' twice");
                }
            }
        }
        catch (Exception e)
            when (e is InvalidDataException or NotSupportedException or IOException or ArgumentException)
        {
            throw new DataFormatException(
                $"{path} is no zip file of results, or is damaged: {e.Message} Restore the file, or leave it out.",
                e
            );
        }

        return new ResultsArchive(path, files);
    }

    /// <summary>Makes an archive. The same files give the same bytes, with the same version of .NET.</summary>
    public static byte[] Pack(IReadOnlyDictionary<string, byte[]> files)
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            zip.Comment = Encoding.ASCII.GetString(Comment) + new string('0', Digits);
            foreach ((string name, byte[] content) in files.OrderBy(file => file.Key, StringComparer.Ordinal))
            {
                ZipArchiveEntry entry = zip.CreateEntry(name, CompressionLevel.SmallestSize);
                entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
                entry.ExternalAttributes = Convert.ToInt32("100644", 8) << 16;
                using Stream target = entry.Open();
                target.Write(content);
            }
        }

        byte[] packed = stream.ToArray();
        Encoding.ASCII.GetBytes(
            Convert.ToHexStringLower(SHA256.HashData(packed)),
            packed.AsSpan(packed.Length - Digits)
        );
        return packed;
    }

    /// <summary>The runs at a place in the archive: the one whose folder that is, or all below it.</summary>
    /// <param name="place">Path in the archive; empty for all of it.</param>
    /// <remarks>What lies within a run, such as its fine-tuning, is found only by its own place.</remarks>
    /// <exception cref="DataFormatException">There is none.</exception>
    public IReadOnlyList<RunSource> RunsAt(string place)
    {
        string below = place.Length == 0 ? "" : place + "/";
        string[] runs = [.. RunFolders().Where(run => run == place || run.StartsWith(below, StringComparison.Ordinal))];
        string[] outermost =
        [
            .. runs.Where(run => !runs.Any(other => run.StartsWith(other + "/", StringComparison.Ordinal))),
        ];
        if (outermost.Length == 0)
        {
            throw new DataFormatException(
                $"{System.IO.Path.Combine(Path, place)}: there is no run. The archive has {Listed(RunFolders())}."
            );
        }

        return [.. outermost.Select(Run)];
    }

    /// <summary>What is kept of one run.</summary>
    /// <param name="place">Its folder in the archive.</param>
    public RunSource Run(string place) => new ArchivedRun(this, place);

    // A zip file ends in a record of 22 bytes, whose last two are the length of the comment that follows.
    private static void CheckEnd(byte[] file, string path)
    {
        int end = file.AsSpan().LastIndexOf("PK\u0005\u0006"u8);
        int comment = end + EndLength;
        bool isWhole =
            end >= 0
            && comment <= file.Length
            && BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(comment - sizeof(ushort))) == file.Length - comment;
        if (!isWhole)
        {
            throw Refused(path, "is no zip file, or its end is missing");
        }

        // Only what was packed here says what it has to be; a flipped byte in that does not make it another program's.
        ReadOnlySpan<byte> found = file.AsSpan(comment);
        int same = found.Length == Comment.Length + Digits ? Same(found, Comment) : 0;
        if (same > Comment.Length / 2)
        {
            CheckSum(file, path);
        }
    }

    private static void CheckSum(byte[] file, string path)
    {
        byte[] zeros = [.. file];
        zeros.AsSpan(file.Length - Digits).Fill((byte)'0');
        string found = Convert.ToHexStringLower(SHA256.HashData(zeros));
        string expected = Encoding.ASCII.GetString(file, file.Length - Digits, Digits);
        if (found != expected || Same(file.AsSpan(file.Length - Digits - Comment.Length), Comment) < Comment.Length)
        {
            throw Refused(
                path,
                $"has SHA-256 {found}, expected {expected} as it says at its end: it was changed or is damaged"
            );
        }
    }

    private static int Same(ReadOnlySpan<byte> found, ReadOnlySpan<byte> expected)
    {
        int count = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (found[i] == expected[i])
            {
                count++;
            }
        }

        return count;
    }

    private static void CheckName(string name, string path)
    {
        string[] parts = name.TrimEnd('/').Split('/');
        bool leaves =
            name.Length > LongestName
            || parts.Any(part => part is "" or "." or "..")
            || name.Any(letter => letter is '\\' or ':' || char.IsControl(letter));
        if (leaves)
        {
            string shown = name.Length > 80 ? name[..80] + "…" : name;
            shown = string.Concat(shown.Select(letter => char.IsControl(letter) ? '?' : letter));
            throw Refused(path, $"holds '{shown}', which is no name below a folder");
        }
    }

    // No more than the entry says that it has, which was counted before.
    private static byte[] Read(ZipArchiveEntry entry, string path)
    {
        byte[] content = new byte[entry.Length];
        using Stream stream = entry.Open();
        stream.ReadExactly(content);
        if (stream.ReadByte() >= 0)
        {
            throw Refused(path, $"says that '{entry.FullName}' has {content.Length:N0} bytes, and there are more");
        }

        return content;
    }

    private static DataFormatException Refused(string path, string why) =>
        new(
            $"{path} {why}. This is no archive of results as `saltern study --pack` makes them; restore the file, or leave it out."
        );

    private static string Listed(string[] runs) =>
        runs.Length switch
        {
            0 => "none at all",
            <= 8 => string.Join(", ", runs),
            _ => string.Join(", ", runs[..8]) + $" and {runs.Length - 8} more",
        };

    private string[] RunFolders()
    {
        const string mark = "/metrics.jsonl";
        IEnumerable<string> metrics = _files.Keys.Where(name => name.EndsWith(mark, StringComparison.Ordinal));
        return [.. metrics.Select(name => name[..^mark.Length]).Order(StringComparer.Ordinal)];
    }

    private sealed record ArchivedRun(ResultsArchive Archive, string Place)
        : RunSource(System.IO.Path.Combine(Archive.Path, Place))
    {
        public override string Removal =>
            $"Unpack {Archive.Path} into a folder results beside it, remove the archive and this run's folder";

        public override string Lack => "the archive has no such run";

        public override bool Has(string file) => Archive._files.ContainsKey(Place + "/" + file);

        public override long Length(string file) => Archive._files[Place + "/" + file].Length;

        public override Stream Open(string file) =>
            new MemoryStream(Archive._files[Place + "/" + file], writable: false);
    }
}
