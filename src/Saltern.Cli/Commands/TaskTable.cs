using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Evaluation;
using Saltern.RunFiles;

namespace Saltern.Cli.Commands;

/// <summary>Task results as a table for people: chance beside every score.</summary>
internal static class TaskTable
{
    private const string Places = "0.0000";
    private const string Signed = "+0.0000;-0.0000;0.0000";

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
                    $"  {Column.Left(result.Definition.Task, 16)} {Column.Right(result.Definition.Shots, 5)}"
                        + $"  {Column.Right(result.Items.Count, 5)}  {Column.Left(TaskMetrics.NameOf(score.Metric), 15)}"
                        + $" {Number(score.Value)} {Number(score.StandardError)}"
                        + $" {Number(score.Low)} –{Number(score.High)} {Number(score.Chance)}{Remark(score)}"
                );
            }
        }

        foreach (GroupScores group in groups)
        {
            console.Line($"  {group.Group}:");
            foreach (DomainScore mean in group.Domains.Concat(group.Averages))
            {
                console.Line(
                    $"    {Column.Left(mean.Name, 26)} {Number(mean.Score)}   over {mean.Measured} of {mean.Of}"
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
                console.Line(
                    $"  {Column.Left(task, 16)} {Column.Left(TaskMetrics.NameOf(test.Metric), 15)}"
                        + $"  {Column.Right(test.Difference, 12, Signed)} {Number(test.Low)} –{Number(test.High)}"
                        + $"  {Column.Right(test.PValue, 9, Places)}  {test.Test}{OnlyOneRight(test)}"
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
            "  task             metric          items     before      after"
                + "   after less before, 95 % interval          p  too long"
        );
        foreach ((string task, TaskChange change) in tasks)
        {
            foreach ((string metric, MetricChange scores) in change.Metrics)
            {
                string difference = scores.Difference.ToString(Signed, CultureInfo.InvariantCulture);
                console.Line(
                    $"  {Column.Left(task, 16)} {Column.Left(metric, 15)} {Column.Right(change.Items, 5)}"
                        + $"  {Number(scores.Before)}  {Number(scores.After)}      {difference}"
                        + $"  {Number(scores.DifferenceCi95[0])} –{Number(scores.DifferenceCi95[1])}"
                        + $"  {Column.Right(scores.PValue, 9, Places)}  {Column.Right(change.TooLong.Count, 8)}"
                );
            }
        }
    }

    private static string OnlyOneRight(PairedTest test)
    {
        if (test.OnlyFirst is null)
        {
            return "";
        }

        return $", only one right: {test.OnlyFirst} and {test.OnlySecond}";
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
            >= 10_000 => Column.Right(value, 9, "0.00e0"),
            _ => Column.Right(value, 9, Places),
        };
}
