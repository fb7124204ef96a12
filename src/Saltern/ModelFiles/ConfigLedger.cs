namespace Saltern.ModelFiles;

/// <summary>What happens to the keys of one <c>config.json</c>, its inner objects included.</summary>
/// <param name="toIgnore">Keys that the user wants ignored, those inside others with dots: <c>rope_scaling.mscale</c>.</param>
internal sealed class ConfigLedger(IReadOnlyCollection<string> toIgnore)
{
    private readonly List<string> _ignored = [];

    /// <summary>Keys without effect.</summary>
    public List<string> Passed { get; } = [];

    /// <summary>Dropouts other than 0, with their values.</summary>
    public List<string> Dropouts { get; } = [];

    /// <summary>Keys that were there and were ignored.</summary>
    public IReadOnlyList<string> Ignored => _ignored;

    /// <summary>Keys that were to be ignored and were not there, or null.</summary>
    public IReadOnlyList<string> Absent => [.. toIgnore.Except(_ignored)];

    /// <summary>Whether the user wants a key ignored; it is then counted.</summary>
    public bool Ignores(string key)
    {
        if (!toIgnore.Contains(key))
        {
            return false;
        }

        _ignored.Add(key);
        return true;
    }

    /// <summary>Refuses to ignore a key that the reader has asked for.</summary>
    /// <param name="path">The file.</param>
    /// <param name="understood">Such keys.</param>
    /// <exception cref="ConfigurationException">One of them was to be ignored.</exception>
    public void RefuseToIgnore(string path, IEnumerable<string> understood)
    {
        string[] both = [.. understood.Where(toIgnore.Contains).Order(StringComparer.Ordinal)];
        if (both.Length > 0)
        {
            throw new ConfigurationException(
                $"{string.Join(", ", both)} cannot be ignored: {path} says with it what the model computes, and that is read. "
                    + "Only keys that are not understood can be passed over."
            );
        }
    }
}
