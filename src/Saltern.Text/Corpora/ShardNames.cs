using System.Globalization;
using System.Text.RegularExpressions;

namespace Saltern.Corpora;

/// <summary>Makes the shards of one data set one domain: <c>train-00000-of-00041</c>, <c>train-00001-of-00041</c>, … are <c>train</c>.</summary>
/// <remarks>
/// A number at the end of a name is a shard's where it says "of" how many, where it is written with leading zeros, where Spark wrote it, where it is an id (UUID), or where the
/// files beside it have the numbers that make it a row from 0 or 1 on. Any other number is part of the name: <c>wikitext-103</c>, <c>news-2017</c>.
/// </remarks>
internal static partial class ShardNames
{
    /// <summary>The files, with the domains of shards made one.</summary>
    public static IEnumerable<CorpusFile> Unite(IReadOnlyList<CorpusFile> files)
    {
        HashSet<string> rows =
        [
            .. files
                .Where(file => file.Format != CorpusFormat.Text)
                .Select(file => Numbered().Match(file.Domain))
                .Where(match => match.Success)
                .GroupBy(match => match.Groups["name"].Value, match => match.Groups["number"].Value)
                .Where(group => IsRow([.. group.Distinct()]))
                .Select(group => group.Key),
        ];
        return files.Select(file => file.Format == CorpusFormat.Text ? file : file with { Domain = Name(file, rows) });
    }

    private static string Name(CorpusFile file, HashSet<string> rows)
    {
        string name = file.Domain;
        Match numbered = Numbered().Match(name);
        if (OfHowMany().Match(name) is { Success: true } shard)
        {
            name = name[..shard.Index];
        }
        else if (Spark().Match(name) is { Success: true } part)
        {
            name = part.Groups["name"].Value;
        }
        else if (Identified().Match(name) is { Success: true } identified)
        {
            name = name[..identified.Index];
        }
        else if (Padded().Match(name) is { Success: true } padded)
        {
            name = name[..padded.Index];
        }
        else if (numbered.Success && rows.Contains(numbered.Groups["name"].Value))
        {
            name = numbered.Groups["name"].Value;
        }

        name = name.TrimEnd('-', '_');
        if (name.Length > 0)
        {
            return name;
        }

        // The name was a number and nothing else: the folder's is the next best.
        string? folder = Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(file.Path)));
        return string.IsNullOrEmpty(folder) ? CorpusFile.PlainTextDomain : folder;
    }

    private static bool IsRow(string[] numbers)
    {
        if (numbers.Length < 2)
        {
            return false;
        }

        long[] sorted = [.. numbers.Select(number => long.Parse(number, CultureInfo.InvariantCulture)).Order()];
        return sorted[0] <= 1 && sorted[^1] - sorted[0] == sorted.Length - 1;
    }

    // train-00000-of-00041, and with the hash that older versions of datasets put behind it: train-00000-of-00041-a09b74b3ef9c3b56.
    [GeneratedRegex(@"[-_.]?\d+[-_]of[-_]\d+([-_.][0-9a-f]{6,})?$", RegexOptions.IgnoreCase)]
    private static partial Regex OfHowMany();

    // part-00000-6f1c….c000: the part, an id of the job (Databricks has the task's too), and the number within the task.
    [GeneratedRegex(@"^(?<name>part)-\d+-(.+[-.]c\d+|[0-9a-f]{8}-[0-9a-f-]{27})$", RegexOptions.IgnoreCase)]
    private static partial Regex Spark();

    // arxiv_024de5df-1b7f-447c-8c3a-51407d8d6732: an id in place of a number.
    [GeneratedRegex(@"[-_.]?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", RegexOptions.IgnoreCase)]
    private static partial Regex Identified();

    [GeneratedRegex(@"[-_]0\d+([-_]\d+)*$|(?<=[^\d])0\d+$|^\d+([-_]\d+)*$")]
    private static partial Regex Padded();

    [GeneratedRegex(
        @"^(?<name>.*[^\d])[-_](?<number>\d{1,9})$|^(?<name>part|shard|chunk|split|file)(?<number>\d{1,9})$"
    )]
    private static partial Regex Numbered();
}
