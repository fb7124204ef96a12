using System.CommandLine;
using Saltern.Cli.Commands;
using Saltern.Cli.Terminal;
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
            Description = "Minutes it is planned for on two quiet cores; decides sizes and steps.",
            DefaultValueFactory = _ => 5,
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
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "demo",
            "Train a teacher, then a student with and without it side by side, and say what it saved.",
            ["saltern demo", "saltern demo --minutes 10 --text notes/ --out runs/notes"]
        )
        {
            minutes,
            text,
            seed,
            precision,
            output,
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, cancellation) =>
                {
                    DemoPlan.Check(parsed.GetValue(minutes));
                    using DemoFolder folder = parsed.GetValue(output) is string named
                        ? DemoFolder.Claim(named)
                        : DemoFolder.NextFree(Path.Combine("runs", "demo"));
                    EngineSetup engine = EngineSetup.Prepare();
                    console.Line("runtime: " + engine.Description);
                    ComputePlan compute = ComputePlan.Of(ComputeDevice.Cpu, parsed.GetValue(precision));
                    var plan = DemoPlan.ForMinutes(parsed.GetValue(minutes), compute.Precision);
                    return new DemoRun(console, plan, engine.Threads, folder.Path, parsed.GetValue(seed)).Run(
                        compute,
                        parsed.GetRequiredValue(text),
                        cancellation
                    );
                }
            )
        );
        return command;
    }
}
