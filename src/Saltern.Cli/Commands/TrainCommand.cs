using System.CommandLine;
using System.Globalization;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Files;
using Saltern.Hosting;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern train RECIPE</c>: one run, of whatever arm its recipe says.</summary>
public static class TrainCommand
{
    /// <summary>The verb's name.</summary>
    public const string Name = "train";

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var recipe = CommonOptions.Recipe(
            "RECIPE",
            "YAML recipe, or the name of one that ships (saltern recipe list); none with --size."
        );
        recipe.Arity = ArgumentArity.ZeroOrOne;
        var dial = new DialOptions();
        var output = new Option<string?>("--out") { Description = "Run folder; runs/<name> by default." };
        Option<string[]> set = CommonOptions.Set<RunConfig>();
        var resume = new Option<bool>("--resume")
        {
            Description = "Go on from the newest whole checkpoint of the run folder.",
        };
        var until = new Option<int?>("--until")
        {
            Description =
                "Stop after this step, with a checkpoint, as if interrupted: a trunk to branch from or to go on with.",
        };
        var device = new Option<string?>("--device") { Description = "Where to compute." };
        device.AcceptOnlyFromAmong("cpu", "cuda");
        Option<bool> verify = CommonOptions.Verify();
        var command = new Verb(
            Name,
            "Train one model by a recipe.",
            [
                "saltern train recipes/core-salt.yaml --set data.path=data/core training.steps=500",
                "saltern train recipes/core-salt.yaml --resume",
                "saltern train --size 7m --data data/core --minutes 60",
            ]
        )
        {
            recipe,
            output,
            set,
            resume,
            until,
            device,
            verify,
        };
        foreach (Option option in dial.All)
        {
            command.Add(option);
        }

