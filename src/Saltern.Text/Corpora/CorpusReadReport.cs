using System.Globalization;

namespace Saltern.Corpora;

/// <summary>A broken record or file.</summary>
/// <param name="File">The file.</param>
/// <param name="Line">The line or row, from 1, or the last one read before the file broke off; <see langword="null"/> for whole files.</param>
/// <param name="Reason">What is wrong with it.</param>
public sealed record CorpusProblem(string File, long? Line, string Reason)
{
    /// <summary><c>file:line reason</c>.</summary>
    public override string ToString()
    {
        if (Line is null)
        {
            return $"{File}: {Reason}";
        }

        return string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}: {Reason}");
    }
}

/// <summary>The counts of a <see cref="CorpusReadReport"/> at one moment.</summary>
internal sealed record ReportCounts(
    long Documents,
    long Records,
    long BrokenRecords,
    long RecordsWithDomain,
    int Files,
    int BrokenFiles,
    IReadOnlyList<CorpusProblem> FirstProblems,
    long SplitMarks = 0,
    long DocumentsWithSpecialTokens = 0,
    string? SpecialTokenFound = null,
    long OddDomains = 0
);

/// <summary>What one pass of a <see cref="CorpusReader"/> found so far.</summary>
public sealed class CorpusReadReport
{
    /// <summary>How many problems are kept by name; the rest is only counted.</summary>
    internal const int NamedProblemLimit = 10;

    // A corpus with a wrong field name should not be read to its end before anyone hears of it.
    private const long HopelessRecords = 1000;

    private readonly List<CorpusProblem> _problems = [];

    /// <summary>Starts with nothing counted.</summary>
    public CorpusReadReport() { }

    /// <summary>Starts with what an earlier pass had counted.</summary>
    internal CorpusReadReport(ReportCounts counts)
    {
        (Documents, Records, BrokenRecords, RecordsWithDomain) = (
            counts.Documents,
            counts.Records,
            counts.BrokenRecords,
            counts.RecordsWithDomain
        );
        (Files, BrokenFiles) = (counts.Files, counts.BrokenFiles);
        (SplitMarks, OddDomains) = (counts.SplitMarks, counts.OddDomains);
        (DocumentsWithSpecialTokens, SpecialTokenFound) = (counts.DocumentsWithSpecialTokens, counts.SpecialTokenFound);
        _problems.AddRange(counts.FirstProblems);
    }

    /// <summary>Documents given out.</summary>
    public long Documents { get; private set; }

    /// <summary>JSON records, rows and pieces of text files read, broken ones included and empty lines not.</summary>
    public long Records { get; private set; }

    /// <summary>Records that gave no document.</summary>
    public long BrokenRecords { get; private set; }

    /// <summary>Records that name their domain themselves.</summary>
    public long RecordsWithDomain { get; private set; }

    /// <summary>Files opened.</summary>
    public int Files { get; private set; }

    /// <summary>Files that could not be read to their end.</summary>
    public int BrokenFiles { get; private set; }

    /// <summary>The first problems found, at most <see cref="NamedProblemLimit"/>.</summary>
    public IReadOnlyList<CorpusProblem> FirstProblems => _problems;

    /// <summary>The counts as they are now.</summary>
    internal ReportCounts Counts =>
        new(
            Documents,
            Records,
            BrokenRecords,
            RecordsWithDomain,
            Files,
            BrokenFiles,
            [.. _problems],
            SplitMarks,
            DocumentsWithSpecialTokens,
            SpecialTokenFound,
            OddDomains
        );

    /// <summary>End-of-text marks at which texts were split.</summary>
    public long SplitMarks { get; private set; }

    /// <summary>Documents that spell out special tokens, which are letters like all others.</summary>
    public long DocumentsWithSpecialTokens { get; private set; }

    /// <summary>The first special token that was found spelled out; <see langword="null"/> where there is none.</summary>
    public string? SpecialTokenFound { get; private set; }

    /// <summary>Records whose field for the domain held something else, and that belong to their file's domain.</summary>
    internal long OddDomains { get; private set; }

    internal void CountFile() => Files++;

    internal void CountSplitMark() => SplitMarks++;

    internal void CountSpecialToken(string name)
    {
        DocumentsWithSpecialTokens++;
        SpecialTokenFound ??= name;
    }

    internal void CountRecord(RecordFields fields)
    {
        Records++;
        if (fields.Domain is not null)
        {
            RecordsWithDomain++;
        }

        if (fields.OddDomain is not null)
        {
            OddDomains++;
        }
    }

    internal void CountDocument() => Documents++;

    internal void AddBrokenRecord(string file, long number, string reason, double maxShare)
    {
        BrokenRecords++;
        Name(new CorpusProblem(file, number, reason));
        if (BrokenRecords == HopelessRecords && Documents == 0 && maxShare < 1)
        {
            throw Failure($"The first {HopelessRecords} records are all broken");
        }
    }

    internal void AddBrokenFile(string file, long? line, string reason)
    {
        BrokenFiles++;
        Name(new CorpusProblem(file, line, reason));
    }

    /// <summary>Ends the pass: fails where more than the allowed share of records or files was broken, or no record had a domain field that was asked for.</summary>
    /// <exception cref="DataFormatException">The share was exceeded, or the fields are missing; the message names the first problems.</exception>
    internal void Finish(CorpusReaderOptions options)
    {
        bool recordsFail = BrokenRecords > options.MaxBrokenShare * Records;
        bool filesFail = BrokenFiles > options.MaxBrokenShare * Files;
        if (recordsFail || filesFail)
        {
            List<string> findings = [];
            if (recordsFail)
            {
                findings.Add($"{BrokenRecords} of {Records} records are broken");
            }

            if (filesFail)
            {
                findings.Add($"{BrokenFiles} of {Files} files cannot be read to the end");
            }

            throw Failure(
                $"{string.Join(" and ", findings)}, more than the allowed {options.MaxBrokenShare * 100:0.##} %"
            );
        }

        if (options.DomainFields is { Count: > 0 } fields && Records > BrokenRecords && RecordsWithDomain == 0)
        {
            throw new DataFormatException(
                $"None of {Records} records has a domain in "
                    + $"{string.Join(" or ", fields.Select(field => $"'{field}'"))}. "
                    + "Name a field that is there, or leave the domain field out to take the files' names."
            );
        }
    }

    private DataFormatException Failure(string finding)
    {
        string more = BrokenRecords + BrokenFiles > _problems.Count ? $"{Environment.NewLine}  …" : "";
        string named = string.Concat(_problems.Select(problem => $"{Environment.NewLine}  {problem}"));
        return new DataFormatException(
            $"{finding}:{named}{more}{Environment.NewLine}Repair the files, name other fields, or allow a larger share."
        );
    }

    private void Name(CorpusProblem problem)
    {
        if (_problems.Count < NamedProblemLimit)
        {
            _problems.Add(problem);
        }
    }
}
