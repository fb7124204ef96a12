namespace Saltern.Corpora;

/// <summary>How <see cref="CorpusReader"/> reads text files.</summary>
public sealed record CorpusReaderOptions
{
    /// <summary>Fields that may hold the domain where <see cref="DomainFields"/> names none.</summary>
    internal static readonly IReadOnlyList<string> UsualDomainFields = ["domain", "meta.pile_set_name"];

    /// <summary>
    /// Fields of a JSON line, or columns of a Parquet file, that may hold the text, the first one present wins; a dotted path
    /// (<c>content.body</c>) goes into objects. Default: <c>text</c>.
    /// </summary>
    public IReadOnlyList<string> TextFields { get; init; } = ["text"];

    /// <summary>
    /// Fields or columns that may hold the domain, the first one present wins; dotted paths go into objects. A record with none of them belongs
    /// to the domain of its file. Default: <see langword="null"/>, <see cref="UsualDomainFields"/> where there are such. Fields named here must
    /// occur: a corpus in which no record has one of them is an error.
    /// </summary>
    public IReadOnlyList<string>? DomainFields { get; init; }

    /// <summary>
    /// Longest record, in bytes: a line of JSON, a text in a Parquet file, a text file that is not cut. A longer one is broken and is skipped
    /// without being held. Default: 64 MiB; from 64 bytes to 1 GiB.
    /// </summary>
    public int MaxRecordBytes { get; init; } = 64 << 20;

    /// <summary>
    /// How many times its stored size an archive may expand to, measured over every 64 MiB of text; beyond that it is taken for a bomb and is broken.
    /// Default: 200, from 1 to 1,000,000. Text expands three to ten times; only many copies in a row get near the bound.
    /// </summary>
    public int MaxExpansion { get; init; } = 200;

    /// <summary>
    /// Share of broken records, in [0, 1], up to which the read succeeds; the share of unreadable files is held against the same bound.
    /// Default: 0.01.
    /// </summary>
    public double MaxBrokenShare { get; init; } = 0.01;

    /// <summary>
    /// Cuts <c>.txt</c> and <c>.md</c> files into documents of about this many bytes, at blank lines where there are any.
    /// Default: <see langword="null"/>, one file is one document. A single large file needs it to be split into training and validation text.
    /// </summary>
    public int? TextPieceBytes { get; init; }

    /// <summary>Checks every option.</summary>
    /// <exception cref="ConfigurationException">An option is out of range; the message lists every one.</exception>
    internal void Validate()
    {
        List<string> problems = [];
        if (TextFields.Count == 0)
        {
            problems.Add("No text field is named. Leave it out for 'text'.");
        }

        foreach (string field in TextFields.Concat(DomainFields ?? []))
        {
            if (field.Split('.').Any(part => part.Length == 0))
            {
                problems.Add(
                    $"Field name '{field}' is not a name or a dotted path of names such as 'text' or 'meta.pile_set_name'."
                );
            }
        }

        if (MaxRecordBytes is < 64 or > 1 << 30)
        {
            problems.Add($"Longest record = {MaxRecordBytes} bytes is outside [64, {1 << 30}] (1 GiB).");
        }

        if (MaxExpansion is < 1 or > 1_000_000)
        {
            problems.Add($"Largest expansion = {MaxExpansion} is outside [1, 1000000].");
        }

        if (MaxBrokenShare is not (>= 0 and <= 1))
        {
            problems.Add(
                $"Share of broken records = {MaxBrokenShare} is outside [0, 1] (0 to 100 %). Use 0 to accept no broken record."
            );
        }

        if (TextPieceBytes is { } piece && (piece < 256 || piece > MaxRecordBytes))
        {
            problems.Add(
                $"Bytes of a piece of text = {piece} is outside [256, {MaxRecordBytes}]. Leave it out to keep one file as one document."
            );
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}
