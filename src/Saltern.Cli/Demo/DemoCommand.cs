using System.CommandLine;
using Saltern.Cli.Commands;
using Saltern.Cli.Terminal;
using Saltern.Hosting;
using Saltern.Numerics;
using Saltern.Runs;

namespace Saltern.Cli.Demo;

/// <summary><c>saltern demo</c>: the whole road in minutes, with nothing to prepare.</summary>
public static class DemoCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var minutes = new Option<double>("--minutes")
        {
            Description = "Minutes it is planned for, by a short measurement of this machine; decides sizes and steps.",
            DefaultValueFactory = _ => 5,
        };
        var steps = new Option<int?>("--steps")
        {
            Description = "Steps of each student instead, to repeat a demonstration exactly; nothing is measured then.",
        };
        var text = new Option<string[]>("--text")
        {
            Description = "Your own text: files, folders or globs; the .NET reference documentation by default.",
            DefaultValueFactory = _ => [],
            AllowMultipleArgumentsPerToken = true,
        };
        var seed = new Option<int>("--seed")
        {
            Description = "Decides initial weights and order of samples.",
            DefaultValueFactory = _ => 1,
        };
        var output = new Option<string?>("--out")
        {
            Description = "Folder for everything that is made; runs/demo, or the next free runs/demo-N, by default.",
        };
        var precision = new Option<ComputePrecision>("--precision")
        {
            Description =
                "Type of the products: auto takes the faster one here; fp32 gives the same numbers on every processor.",
            DefaultValueFactory = _ => ComputePrecision.Auto,
        };
        var verbose = new Option<bool>("--verbose")
        {
            Description = "Also say what was set and measured: runtime, threads, memory, peaks.",
        };
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "demo",
            "Train a small model, then a large one alone, with its help, and grown out of a smaller one, side by side, "
                + "and say what that saved.",
            ["saltern demo", "saltern demo --minutes 10 --text notes/ --out runs/notes"]
        )
        {
            minutes,
            steps,
            text,
            seed,
            precision,
            output,
            verbose,
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, cancellation) =>
                {
                    DemoPlan plan = DemoPlan.ForMinutes(parsed.GetValue(minutes));
                    if (parsed.GetValue(steps) is int wanted)
                    {
                        if (wanted is < 20 or > 1_000_000)
                        {
                            throw new ConfigurationException($"--steps = {wanted} is outside [20, 1000000].");
                        }

                        plan = plan with { Steps = wanted };
                    }

                    using DemoFolder folder = parsed.GetValue(output) is string named
                        ? DemoFolder.Claim(named)
                        : DemoFolder.NextFree(Path.Combine("runs", "demo"));
                    EngineSetup engine = EngineSetup.Prepare();
                    ComputePlan compute = ComputePlan.Of(ComputeDevice.Cpu, parsed.GetValue(precision));
                    var options = new DemoOptions
                    {
                        Folder = folder.Path,
                        TextPaths = parsed.GetRequiredValue(text),
                        Seed = parsed.GetValue(seed),
                        Minutes = parsed.GetValue(steps) is null ? parsed.GetValue(minutes) : null,
                        Verbose = parsed.GetValue(verbose),
                    };
                    return new DemoRun(console, plan with { Precision = compute.Precision }, options, engine).Run(
                        compute,
                        cancellation
                    );
                }
            )
        );
        return command;
    }
}
