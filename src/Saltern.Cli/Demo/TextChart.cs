using System.Globalization;
using System.Text;
using Saltern.Cli.Terminal;

namespace Saltern.Cli.Demo;

/// <summary>Two curves as characters, for a terminal while training runs.</summary>
public static class TextChart
{
    /// <summary>Draws curves over the steps; the later curve wins where two meet.</summary>
    /// <param name="curves">Mark and points of each, x in [0, lastStep].</param>
    /// <param name="lastStep">Right edge.</param>
    /// <param name="width">Columns of the plot.</param>
    /// <param name="height">Rows of the plot.</param>
    public static string Draw(
        IReadOnlyList<(char Mark, IReadOnlyList<(int Step, double Value)> Points)> curves,
        int lastStep,
        int width,
        int height
    )
    {
        double[] values = [.. curves.SelectMany(curve => curve.Points).Select(point => point.Value).Order()];
        if (values.Length == 0)
        {
            return "";
        }

        // The first evaluation stands far above the rest; the top is cut so that the curves can be told apart.
        double low = values[0];
        double high = Math.Max(values[Math.Min(values.Length - 1, (int)(values.Length * 0.9))], low + 0.05);
        char[][] grid = [.. Enumerable.Range(0, height).Select(_ => Enumerable.Repeat(' ', width).ToArray())];
        foreach ((char mark, IReadOnlyList<(int Step, double Value)> points) in curves)
        {
            foreach ((int step, double value) in points)
            {
                int column = Math.Clamp((int)((double)step / lastStep * (width - 1)), 0, width - 1);
                int row = Math.Clamp((int)Math.Round((high - value) / (high - low) * (height - 1)), 0, height - 1);
                grid[row][column] = mark;
            }
        }

        var text = new StringBuilder();
        for (int row = 0; row < height; row++)
        {
            double at = high - ((high - low) * row / (height - 1));
            text.Append(Column.Right(at, 7, "0.000")).Append(" |").Append(grid[row]).Append('\n');
        }

        string last = lastStep.ToString(CultureInfo.InvariantCulture);
        return text.Append("        +")
            .Append('-', width)
            .Append('\n')
            .Append("         0")
            .Append(' ', Math.Max(1, width - 1 - last.Length))
            .Append(last)
            .ToString();
    }
}
