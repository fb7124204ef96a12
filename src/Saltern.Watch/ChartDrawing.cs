using System.Globalization;
using Plotly.Blazor;
using Plotly.Blazor.LayoutLib;
using Plotly.Blazor.Traces;
using Plotly.Blazor.Traces.ScatterLib;
using Saltern.RunFiles;
using ShapeLine = Plotly.Blazor.LayoutLib.ShapeLib.Line;
using XTitle = Plotly.Blazor.LayoutLib.XAxisLib.Title;
using YTitle = Plotly.Blazor.LayoutLib.YAxisLib.Title;

namespace Saltern.Watch;

/// <summary>A chart in Plotly's terms. Colours of text, grid and background are the style sheet's, so that a change of theme redraws nothing.</summary>
internal static class ChartDrawing
{
    // A line on a screen has no more places than this; of many lines each has fewer, since all of them travel to the browser.
    private const int MostPoints = 500;
    private const int FewestPoints = 120;
    private const int MostPointsOfAll = 12_000;
    private const double PanelGap = 0.07;

    /// <summary>The lines.</summary>
    public static List<ITrace> Traces(Chart chart)
    {
        int[] rightAxes = RightAxes(chart);
        int most = Math.Clamp(MostPointsOfAll / Math.Max(1, chart.Lines.Count), FewestPoints, MostPoints);
        return
        [
            .. chart.Lines.Select(line =>
            {
                ChartPoint[] points = [.. Thinning.Keep(line.Points, most)];
                bool alone = points.Length == 1;
                return new Scatter
                {
                    Name = line.Name,
                    X = [.. points.Select(point => (object)point.X)],
                    Y = [.. points.Select(point => (object)point.Value)],
                    Mode = alone ? ModeFlag.Markers : ModeFlag.Lines,
                    Line = new Line
                    {
                        Color = line.Colour,
                        Dash = line.Dash,
                        Width = 1.8m,
                    },
                    Marker = new Marker { Color = line.Colour, Size = 6 },
                    XAxis = "x",
                    YAxis = AxisName(line.OnRight ? rightAxes[line.Panel] : line.Panel),
                    HoverTemplate = "%{y:.4~g}",
                };
            }),
        ];
    }

