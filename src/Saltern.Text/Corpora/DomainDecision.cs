using System.Text.RegularExpressions;

namespace Saltern.Corpora;

/// <summary>What a corpus takes for the domain, decided before its first document.</summary>
/// <param name="Options">How to read, with that settled.</param>
/// <param name="Remark">What a person should know of it; null for nothing.</param>
internal sealed partial record DomainDecision(CorpusReaderOptions Options, string? Remark)
{
    // Read for the decision; files are far enough apart to be of different parts.
    private const int FilesLooked = 4;
    private const int DocumentsLooked = 1000;
    private const int BytesLooked = 4 << 20;

    // More values than this are no domains: losses told by hundreds of them tell nothing.
    private const int FewValues = 64;

    // Below this many values nothing can be said by how often they repeat.
    private const int VeryFewValues = 8;

    /// <summary>Looks at the first records, where the options leave it open whether a usual field names the domain.</summary>
    public static DomainDecision Of(CorpusReader reader)
    {
        CorpusReaderOptions options = reader.Options;
        CorpusFile[] files = [.. reader.Files.Where(file => file.Format != CorpusFormat.Text)];
        if (!options.IsDomainAutomatic || files.Length == 0)
        {
            return new DomainDecision(options, null);
        }

        var report = new CorpusReadReport();
        CorpusReaderOptions patient = options with
        {
            MaxBrokenShare = 1,
            MaxRecordBytes = Math.Min(options.MaxRecordBytes, BytesLooked),
        };
        var pass = new CorpusPass(patient, report) { BeginningBytes = BytesLooked };
        List<string> values = [];
        int step = Math.Max(1, files.Length / FilesLooked);
        foreach (CorpusFile file in files.Where((_, i) => i % step == 0).Take(FilesLooked))
        {
            values.AddRange(
                reader
                    .Read(file, 0, pass)
                    .Take(DocumentsLooked)
                    .Where(document => document.NamesDomain)
                    .Select(document => document.Domain)
            );
        }

        string? finding = Finding(values, report.OddDomains);
        if (finding is null)
        {
            return new DomainDecision(options, null);
        }

        string fields = string.Join(" or ", CorpusReaderOptions.UsualDomainFields.Select(name => $"'{name}'"));
        return new DomainDecision(
            options with
            {
                Domains = DomainSource.File,
            },
            $"What the records have in {fields} is not taken for domains ({finding}); the files' names are. "
                + "--domain field takes it all the same, --domain none makes one domain of all."
        );
    }

    private static string? Finding(List<string> values, long odd)
    {
        if (odd > 0)
        {
            return $"{odd} of the first {odd + values.Count} are no short texts";
        }

        string[] distinct = [.. values.Distinct()];
        string examples = string.Join(", ", distinct.Take(3).Select(value => $"'{value}'"));
        bool areHosts = distinct.Length > 0 && distinct.Count(value => Host().IsMatch(value)) * 2 > distinct.Length;
        if (areHosts)
        {
            return $"they are names of hosts: {examples}";
        }

        bool hardlyRepeat = distinct.Length > VeryFewValues && distinct.Length * 2 > values.Count;
        if (distinct.Length > FewValues || hardlyRepeat)
        {
            return $"{distinct.Length} different ones in the first {values.Count} records: {examples}";
        }

        return null;
    }

    [GeneratedRegex(@"^([a-z0-9-]+\.)+[a-z]{2,}$", RegexOptions.IgnoreCase)]
    private static partial Regex Host();
}
