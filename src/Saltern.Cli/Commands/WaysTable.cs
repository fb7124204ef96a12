using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Planning;

namespace Saltern.Cli.Commands;

/// <summary>The end of <c>saltern plan</c>: which way to BASELINE's quality.</summary>
internal static class WaysTable
{
    /// <summary>Prints the ways, the cheapest, and what a budget pays for.</summary>
    /// <param name="budget">FLOPs; null for none.</param>
    public static void Print(Output console, RunPlan plan, WaysPlan ways, double? budget)
    {
        console.Line();
        console.Line(
            Text(
                $"ways to BASELINE's quality, FLOPs over its own ({ways.StudentsServed} student(s) share the small model):"
            )
        );
        console.Line($"  {Column.Left("", 12)}{Column.Right("free", 8)}{Column.Right("charged", 10)}  rule");
        foreach (Way way in ways.Ways)
        {
            string charged = way.Charged is double known ? Text($"{known:0.000}") : "unknown";
            console.Line(
                $"  {Column.Left(way.Name, 12)}{Column.Right(Text($"{way.Free:0.000}"), 8)}{Column.Right(charged, 10)}  {way.Rule}"
            );
        }

        foreach (string missing in ways.Missing)
        {
            console.Line("  " + missing);
        }

        console.Line(
            Text(
                $"cheapest with the small model to be paid for: {ways.BestCharged.Name} ({ways.BestCharged.Charged:0.000}); "
            )
                + Text($"with one that is there already: {ways.BestFree.Name} ({ways.BestFree.Free:0.000}). ")
                + "Expectations, from small models: docs/growth.md says how they were measured; hold your own runs against BASELINE."
        );
        if (plan.Epochs is > 1)
        {
            console.Line(
                Text(
                    $"data: the run reads its text {plan.Epochs:0.0} times; no rule here was measured on text that is read twice."
                )
            );
        }

        if (budget is double flops)
        {
            IEnumerable<string> steps = BaselineSteps(plan, ways, flops)!
                .Select(way => Text($"{way.Key} {way.Value:#,0}"));
            console.Line(
                Text(
                    $"budget: {flops:0.00e0} FLOP pay for the quality of a BASELINE of so many steps: {string.Join(", ", steps)}"
                )
            );
        }
    }

    /// <summary>Steps of a BASELINE whose quality a budget pays for, by way; null without one.</summary>
    public static Dictionary<string, double>? BaselineSteps(RunPlan plan, WaysPlan ways, double? budget)
    {
        if (budget is not double flops)
        {
            return null;
        }

        return ways.Ways.ToDictionary(
            way => way.Name,
            way => flops / plan.Cost.StudentStep / (way.Charged ?? way.Free)
        );
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
