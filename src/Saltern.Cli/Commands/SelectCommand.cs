using System.CommandLine;
using Saltern.Cli.Terminal;
using Saltern.Hosting;
using Saltern.Selection;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern select</c>: scores of a teacher pass → the samples that stage 1 draws from (SALT_DS).</summary>
public static class SelectCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var defaults = new ScoreRule();
        var scores = new Option<string>("--scores") { Description = "Folder of 'saltern teach'.", Required = true };
        var data = new Option<string?>("--data")
        {
            Description = "Data set folder, if it is not where it was when the scores were made.",
        };
        var share = new Option<double?>("--share")
        {
            Description = "Share of the scored samples to choose, in (0, 1].",
        };
        var count = new Option<long?>("--count") { Description = "Number of samples to choose, instead of a share." };
        var k = new Option<int>("--k")
        {
            Description = "A token counts where the teacher has it among its k most likely.",
            DefaultValueFactory = _ => defaults.K,
        };
        var statistic = new Option<ScoreStatistic>("--statistic")
        {
            Description = "What is taken of a sample's values.",
            DefaultValueFactory = _ => defaults.Statistic,
        };
        var zeros = new Option<string>("--zeros")
        {
            Description = "Whether tokens out of sight stay in as zeros.",
            DefaultValueFactory = _ => "in",
        };
        zeros.AcceptOnlyFromAmong("in", "out");
        var minimum = new Option<int>("--min-tokens")
        {
            Description = "Samples with fewer counted tokens are not scored.",
            DefaultValueFactory = _ => defaults.MinTokens,
        };
        var balance = new Option<string?>("--balance")
        {
            Description = "'domain': choose within each domain, so that the mixture stays.",
        };
        balance.AcceptOnlyFromAmong("domain");
        var output = new Option<string>("--out") { Description = "Folder to write.", Required = true };
        var command = new Verb(
            "select",
            "Choose the samples of stage 1 by a teacher's scores.",
            ["saltern select --scores teach/core --share 0.3 --k 100 --out select/core"]
        )
        {
            scores,
            data,
            share,
            count,
            k,
            statistic,
            zeros,
            minimum,
            balance,
            output,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    var rule = new SelectionRule
                    {
                        Share = parsed.GetValue(share),
                        Count = parsed.GetValue(count),
                        BalanceDomains = parsed.GetValue(balance) is not null,
                        Score = new ScoreRule
                        {
                            K = parsed.GetValue(k),
                            Statistic = parsed.GetValue(statistic),
                            Zeros = parsed.GetValue(zeros) == "in",
                            MinTokens = parsed.GetValue(minimum),
                        },
                    };
                    EngineSetup.Prepare();
                    string target = parsed.GetRequiredValue(output);
                    SelectionReport report = SelectionRun.Report(
                        parsed.GetRequiredValue(scores),
                        parsed.GetValue(data),
                        rule,
                        target
                    );
                    console.Lines.Write(SelectionReportWriter.Text(report));
                    console.Line($"report: {Path.Combine(target, SelectionRun.ReportFile)}");
                    console.Next($"a student's recipe with selection.path: {target}");
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }
}
