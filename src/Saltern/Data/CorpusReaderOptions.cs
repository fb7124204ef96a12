namespace Saltern.Data;

/// <summary>How <see cref="CorpusReader"/> reads text files.</summary>
public sealed record CorpusReaderOptions
{
    /// <summary>Field of a JSON line that holds the text; a dotted path (<c>content.body</c>) goes into objects. Default: <c>text</c>.</summary>
    public string TextField { get; init; } = "text";

    /// <summary>
    /// Fields that may hold the domain, the first one present wins; dotted paths go into objects.
    /// Default: <c>domain</c>, then <c>meta.pile_set_name</c>. A record with none of them belongs to the domain of its file.
    /// </summary>
    public IReadOnlyList<string> DomainFields { get; init; } = ["domain", "meta.pile_set_name"];

    /// <summary>Longest line, in bytes, that is read; a longer one is a broken line and is skipped without being held. Default: 64 MiB; from 64 bytes to 1 GiB.</summary>
    public int MaxLineBytes { get; init; } = 64 << 20;

    /// <summary>
    /// Share of broken lines, in [0, 1], up to which the read succeeds; the share of unreadable files is held against the same bound.
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
    public void Validate()
    {
        List<string> problems = [];
        foreach (string field in (string[])[TextField, .. DomainFields])
        {
            if (field.Split('.').Any(part => part.Length == 0))
            {
                problems.Add($"Field name '{field}' is not a name or a dotted path of names such as 'text' or 'meta.pile_set_name'.");
            }
        }

        if (MaxLineBytes is < 64 or > 1 << 30)
        {
            problems.Add($"MaxLineBytes = {MaxLineBytes} is outside [64, {1 << 30}] (1 GiB).");
        }

        if (MaxBrokenShare is not (>= 0 and <= 1))
        {
            problems.Add($"MaxBrokenShare = {MaxBrokenShare} is outside [0, 1]. Use 0 to accept no broken line.");
        }

        if (TextPieceBytes is < 256)
        {
            problems.Add($"TextPieceBytes = {TextPieceBytes} is below 256. Leave it out to keep one file as one document.");
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}
