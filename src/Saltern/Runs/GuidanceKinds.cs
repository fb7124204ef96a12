namespace Saltern.Runs;

/// <summary>The ways for a small model to help that a recipe can name.</summary>
internal static class GuidanceKinds
{
    /// <summary>All of them; a recipe names at most one.</summary>
    public static IReadOnlyList<GuidanceKind> All { get; } = [new SoftLabelKind(), new AlignmentKind()];

    /// <summary>The one whose section a recipe has, whatever its weight; null where it has none.</summary>
    public static GuidanceKind? Named(RunConfig config) =>
        All.FirstOrDefault(kind => kind.SectionOf(config) is not null);

    /// <summary>The one that a recipe asks for, with a weight above 0; null for training without guidance.</summary>
    public static GuidanceKind? Active(RunConfig config) => All.FirstOrDefault(kind => kind.IsActive(config));
}
