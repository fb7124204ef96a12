using System.Globalization;

namespace Saltern.Benchmarks;

/// <summary>Options of one measurement: <c>--name value</c> and <c>--flag</c>.</summary>
internal sealed class Options
{
    private readonly Dictionary<string, string> _values = [];

    /// <summary>Reads a command line.</summary>
    public Options(IReadOnlyList<string> args)
    {
        for (int i = 0; i < args.Count; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal))
            {
                throw new ArgumentException($"'{args[i]}' is not an option.");
            }

            bool hasValue = i + 1 < args.Count && !args[i + 1].StartsWith("--", StringComparison.Ordinal);
            _values[args[i][2..]] = hasValue ? args[++i] : "true";
        }
    }

    /// <summary>A text; the default where it is not given.</summary>
    public string Text(string name, string otherwise) => _values.GetValueOrDefault(name, otherwise);

    /// <summary>A whole number.</summary>
    public int Number(string name, int otherwise)
    {
        if (_values.TryGetValue(name, out string? text))
        {
            return int.Parse(text, CultureInfo.InvariantCulture);
        }

        return otherwise;
    }

    /// <summary>Whether a flag is there.</summary>
    public bool Has(string name) => _values.ContainsKey(name);
}