        command.SetAction(parsed =>
            RankProcess.Run(
                (rank, console, cancellation) =>
                {
                    List<string> overrides = [.. parsed.GetRequiredValue(set)];
                    if (parsed.GetValue(device) is string chosen)
                    {
                        overrides.Add("device=" + chosen);
                    }

                    string? folder = parsed.GetValue(output);
                    string path;
                    if (dial.Any(parsed))
                    {
                        if (parsed.GetValue(recipe) is string both)
                        {
                            throw new ConfigurationException(
                                $"{both} and --size: a recipe says its size itself. Give one of them."
                            );
                        }

                        folder ??= Path.Combine("runs", dial.Name(parsed));
                        path = MadeRecipe(dial, parsed, folder, parsed.GetValue(resume), rank, console, cancellation);
                    }
                    else
                    {
                        path = ShippedRecipe.Find(
                            parsed.GetValue(recipe)
                                ?? throw new ConfigurationException(
                                    "Name a recipe (saltern recipe list), or say what to train by --size and --data."
                                )
                        );
                    }

                    RunConfig config = RecipeReader.Read<RunConfig>(path, overrides);
                    folder ??= Path.Combine("runs", config.Name);
                    var options = new TrainingRunOptions
                    {
                        Resume = parsed.GetValue(resume),
                        VerifyData = parsed.GetValue(verify),
                        // On resume these keys may differ from the recipe that the run folder keeps.
                        Overrides = [.. overrides.Select(RecipeOverride.Parse)],
                    };
                    int last = parsed.GetValue(until) ?? config.Training.Steps;
                    if (last < 1 || last > config.Training.Steps)
                    {
                        throw new ConfigurationException(
                            $"--until = {last} is no step of a run of {config.Training.Steps}. Give one from 1 to {config.Training.Steps}."
                        );
                    }

                    return Run(rank, console, config, folder, options, last, cancellation);
                }
            )
        );
        return command;
    }

    // The recipe that --size and the rest mean, as a file beside the run folder: to read, to change, and to resume with.
    private static string MadeRecipe(
        DialOptions dial,
        ParseResult parsed,
        string folder,
        bool resume,
        RankProcess rank,
        Output console,
        CancellationToken cancellation
    )
    {
        string path = Path.TrimEndingDirectorySeparator(folder) + ".yaml";
        if (resume)
        {
            if (!File.Exists(path))
            {
                throw new ConfigurationException(
                    $"--resume: {path}, the recipe that --size made, is not there. Give the recipe of {folder} by its file."
                );
            }

            console.Line($"recipe: {path}, as it was made");
            return path;
        }

        if (rank.Ranks.Size > 1)
        {
            throw new ConfigurationException(
                "Several ranks read one recipe: make it first by 'saltern recipe make … --out FILE', and train that."
            );
        }

        if (File.Exists(path))
        {
            throw new ConfigurationException(
                $"{path} is there already, from an earlier --size. Go on with it by --resume, train it by its name, or "
                    + "choose another --out."
            );
        }

        string recipe = dial.Recipe(parsed, console, cancellation);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        WholeFile.WriteText(path, recipe);
        console.Line($"recipe: {path}");
        return path;
    }

    private static int Run(
        RankProcess rank,
        Output console,
        RunConfig config,
        string folder,
        TrainingRunOptions asked,
        int until,
        CancellationToken cancellation
    )
    {
        bool overGpus = rank.Ranks.Size > 1 && config.Device == ComputeDevice.Cuda;
        using NcclCommunicator? devices = overGpus ? rank.StartNccl() : null;
        EngineSetup engine = EngineSetup.Prepare(rank.Cores, rank.Ranks);
        using MetricsExport? export = rank.Ranks.Rank == 0 ? MetricsExport.Start(console) : null;
        using var status = new StatusLine(console);
        var progress = new TrainingProgress(status);
        TrainingRunOptions options = asked with
        {
            DefaultThreads = engine.Threads,
            Log = status.Keep,
            Loading = WeightsLine.On(status, "loading"),
            MatmulPeak = EngineSetup.KnownPeak,
            Sinks = [progress],
            OnStep = progress.Step,
            Ranks = devices ?? rank.Ranks,
        };
        using TrainingRun run = TrainingRun.Open(config, folder, options);
        StandardStreams.KeepIn(run.Folder);
        console.Line("runtime: " + engine.Computing);
        if (rank.Description is string ranks)
        {
            console.Line("ranks: " + ranks + (devices is null ? "" : "; " + devices.Description));
        }

        if (rank.Cores?.Remark is string remark)
        {
            console.Line(remark);
        }

        foreach (string line in run.Description())
        {
            console.Line(line);
        }

        progress.Start(config.Training.Steps);
        if (run.Continue(until, cancellation) == RunStatus.Interrupted)
        {
            status.Keep($"Interrupted after step {run.State.Step}; the checkpoint is written. Go on with --resume.");
            return ExitCode.Interrupted;
        }

        if (run.Step < config.Training.Steps)
        {
            run.Leave();
            status.Keep(
                $"Stopped after step {run.Step}, as --until says; the checkpoint is written. Go on with --resume."
            );
            return ExitCode.Done;
        }

        if (!run.Leads)
        {
            run.Assist();
            return ExitCode.Done;
        }

        RunResult result = run.Finish();
        status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {result.Steps} steps, {result.Seconds:0} s in steps, "
                    + $"final loss {result.Final!.Loss:0.0000} nats per token, "
                    + $"{result.Final.BitsPerByte:0.0000} bits per byte, accuracy {result.Final.Accuracy:0.0000}"
            )
        );
        // A run without a small model is what others are held against.
        bool isPlain = config.Teacher is null && config.Growth is null or [];
        string compared = isPlain ? $"{folder} RUN" : $"BASELINE {folder}";
        status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"apart from the steps: evaluation {run.State.EvaluationSeconds:0.0} s, "
                    + $"checkpoints {run.State.CheckpointSeconds:0.0} s, logging {run.State.LoggingSeconds:0.00} s"
            )
        );
        console.Next(
            $"saltern report {folder}, saltern generate {folder}, saltern compare {compared} for what was saved"
        );
        return ExitCode.Done;
    }
}
