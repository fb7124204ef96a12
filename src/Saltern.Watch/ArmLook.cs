using Saltern.Verdicts;

namespace Saltern.Watch;

/// <summary>How the curves of an arm look.</summary>
/// <param name="Colour">As #rrggbb.</param>
/// <param name="Dash">Plotly's name: <c>solid</c> for the first arms, others where colours run out.</param>
public readonly record struct ArmLook(string Colour, string Dash)
{
    // Mid-tones with at least 3:1 on the light and on the dark page (WCAG 1.4.11), apart with every common colour vision.
    // The first is the baseline's; the next are the hues of a report's arms, in its order.
    private static readonly string[] Palette =
    [
        "#7d8590",
        "#1f83d6",
        "#d9660a",
        "#12946d",
        "#bf62a0",
        "#a87b00",
        "#7a6ff0",
        "#d1495b",
    ];

    // Dotted curves are a teacher's, short dashes a learning rate.
    private static readonly (string Name, string Stroke)[] Dashes =
    [
        ("solid", "none"),
        ("longdash", "9 3"),
        ("dashdot", "6 3 2 3"),
        ("longdashdot", "9 3 2 3"),
    ];

    /// <summary>The dashes of a stroke in the legend, as SVG has them.</summary>
    public string Stroke
    {
        get
        {
            string name = Dash;
            return Array.Find(Dashes, dash => dash.Name == name).Stroke;
        }
    }

    /// <summary>A look for each arm, by <see cref="RunView.Arm"/>. No two of the first 28 look alike.</summary>
    /// <param name="runs">Baselines first.</param>
    /// <remarks>The method's own arms have the hues that reports give them; others the first free one from that which their name gives.</remarks>
    internal static IReadOnlyDictionary<string, ArmLook> Of(IReadOnlyList<RunView> runs)
    {
        string[] arms = [.. runs.Select(run => run.Arm).Distinct()];
        IReadOnlyDictionary<string, int> inReports = ArmLooks.Of(arms);
        var looks = new Dictionary<string, ArmLook>();
        int hues = Palette.Length - 1;
        // Who is compared with looks like it: the baseline by name, or else the first run without a small model.
        string? grey = arms.FirstOrDefault(arm => inReports[arm] == 0);
        if (grey is null && runs.Count > 0 && !runs[0].HadSmallModel)
        {
            grey = runs[0].Arm;
        }

        foreach (string arm in arms.OrderBy(arm => !ArmLooks.IsKnown(arm)))
        {
            if (arm == grey)
            {
                looks[arm] = new ArmLook(Palette[0], Dashes[0].Name);
                continue;
            }

            int hue = Math.Max(0, inReports[arm] - 1) % PlotPalette.ArmColours;
            ArmLook look = Look(hue, 0);
            for (int tried = 1; tried < hues * Dashes.Length && looks.ContainsValue(look); tried++)
            {
                look = Look(hue + tried, tried / hues);
            }

            looks[arm] = look;
        }

        return looks;
    }

    private static ArmLook Look(int hue, int round) =>
        new(Palette[1 + (hue % (Palette.Length - 1))], Dashes[round].Name);
}
