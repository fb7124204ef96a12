using System.Security.Cryptography;

namespace Saltern.RunFiles;

/// <summary>The files beside a <c>result.json</c> that a verdict reads: whether they are still those of the run.</summary>
internal static class ResultSums
{
    private static readonly string[] Names = [RunLayout.Metrics, RunLayout.Documents];

    /// <summary>SHA-256 of those that a run folder has, by name, lower-case hexadecimal.</summary>
    public static IReadOnlyDictionary<string, string> Sums(string folder)
    {
        var run = new RunFolderSource(folder);
        return Names.Where(run.Has).ToDictionary(name => name, name => Sum(run, name));
    }

    /// <summary>Makes sure that a finished run's files are those that its result names; without such names nothing is checked.</summary>
    /// <exception cref="DataFormatException">One is missing, changed or damaged.</exception>
    public static void Require(RunSource run, RunResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        foreach ((string name, string expected) in result.Files ?? new Dictionary<string, string>())
        {
            string path = run.At(name);
            string? sum = null;
            string found = "the file is missing";
            if (Names.Contains(name) && run.Has(name))
            {
                sum = Sum(run, name);
                found = $"SHA-256 {sum} found";
            }

            if (sum != expected)
            {
                throw new DataFormatException(
                    $"{path}: {found}, {expected} expected as in result.json. "
                        + "Restore the file, or run the training again."
                );
            }
        }
    }

    private static string Sum(RunSource run, string name)
    {
        using Stream file = run.Open(name);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }
}
