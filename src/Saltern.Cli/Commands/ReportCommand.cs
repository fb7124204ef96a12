using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern report RUN…</c>: runs by themselves, as a page and as Markdown.</summary>
public static class ReportCommand
{
    private const string MarkdownName = "report.md";

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var runs = new Argument<string[]>("RUN")
        {
            Description =
                "Run folders of any kind (a student, a teacher, a fine-tuning), finished or not, "
                + "or archives of results (results.zip/SALT).",
            Arity = ArgumentArity.OneOrMore,
        };
        var report = new Option<string?>("--report")
        {
            Description = "HTML page to write; report.html in the last run folder, or beside the archive, by default.",
        };
        var markdown = new Option<string?>("--markdown")
        {
            Description = "Markdown file to write; report.md beside the page by default.",
        };
        var command = new Verb(
            "report",
            "Report on one run, or several side by side: figures, curves, tasks, texts.",
            ["saltern report runs/core-salt", "saltern report runs/core-teacher --markdown teacher.md"]
        )
        {
            runs,
            report,
            markdown,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    string[] paths = parsed.GetRequiredValue(runs);
                    Write(
                        console,
                        [.. paths.SelectMany(NamedRuns.Of).Select(NamedRuns.Load)],
                        parsed.GetValue(report) ?? Path.Combine(NamedRuns.ReportFolder(paths[^1]), RunLayout.Report),
                        parsed.GetValue(markdown)
                    );
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    /// <summary>Writes page and Markdown, and says the finding and where they are.</summary>
    /// <param name="page">Path of the page.</param>
    /// <param name="markdown">Path of the Markdown file; null for report.md beside the page.</param>
    internal static void Write(Output console, IReadOnlyList<RunRecord> runs, string page, string? markdown)
    {
        RunsReport report = RunsReport.Of(runs);
        string text = markdown ?? Path.Combine(Path.GetDirectoryName(page) ?? "", MarkdownName);
        ReportFile.Replace(page, report.ToHtml());
        ReportFile.Replace(text, report.ToMarkdown());
        foreach (string line in report.Headline)
        {
            console.Line(line);
        }

        console.Line($"report: {page}, {text}");
        console.Next($"open {page} in a browser, or saltern compare BASELINE RUN… for a verdict");
    }
}
