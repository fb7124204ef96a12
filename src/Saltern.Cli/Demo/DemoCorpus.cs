using Saltern.Corpora;

namespace Saltern.Cli.Demo;

/// <summary>The text of a demonstration: the user's own, or real text that every machine with the SDK has.</summary>
/// <param name="Description">Where the text is from, one sentence.</param>
/// <param name="Documents">The documents.</param>
public sealed record DemoCorpus(string Description, IReadOnlyList<TextDocument> Documents)
{
    // About what the embedded default has.
    private const long GeneratedBytes = 8_000_000;

    // One .txt file is one document elsewhere; in pieces of this size, some of it can be kept for validation.
    private const int PieceBytes = 4_096;

    /// <summary>What read the user's own text, and counted what it left out or took in its own way; null for other text.</summary>
    public CorpusReader? Reader { get; private init; }

    /// <summary>Bytes of all documents.</summary>
    public long Bytes => Documents.Sum(document => (long)document.Utf8.Length);

    /// <summary>Percentage of documents to keep for validation: enough for the final evaluation, at most a fifth.</summary>
    /// <param name="tokens">Tokens wanted.</param>
    public double ValidPercent(long tokens)
    {
        const double BytesPerToken = 3.5;
        return Math.Clamp(100.0 * 2 * tokens * BytesPerToken / Bytes, 1.0, 20.0);
    }

    /// <summary>Reads the user's text, or the .NET reference documentation, or, without it, generates text and says so.</summary>
    /// <param name="paths">Files, folders or globs; empty for the default.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static DemoCorpus Read(IReadOnlyList<string> paths, CancellationToken cancellation)
    {
        if (paths.Count > 0)
        {
            var reader = new CorpusReader(paths, new CorpusReaderOptions { TextPieceBytes = PieceBytes });
            return new DemoCorpus($"your text, {reader.Files.Count} files", [.. reader.ReadDocuments(cancellation)])
            {
                Reader = reader,
            };
        }

        string? root = DotNetReferenceText.FindSdkRoot(Environment.GetEnvironmentVariable("DOTNET_ROOT"));
        if (root is not null)
        {
            return new DemoCorpus(
                "the .NET reference documentation that came with the SDK",
                DotNetReferenceText.Read(root, cancellation)
            );
        }

        return new DemoCorpus(
            "generated text, because no .NET SDK with its reference documentation was found: "
                + "the verdict shows the method, not real language",
            [.. GeneratedText.Generate(1, GeneratedBytes)]
        );
    }

    /// <summary>Refuses what no model can be trained on.</summary>
    /// <exception cref="DataFormatException">There is too little text.</exception>
    public void Check(long fewestBytes)
    {
        if (Bytes < fewestBytes)
        {
            throw new DataFormatException(
                $"The text has {Bytes:N0} bytes; the demonstration needs at least {fewestBytes:N0}. "
                    + "Add more with --text, or leave --text out for the embedded default."
            );
        }
    }
}
