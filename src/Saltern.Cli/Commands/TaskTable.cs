using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Evaluation;
using Saltern.RunFiles;

namespace Saltern.Cli.Commands;

/// <summary>Task results as a table for people: chance beside every score.</summary>
internal static class TaskTable
{
    /// <summary>Prints the scores of a model.</summary>
    public static void Print(
        Output console,
        string model,
        IReadOnlyList<TaskResult> results,
        IReadOnlyList<GroupScores> groups
    )
    {
        console.Line($"{model}:");
        console.Line("  task             shots  items  metric              score   stderr    95 % interval     chance");
        foreach (TaskResult result in results)
        {
            foreach (MetricScore score in result.Scores)
            {
                console.Line(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"  {result.Definition.Task, -16} {result.Definition.Shots, 5}  {result.Items.Count, 5}  {TaskMetrics.NameOf(score.Metric), -15} {Number(score.Value)} {Number(score.StandardError)} {Number(score.Low)} –{Number(score.High)} {Number(score.Chance)}{Remark(score)}"
                    )
                );
            }
        }

        foreach (GroupScores group in groups)
        {
            console.Line($"  {group.Group}:");
            foreach (DomainScore mean in group.Domains.Concat(group.Averages))
            {
                console.Line(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"    {mean.Name, -26} {Number(mean.Score)}   over {mean.Measured} of {mean.Of}"
                    )
                );
            }
        }
    }

    /// <summary>Prints the comparison of two models.</summary>
    public static void PrintPaired(
        Output console,
        string first,
        string second,
        IReadOnlyDictionary<string, IReadOnlyList<PairedTest>> paired
    )
    {
        console.Line($"{first} less {second}, on the same items:");
        console.Line("  task             metric             difference    95 % interval          p  test");
        foreach ((string task, IReadOnlyList<PairedTest> tests) in paired)
        {
            foreach (PairedTest test in tests)
            {
                string counts = test.OnlyFirst is null
                    ? ""
                    : $", only one right: {test.OnlyFirst} and {test.OnlySecond}";
                console.Line(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"  {task, -16} {TaskMetrics.NameOf(test.Metric), -15}  {test.Difference, 12:+0.0000;-0.0000;0.0000} {Number(test.Low)} –{Number(test.High)}  {test.PValue, 9:0.0000}  {test.Test}{counts}"
                    )
                );
            }
        }
    }

    /// <summary>Prints scores before and after fine-tuning.</summary>
    public static void PrintChanges(Output console, IReadOnlyDictionary<string, TaskChange> tasks)
    {
        if (tasks.Count == 0)
        {
            return;
        }

        console.Line(
            "  task             metric          items     before      after   after less before, 95 % interval          p  too long"
        );
        foreach ((string task, TaskChange change) in tasks)
        {
            foreach ((string metric, MetricChange scores) in change.Metrics)
            {
                console.Line(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"  {task, -16} {metric, -15} {change.Items, 5}  {Number(scores.Before)}  {Number(scores.After)}      {scores.Difference:+0.0000;-0.0000;0.0000}  {Number(scores.DifferenceCi95[0])} –{Number(scores.DifferenceCi95[1])}  {scores.PValue, 9:0.0000}  {change.TooLong.Count, 8}"
                    )
                );
            }
        }
    }

    private static string Remark(MetricScore score) =>
        score switch
        {
            { IsAboveChance: true } => "",
            { IsAboveChance: null } => "",
            { Majority: double majority } when majority > score.Chance => string.Create(
                CultureInfo.InvariantCulture,
                $"  not above the most frequent answer, {majority:0.0000}"
            ),
            { Chance: 0 } => "  not above 0",
            { Chance: double chance } when score.High < chance => "  below chance",
            _ => "  at chance",
        };

    private static string Number(double? value) =>
        value switch
        {
            null => "        –",
            >= 10_000 => value.Value.ToString("0.00e0", CultureInfo.InvariantCulture).PadLeft(9),
            _ => value.Value.ToString("0.0000", CultureInfo.InvariantCulture).PadLeft(9),
        };
}
