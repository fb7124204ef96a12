using System.Globalization;
using Saltern.Corpora;

namespace Saltern.Shards;

/// <summary>A file that a data set is made from, as it was when the work began.</summary>
/// <param name="Modified">When it was written last, UTC.</param>
internal sealed record PrepareInput(string Path, long Bytes, DateTime Modified)
{
    public static PrepareInput Of(CorpusFile file) =>
        new(System.IO.Path.GetFullPath(file.Path), file.Bytes, File.GetLastWriteTimeUtc(file.Path));
}

/// <summary>All that decides what a data set will hold; an interrupted run is resumed only if none of it has changed.</summary>
internal sealed record PrepareJob
{
    public required string Tokenizer { get; init; }

    public required double ValidPercent { get; init; }

    public required int MaxDomains { get; init; }

    public required string Reading { get; init; }

    /// <summary>Fingerprint of the evaluations whose text is kept out; null for none.</summary>
    public string? Overlap { get; init; }

    /// <summary>By what rule near-duplicates are left out; null where they are kept.</summary>
    public string? NearDuplicates { get; init; }

    public required IReadOnlyList<PrepareInput> Train { get; init; }

    public required IReadOnlyList<PrepareInput> Valid { get; init; }

    public static PrepareJob Of(
        CorpusReader train,
        CorpusReader? valid,
        string tokenizerFingerprint,
        DatasetBuilderOptions options
    ) =>
        new()
        {
            Tokenizer = tokenizerFingerprint,
            ValidPercent = valid is null ? options.ValidPercent : 0,
            MaxDomains = options.MaxDomains,
            Reading = Describe(train.Domains.Options, train.Marks),
            Overlap = options.Overlap?.Fingerprint,
            NearDuplicates = options.NearDuplicates ? Corpora.NearDuplicates.Description : null,
            Train = [.. train.Files.Select(PrepareInput.Of)],
            Valid = [.. (valid?.Files ?? []).Select(PrepareInput.Of)],
        };

    /// <summary>What differs from an earlier job, as sentences.</summary>
    public IEnumerable<string> DifferencesFrom(PrepareJob earlier)
    {
        (string Name, object Now, object Before)[] settings =
        [
            ("the tokenizer", Tokenizer, earlier.Tokenizer),
            ("the percentage of validation text", ValidPercent, earlier.ValidPercent),
            ("the number of domains allowed", MaxDomains, earlier.MaxDomains),
            ("the way of reading", Reading, earlier.Reading),
            ("the evaluations kept out", Overlap ?? "none", earlier.Overlap ?? "none"),
            ("the rule for near-duplicates", NearDuplicates ?? "none", earlier.NearDuplicates ?? "none"),
        ];
        IEnumerable<string> changed = settings
            .Where(setting => !setting.Now.Equals(setting.Before))
            .Select(setting =>
                string.Create(CultureInfo.InvariantCulture, $"{setting.Name} was {setting.Before}, is {setting.Now}")
            );
        return
        [
            .. changed,
            .. Differences("input", Train, earlier.Train),
            .. Differences("validation text", Valid, earlier.Valid),
        ];
    }

    private static string Describe(CorpusReaderOptions options, SpecialMarks marks)
    {
        string domain = options.Domains switch
        {
            DomainSource.None => "nothing",
            DomainSource.File => "the files' names",
            _ => string.Join(", ", options.DomainFields ?? ["the usual fields"]),
        };
        string textFiles = "whole";
        if (options.TextPieceBytes is { } piece)
        {
            textFiles = string.Create(CultureInfo.InvariantCulture, $"in pieces of {piece} bytes");
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"text from {string.Join(", ", options.TextFields)}; "
                + $"domain from {domain}; "
                + $"records up to {options.MaxRecordBytes} bytes; expansion up to {options.MaxExpansion}; "
                + $"text files {textFiles}; encoding {options.Encoding ?? "utf-8"}; "
                + $"special tokens {options.SpecialTokens?.ToString() ?? "automatic"} "
                + $"({string.Join(", ", marks.Ends.Select(System.Text.Encoding.UTF8.GetString))})"
        );
    }

    private static IEnumerable<string> Differences(
        string what,
        IReadOnlyList<PrepareInput> now,
        IReadOnlyList<PrepareInput> before
    )
    {
        for (int i = 0; i < Math.Max(now.Count, before.Count); i++)
        {
            PrepareInput? file = i < now.Count ? now[i] : null;
            PrepareInput? old = i < before.Count ? before[i] : null;
            if (file == old)
            {
                continue;
            }

            if (file is not null && old is not null && file.Path == old.Path)
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{what} '{file.Path}' had {old.Bytes} bytes of {old.Modified:u}, has {file.Bytes} of {file.Modified:u}"
                );
            }
            else
            {
                yield return $"{what} {i + 1} was {PathOf(old)}, is {PathOf(file)}";
            }
        }
    }

    private static string PathOf(PrepareInput? input) => input is null ? "not there" : $"'{input.Path}'";
}
