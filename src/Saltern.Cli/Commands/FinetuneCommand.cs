using System.CommandLine;
using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Hosting;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern finetune RECIPE</c>: supervised fine-tuning on examples, with tasks before and after.</summary>
public static class FinetuneCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var recipe = CommonOptions.Recipe(
            "RECIPE",
            "YAML recipe, or the name of one that ships (saltern recipe list)."
        );
        var output = new Option<string?>("--out") { Description = "Run folder; runs/<name> by default." };
        Option<string[]> set = CommonOptions.Set<FineTuneConfig>("init_from=runs/core-salt");
        var resume = new Option<bool>("--resume")
        {
            Description = "Go on from the newest whole checkpoint of the run folder.",
        };
        var command = new Verb(
            "finetune",
            "Fine-tune a model on prompt/response or chat records.",
            [
                "saltern finetune recipes/finetune-arithmetic.yaml --set init_from=runs/core-salt data.path=examples.jsonl",
            ]
        )
        {
            recipe,
            output,
            set,
            resume,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, cancellation) =>
                {
                    string[] overrides = parsed.GetRequiredValue(set);
                    FineTuneConfig config = RecipeReader.Read<FineTuneConfig>(
                        ShippedRecipe.Find(parsed.GetRequiredValue(recipe)),
                        overrides
                    );
                    string folder = parsed.GetValue(output) ?? Path.Combine("runs", config.Name);
                    return Run(
                        console,
                        config,
                        folder,
                        parsed.GetValue(resume),
                        [.. overrides.Select(RecipeOverride.Parse)],
                        cancellation
                    );
                }
            )
        );
        return command;
    }

    private static int Run(
        Output console,
        FineTuneConfig config,
        string folder,
        bool resume,
        IReadOnlyList<RecipeOverride> overrides,
        CancellationToken cancellation
    )
    {
        EngineSetup engine = EngineSetup.Prepare();
        using MetricsExport? export = MetricsExport.Start(console);
        using var status = new StatusLine(console);
        var progress = new TrainingProgress(status);
        var options = new TrainingRunOptions
        {
            DefaultThreads = engine.Threads,
            Resume = resume,
            Overrides = overrides,
            Log = status.Keep,
            MatmulPeak = EngineSetup.KnownPeak,
            Sinks = [progress],
            OnStep = progress.Step,
        };
        using FineTuneRun run = FineTuneRun.Open(config, folder, options);
        StandardStreams.KeepIn(run.Training.Folder);
        console.Line("runtime: " + engine.Computing);
        foreach (string line in run.Description())
        {
            console.Line(line);
        }

        progress.Start(run.Training.Config.Training.Steps);
        if (run.Continue(cancellation) == RunStatus.Interrupted)
        {
            status.Keep(
                $"Interrupted after step {run.Training.State.Step}; the checkpoint is written. Go on with --resume."
            );
            return ExitCode.Interrupted;
        }

        RunResult result = run.Finish(cancellation);
        status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {result.Steps} steps, {result.Seconds:0} s in steps; "
                    + $"best after step {result.BestStep}, validation loss {result.BestLoss:0.0000} "
                    + $"nats per token of the responses: {Path.Combine(folder, result.FineTuning!.Checkpoint)}"
            )
        );
        TaskTable.PrintChanges(console, result.FineTuning.Tasks);
        console.Next($"saltern report {folder}, saltern generate {Path.Combine(folder, result.FineTuning.Checkpoint)}");
        return ExitCode.Done;
    }
}