    /// <summary>Axes, marks and margins.</summary>
    public static Layout Layout(Chart chart)
    {
        int[] rightAxes = RightAxes(chart);
        double total = chart.Panels.Sum(panel => panel.Height);
        double room = 1 - PanelGap * (chart.Panels.Count - 1);
        double top = 1;
        List<YAxis> left = [];
        List<YAxis> right = [];
        List<Shape> shapes =
        [
            .. chart.Marks.Select(mark => Line(mark.Colour, "dot", (mark.X, 0), (mark.X, 1), ("x", "paper"))),
        ];
        for (int i = 0; i < chart.Panels.Count; i++)
        {
            ChartPanel panel = chart.Panels[i];
            double bottom = Math.Max(0, top - room * panel.Height / total);
            var axis = new YAxis
            {
                Title = new YTitle { Text = panel.Title, Standoff = 6 },
                Domain = [bottom, top],
                AutoMargin = Plotly.Blazor.LayoutLib.YAxisLib.AutoMarginFlag.True,
                ZeroLine = false,
                NTicks = 6,
            };
            left.Add(axis);
            if (panel.SkipsFirstFall)
            {
                axis.Range = Range(chart, i);
            }

            if (panel.RightTitle is { } title)
            {
                // Two axes of one panel begin at the same zero; else a weight that has hardly moved yet looks as if it fell.
                axis.RangeMode = Plotly.Blazor.LayoutLib.YAxisLib.RangeModeEnum.ToZero;
                right.Add(
                    new YAxis
                    {
                        Title = new YTitle { Text = title, Standoff = 6 },
                        Overlaying = AxisName(i),
                        Side = Plotly.Blazor.LayoutLib.YAxisLib.SideEnum.Right,
                        AutoMargin = Plotly.Blazor.LayoutLib.YAxisLib.AutoMarginFlag.True,
                        ShowGrid = false,
                        ZeroLine = false,
                        RangeMode = Plotly.Blazor.LayoutLib.YAxisLib.RangeModeEnum.ToZero,
                        NTicks = 4,
                    }
                );
            }

            if (panel.Level is { } level)
            {
                shapes.Add(Line("#7d8590", "dash", (0, level), (1, level), ("paper", AxisName(i))));
            }

            top = bottom - PanelGap;
        }

        return new Layout
        {
            AutoSize = true,
            ShowLegend = false,
            HoverMode = HoverModeEnum.XUnified,
            DragMode = DragModeEnum.Zoom,
            PaperBgColor = "rgba(0,0,0,0)",
            PlotBgColor = "rgba(0,0,0,0)",
            Font = new Font { Size = 12, Family = "system-ui, sans-serif" },
            Margin = new Margin
            {
                L = 8,
                R = 12,
                T = 8,
                B = 8,
                AutoExpand = true,
            },
            XAxis =
            [
                new XAxis
                {
                    Title = new XTitle { Text = RunAxes.Title(chart.Axis), Standoff = 4 },
                    Anchor = AxisName(chart.Panels.Count - 1),
                    RangeMode = Plotly.Blazor.LayoutLib.XAxisLib.RangeModeEnum.ToZero,
                    AutoMargin = Plotly.Blazor.LayoutLib.XAxisLib.AutoMarginFlag.True,
                    ZeroLine = false,
                    NTicks = 6,
                    TickAngle = 0,
                    HoverFormat = RunAxes.Hover(chart.Axis),
                    TickFormat = RunAxes.Ticks(chart.Axis),
                },
            ],
            YAxis = [.. left, .. right],
            Shapes = shapes,
            // The reader's zoom survives new points, but not another axis.
            UiRevision = $"{chart.Id} {chart.Axis}",
        };
    }

    /// <summary>Index among all vertical axes of a panel's right one: those come after the left ones.</summary>
    private static int[] RightAxes(Chart chart)
    {
        int next = chart.Panels.Count;
        return [.. chart.Panels.Select(panel => panel.RightTitle is null ? -1 : next++)];
    }

    private static string AxisName(int index)
    {
        if (index == 0)
        {
            return "y";
        }

        return string.Create(CultureInfo.InvariantCulture, $"y{index + 1}");
    }

    private static Shape Line(
        string colour,
        string dash,
        (object X, object Y) from,
        (object X, object Y) to,
        (string X, string Y) axes
    ) =>
        new()
        {
            Type = Plotly.Blazor.LayoutLib.ShapeLib.TypeEnum.Line,
            X0 = from.X,
            X1 = to.X,
            Y0 = from.Y,
            Y1 = to.Y,
            XRef = axes.X,
            YRef = axes.Y,
            Layer = Plotly.Blazor.LayoutLib.ShapeLib.LayerEnum.Below,
            Line = new ShapeLine
            {
                Color = colour,
                Dash = dash,
                Width = 1.2m,
            },
        };

    private static List<object>? Range(Chart chart, int panelIndex)
    {
        ChartLine[] lines = [.. chart.Lines.Where(line => line.Panel == panelIndex && !line.OnRight)];
        if (lines.Length == 0)
        {
            return null;
        }

        double first = lines.Max(line => line.Points[^1].X) / 10;
        List<double> values =
        [
            .. lines.SelectMany(line => line.Points).Where(point => point.X >= first).Select(point => point.Value),
        ];
        if (chart.Panels[panelIndex].Level is { } level)
        {
            values.Add(level);
        }

        double margin = Math.Max(1e-3, 0.04 * (values.Max() - values.Min()));
        return [values.Min() - margin, values.Max() + margin];
    }
}
