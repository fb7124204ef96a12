using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using OxyPlot;

namespace Saltern.Verdicts;

/// <summary>Colours and dashes of the plots. Each colour is a CSS variable in the page, so that dark mode and print can change it.</summary>
/// <remarks>Okabe and Ito's palette, which stays apart with every common colour vision; dashes carry the same distinction without colour.</remarks>
internal static partial class PlotPalette
{
    private static readonly (string Name, OxyColor Light, string Dark)[] Colours =
    [
        ("ink", OxyColor.FromRgb(0x1F, 0x23, 0x28), "#e6edf3"),
        ("muted", OxyColor.FromRgb(0x59, 0x63, 0x6E), "#9aa4af"),
        ("grid", OxyColor.FromRgb(0xE3, 0xE7, 0xEB), "#30363d"),
        ("card", OxyColor.FromRgb(0xFF, 0xFF, 0xFF), "#161b22"),
        ("line0", OxyColor.FromRgb(0x4A, 0x4F, 0x55), "#c3cad2"),
        ("line1", OxyColor.FromRgb(0x00, 0x72, 0xB2), "#4fb0ee"),
        ("line2", OxyColor.FromRgb(0xD5, 0x5E, 0x00), "#ff934a"),
        ("line3", OxyColor.FromRgb(0x00, 0x9E, 0x73), "#35d3a7"),
        ("line4", OxyColor.FromRgb(0xCC, 0x79, 0xA7), "#efa6cf"),
        ("line5", OxyColor.FromRgb(0xB8, 0x86, 0x00), "#f2c14e"),
        ("line6", OxyColor.FromRgb(0x3A, 0x9B, 0xD1), "#93d6ff"),
    ];

    private static readonly double[][] Dashes =
    [
        [6, 3],
        [],
        [2, 2],
        [9, 3, 2, 3],
        [12, 4],
        [4, 2, 1, 2],
        // Not dots alone: those are the teacher's loss and the learning rate, and a pale colour drowns in them.
        [10, 2, 2, 2, 2, 2],
    ];

    public static OxyColor Ink => Colours[0].Light;

    public static OxyColor Muted => Colours[1].Light;

    public static OxyColor Grid => Colours[2].Light;

    public static OxyColor Card => Colours[3].Light;

    /// <summary>Colours of the arms beside the baseline.</summary>
    internal const int ArmColours = 6;

    /// <summary>Arms that differ in colour or dashes, the baseline among them.</summary>
    internal static int Arms => 1 + (ArmColours * Dashes.Length);

    /// <summary>Colour of the arm with this index; 0 is the baseline. More arms than colours begin again, with the next dashes.</summary>
    public static OxyColor Line(int index) => Colours[4 + (index == 0 ? 0 : 1 + ((index - 1) % ArmColours))].Light;

    /// <summary>Dashes of the arm with this index, in line widths; none for a full line.</summary>
    public static double[] Dash(int index)
    {
        if (index == 0)
        {
            return Dashes[0];
        }

        (int round, int colour) = Math.DivRem(index - 1, ArmColours);
        return Dashes[(1 + colour + round) % Dashes.Length];
    }

    /// <summary>The variables as CSS, with dark values where the reader prefers them and light ones on paper.</summary>
    public static string Css()
    {
        string light = Declarations(colour => Hex(colour.Light));
        string dark = Declarations(colour => colour.Dark);
        return $":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n";
    }

    /// <summary>Replaces the palette's colours in an SVG style by the variables.</summary>
    public static string ToVariables(string style) =>
        RgbColour()
            .Replace(
                style,
                match =>
                {
                    byte Part(int group) => byte.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
                    OxyColor found = OxyColor.FromRgb(Part(1), Part(2), Part(3));
                    string? name = Colours.FirstOrDefault(colour => colour.Light == found).Name;
                    return name is null ? match.Value : $"var(--{name})";
                }
            );

    private static string Declarations(Func<(string Name, OxyColor Light, string Dark), string> value)
    {
        StringBuilder css = new();
        foreach (var colour in Colours)
        {
            css.Append("--").Append(colour.Name).Append(':').Append(value(colour)).Append(';');
        }

        return css.ToString();
    }

    private static string Hex(OxyColor colour) => $"#{colour.R:x2}{colour.G:x2}{colour.B:x2}";

    [GeneratedRegex(@"rgb\((\d{1,3}),(\d{1,3}),(\d{1,3})\)")]
    private static partial Regex RgbColour();
}
