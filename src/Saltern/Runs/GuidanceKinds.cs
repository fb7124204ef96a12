using Saltern.Configuration;

namespace Saltern.Runs;

/// <summary>The ways for a small model to help that a recipe can name.</summary>
internal static class GuidanceKinds
{
    /// <summary>All of them; a recipe names at most one, which <see cref="Problems"/> sees to.</summary>
    public static IReadOnlyList<GuidanceKind> All { get; } = [new SoftLabelKind(), new AlignmentKind()];

    /// <summary>The one whose section a recipe has, whatever its weight; null where it has none.</summary>
    public static GuidanceKind? Named(RunConfig config) =>
        All.FirstOrDefault(kind => kind.SectionOf(config) is not null);

    /// <summary>The one that a recipe asks for, with a weight above 0; null for training without guidance.</summary>
    public static GuidanceKind? Active(RunConfig config) => All.FirstOrDefault(kind => kind.IsActive(config));

    /// <summary>The same recipe with nothing that asks for the small model's help.</summary>
    public static RunConfig Without(RunConfig config) =>
        All.Aggregate(config, (recipe, kind) => kind.Without(recipe)) with
        {
            Teacher = null,
        };

    /// <summary>What does not go together in a recipe.</summary>
    public static IEnumerable<ConfigurationProblem> Problems(RunConfig config)
    {
        if (
            All.Where(kind => kind.SectionOf(config) is not null).ToList()
            is [GuidanceKind first, GuidanceKind second, ..]
        )
        {
            yield return new ConfigurationProblem(
                second.Section,
                $"and {first.Section} do not go together: a teacher helps in one way. Remove one of the sections."
            );
        }

        foreach (ConfigurationProblem problem in All.SelectMany(kind => kind.Problems(config)))
        {
            yield return problem;
        }
    }
}
