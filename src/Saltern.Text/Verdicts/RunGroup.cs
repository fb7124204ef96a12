using Saltern.RunFiles;

namespace Saltern.Verdicts;

/// <summary>The runs of one arm, by seed.</summary>
/// <param name="Label">What the arm is called in sentences and legends.</param>
/// <param name="Name">The run's name, or the arm's where there are several.</param>
/// <param name="Runs">In order of seeds, each seed once.</param>
internal sealed record RunGroup(string Label, string Name, IReadOnlyList<RunRecord> Runs)
{
    public IReadOnlyList<int> Seeds => [.. Runs.Select(run => run.Result.Seed)];

    /// <summary>The runs by arm; where an arm holds one seed twice, as two recipes of one method do, each name is an arm of its own.</summary>
    /// <exception cref="DataFormatException">Two runs agree in arm, name and seed.</exception>
    public static IReadOnlyList<RunGroup> Split(IReadOnlyList<RunRecord> runs)
    {
        List<RunGroup> groups = [];
        foreach (IGrouping<string, RunRecord> arm in runs.GroupBy(run => run.Result.Arm))
        {
            if (arm.Select(run => run.Result.Seed).Distinct().Count() == arm.Count())
            {
                groups.Add(Of(LabelOf(arm.Key), arm));
            }
            else
            {
                groups.AddRange(arm.GroupBy(run => run.Result.Name).Select(name => Of(name.Key, name)));
            }
        }

        return groups;
    }

    /// <summary>What some of its runs are called: one by its own name, several by the arm's.</summary>
    public string NameOf(IReadOnlyList<RunRecord> runs)
    {
        if (runs.Count == 1)
        {
            return runs[0].Result.Name;
        }

        return Name;
    }

    // The methods' own names are capitals in sentences; a study's arms are called what its file calls them.
    private static string LabelOf(string arm)
    {
        if (arm.Any(char.IsUpper))
        {
            return arm;
        }

        return arm.ToUpperInvariant();
    }

    private static RunGroup Of(string label, IEnumerable<RunRecord> members)
    {
        List<RunRecord> runs = [.. members.OrderBy(run => run.Result.Seed)];
        IGrouping<int, RunRecord>? twice = runs.GroupBy(run => run.Result.Seed)
            .FirstOrDefault(seed => seed.Count() > 1);
        if (twice is not null)
        {
            throw new DataFormatException(
                $"Two runs '{twice.First().Result.Name}' of arm '{runs[0].Result.Arm}' have seed {twice.Key}. Give each run once."
            );
        }

        string name = runs[0].Result.Arm;
        if (runs.Count == 1)
        {
            name = runs[0].Result.Name;
        }

        return new RunGroup(label, name, runs);
    }
}
