using System.Globalization;

namespace Saltern.Configuration;

/// <summary>Collects what is wrong with a recipe, so that all of it can be told at once.</summary>
internal sealed class ProblemList
{
    /// <summary>More lines than this help nobody, and a hostile file could ask for hundreds of thousands.</summary>
    private const int Limit = 100;

    private readonly List<(RecipePlace Place, string Line)> _problems = [];
    private int _leftOut;

    public void Add(RecipePlace place, string text) => AddLine(place, $"{place}: {text}");

    /// <summary>Keeps an error that ended the reading of one override, and already names its place.</summary>
    public void Add(int order, ConfigurationException error)
    {
        foreach (string line in error.Problems)
        {
            AddLine(new RecipePlace("", 0, 0, order), line);
        }
    }

    /// <summary>Ends the reading with every problem in the order of the file, then of the overrides.</summary>
    /// <exception cref="ConfigurationException">There is at least one problem.</exception>
    public void ThrowIfAny()
    {
        if (_problems.Count == 0)
        {
            return;
        }

        // OrderBy keeps the order of equal places: missing keys stay in the order of their declaration.
        List<string> lines = [.. _problems.OrderBy(problem => problem.Place).Select(problem => problem.Line)];
        if (_leftOut > 0)
        {
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"… and {_leftOut} more."));
        }

        throw new ConfigurationException(lines);
    }

    private void AddLine(RecipePlace place, string line)
    {
        if (_problems.Count == Limit)
        {
            _leftOut++;
            return;
        }

        _problems.Add((place, line));
    }
}
