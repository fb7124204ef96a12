namespace Saltern.Verdicts;

/// <summary>Colour and dashes of arms by their names, so that an arm looks alike in every report, whatever else is in it.</summary>
internal static class ArmLooks
{
    private const string Baseline = "BASELINE";

    // The methods of the shipped recipes, which stand in one picture most often, have colours of their own.
    private static readonly string[] Known = ["SALT", "RKD", "GROWN", "SALT-DS", "ALIGNED", "TEACHER"];

    /// <summary>The look of each name: an index for <see cref="PlotPalette"/>, 0 being the baseline's.</summary>
    /// <remarks>Any other name has the look that its letters give. Two of one report that would look alike go apart: then, and only then, the one that is later by name takes the next free look.</remarks>
    public static IReadOnlyDictionary<string, int> Of(IReadOnlyCollection<string> names)
    {
        var looks = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string name in names.Distinct().OrderBy(IsOther).ThenBy(name => name, StringComparer.Ordinal))
        {
            int look = Preferred(name);
            for (int tried = 0; tried < PlotPalette.Arms && looks.ContainsValue(look); tried++)
            {
                look = 1 + (look % (PlotPalette.Arms - 1));
            }

            looks.Add(name, look);
        }

        return looks;
    }

    /// <summary>Whether an arm has a look of its own: the baseline, or a method of the shipped recipes.</summary>
    public static bool IsKnown(string name) =>
        Place(name) >= 0 || name.Equals(Baseline, StringComparison.OrdinalIgnoreCase);

    private static bool IsOther(string name) => Place(name) < 0;

    private static int Place(string name) => Array.IndexOf(Known, name.ToUpperInvariant());

    // FNV-1a over the letters, behind the known ones; string.GetHashCode differs from process to process.
    private static int Preferred(string name)
    {
        if (name.Equals(Baseline, StringComparison.OrdinalIgnoreCase))
        {
            return 0; // where it is no one's baseline either
        }

        if (Place(name) is >= 0 and int place)
        {
            return 1 + place;
        }

        uint hash = 2_166_136_261;
        foreach (char letter in name)
        {
            hash = unchecked((hash ^ letter) * 16_777_619);
        }

        return 1 + Known.Length + (int)(hash % (uint)(PlotPalette.Arms - 1 - Known.Length));
    }
}
