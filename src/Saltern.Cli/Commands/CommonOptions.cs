using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.Data;

namespace Saltern.Cli.Commands;

/// <summary>Options that several verbs share.</summary>
public static class CommonOptions
{
    /// <summary><c>--input PATH…</c>.</summary>
    public static Option<string[]> Input(string description) => new("--input") { Description = description, Required = true, AllowMultipleArgumentsPerToken = true };

    /// <summary><c>--json</c>.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Write the result as JSON to standard output, everything else to standard error." };

    /// <summary>Names what a reader passed over.</summary>
    public static void ReportProblems(Output console, CorpusReadReport report)
    {
        if (report.BrokenLines + report.BrokenFiles > 0)
        {
            console.Line($"Passed over: {report.BrokenLines} broken lines, {report.BrokenFiles} broken files. The first:");
            foreach (CorpusProblem problem in report.FirstProblems)
            {
                console.Line("  " + problem);
            }
        }
    }
}
