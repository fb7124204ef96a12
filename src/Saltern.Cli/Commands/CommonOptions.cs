using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.Data;

namespace Saltern.Cli.Commands;

/// <summary>Options that several verbs share.</summary>
public static class CommonOptions
{
    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Write the result as JSON to standard output, everything else to standard error." };

    /// <summary><c>--verify</c>.</summary>
    public static Option<bool> Verify() => new("--verify") { Description = "Read every data file whole and compare checksums, even where an earlier start has done so." };

    /// <summary>Names what a reader passed over.</summary>
    public static void ReportProblems(Output console, CorpusReadReport report)
    {
        if (report.BrokenRecords + report.BrokenFiles > 0)
        {
            console.Line($"Passed over: {report.BrokenRecords} broken records, {report.BrokenFiles} broken files. The first:");
            foreach (CorpusProblem problem in report.FirstProblems)
            {
                console.Line("  " + problem);
            }
        }
    }
}
