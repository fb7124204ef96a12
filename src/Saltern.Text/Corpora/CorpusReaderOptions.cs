namespace Saltern.Corpora;

/// <summary>What the domain of a document is taken from.</summary>
public enum DomainSource
{
    /// <summary>Nothing: all documents are of one domain.</summary>
    None,

    /// <summary>The name of its file, or of a text file's folder.</summary>
    File,

    /// <summary>A field of its record; the file's name where the record has none.</summary>
    Field,
}

/// <summary>What becomes of special tokens that a text spells out, such as <c>&lt;|endoftext|&gt;</c>.</summary>
public enum SpecialTokenText
{
    /// <summary>They are letters like all others; the documents are counted.</summary>
    Text,

    /// <summary>A text ends at each end-of-text mark; others are letters, and counted.</summary>
    Split,

    /// <summary>A document that spells one out is broken.</summary>
    Refuse,
}

/// <summary>How <see cref="CorpusReader"/> reads text files.</summary>
public sealed record CorpusReaderOptions
{
    /// <summary>Fields that may hold the domain where <see cref="DomainFields"/> names none.</summary>
    internal static readonly IReadOnlyList<string> UsualDomainFields = ["domain", "meta.pile_set_name"];

    /// <summary>
    /// Fields of a JSON record, or columns of a Parquet or Arrow file, that may hold the text, the first one present wins; a dotted path
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
    /// What the domain is taken from. Default: <see langword="null"/>, fields that are named or, of the usual ones, those whose values look like domains in the
    /// first records; else the file's name.
    /// </summary>
    public DomainSource? Domains { get; init; }

    /// <summary>
    /// Encoding of text and JSON without a byte order mark, by its IANA name such as <c>windows-1252</c> or <c>utf-16le</c>. Default: <see langword="null"/>, UTF-8.
    /// </summary>
    public string? Encoding { get; init; }

    /// <summary>
    /// What becomes of special tokens spelled out in text. Default: <see langword="null"/>, text files that are full of end-of-text marks are
    /// split at them, and elsewhere they are letters.
    /// </summary>
    public SpecialTokenText? SpecialTokens { get; init; }

    /// <summary>Whether nothing says which field names the domain: then one that holds something else names none.</summary>
    internal bool IsDomainAutomatic => Domains is null && DomainFields is null;

    /// <summary>Fields in which the domain is looked for.</summary>
    internal IReadOnlyList<string> DomainNames
    {
        get
        {
            if (Domains is DomainSource.None or DomainSource.File)
            {
                return [];
            }

            return DomainFields ?? UsualDomainFields;
        }
    }

    /// <summary>
    /// Longest record, in bytes: a record of JSON, a text in a Parquet file, a text file that is not cut. A longer one is broken and is skipped
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
                    $"Field name '{field}' is not a name or a dotted path of names such as 'text' or 'meta.pile_set_name'. "
                        + "To take no field for the domain, take the file's name (--domain file)."
                );
            }
        }

        if (Domains is DomainSource.None or DomainSource.File && DomainFields is { Count: > 0 })
        {
            problems.Add(
                $"The domain is to be taken from {(Domains == DomainSource.None ? "nothing" : "the file's name")}, "
                    + $"and from the field {string.Join(", ", DomainFields)}. Leave one of the two out."
            );
        }

        if (Encoding is not null && TextDecoding.ProblemOf(Encoding) is string unknown)
        {
            problems.Add("Encoding " + unknown);
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
