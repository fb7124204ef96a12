namespace Saltern.Data;

/// <summary>How <see cref="DatasetBuilder"/> prepares a data set.</summary>
public sealed record DatasetBuilderOptions
{
    /// <summary>
    /// Percent of the documents, in [0, 100), that become validation text, chosen by the hash of each document's bytes; unused where validation
    /// text of its own is given. Default: 1.
    /// </summary>
    public double ValidPercent { get; init; } = 1.0;

    /// <summary>Whether a finished data set in the output folder may be replaced. Default: no, it is an error.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Most domains that a data set may have, at least 1; more is taken for a field that does not hold domains. Default: 256.</summary>
    public int MaxDomains { get; init; } = 256;

    /// <summary>Documents are encoded on this many threads, at least 1; the result does not depend on it. Default: one per processor.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Checks every option.</summary>
    /// <exception cref="ConfigurationException">An option is out of range; the message lists every one.</exception>
    public void Validate()
    {
        List<string> problems = [];
        if (ValidPercent is not (>= 0 and < 100))
        {
            problems.Add($"valid percent = {ValidPercent} is outside [0, 100). Use 0 to split nothing off.");
        }

        if (MaxDomains < 1)
        {
            problems.Add($"MaxDomains = {MaxDomains} is below 1.");
        }

        if (Threads < 1)
        {
            problems.Add($"Threads = {Threads} is below 1.");
        }

        if (problems.Count > 0)
        {
            throw new ConfigurationException(problems);
        }
    }
}
