using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Numerics;
using Saltern.Planning;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern bench RECIPE</c>: what this machine gives a recipe.</summary>
public static class BenchCommand
{
    private static readonly JsonSerializerOptions JsonFormat = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>Measures what the ranks of a launcher say to each other, instead of a recipe's steps; the only form that runs under one.</summary>
    public const string RanksOption = "--ranks";

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var recipe = CommonOptions.Recipe(
            "RECIPE",
            "YAML recipe, or the name of one that ships; its data set and teacher must be there."
        );
        recipe.Arity = ArgumentArity.ZeroOrOne;
        var ranks = new Option<bool>(RanksOption)
        {
            Description =
                "Under mpirun, without a recipe: time the collectives of the ranks and fit latency and bandwidth for 'plan --cluster'.",
        };
        Option<string[]> set = CommonOptions.Set<RunConfig>("threads=1");
        var seconds = new Option<double>("--seconds")
        {
            Description = "Time for the steps.",
            DefaultValueFactory = _ => 40,
        };
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "bench",
            "Time a recipe's steps on this machine and show where the time goes. Writes nothing.",
            ["saltern bench recipes/core-salt.yaml --seconds 20", "mpirun -np 2 saltern bench --ranks"]
        )
        {
            recipe,
            set,
            seconds,
            ranks,
            json,
        };
        command.SetAction(parsed =>
            parsed.GetValue(ranks)
                ? RankProcess.Run((process, console, _) => Collectives(process, console))
                : CommandRunner.Run(
                    parsed.GetValue(json),
                    (console, cancellation) =>
                    {
                        if (parsed.GetValue(seconds) is not (> 0 and < 86_400) and var wrong)
                        {
                            throw new ConfigurationException(
                                $"--seconds {wrong} is not a time between 0 and 86,400 seconds."
                            );
                        }

                        RunConfig config = RecipeReader.Read<RunConfig>(
                            ShippedRecipe.Find(
                                parsed.GetValue(recipe)
                                    ?? throw new ConfigurationException(
                                        $"Name a recipe to time, or start 'bench {RanksOption}' under mpirun."
                                    )
                            ),
                            [.. parsed.GetValue(set)!]
                        );
                        EngineSetup engine = EngineSetup.Prepare();
                        console.Line("runtime: " + engine.Description);
                        BenchmarkResult result = RecipeBenchmark.Run(
                            config,
                            engine.Threads,
                            TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                            text => console.Line("measuring " + text),
                            cancellation
                        );
                        if (console.IsJson)
                        {
                            Output.Json(JsonSerializer.Serialize(result, JsonFormat));
                        }
                        else
                        {
                            Print(console, result, config);
                        }

                        return ExitCode.Done;
                    }
                )
        );
        return command;
    }

    private static int Collectives(RankProcess process, Output console)
    {
        if (process.Ranks.Size < 2)
        {
            throw new ConfigurationException(
                $"'bench {RanksOption}' times several processes: start it as 'mpirun -np N saltern bench {RanksOption}'."
            );
        }

        NetworkAlgorithm algorithm =
            RankProcess.Launch.Kind == Distributed.LauncherKind.OpenMpi
                ? NetworkAlgorithm.Ring
                : NetworkAlgorithm.Halving;
        console.Line("ranks: " + process.Description);
        CollectiveBenchmark result = CollectiveBenchmark.Run(process.Ranks, algorithm);
        console.Line(Text($"{"all-reduce, bytes", 20}{"median", 14}{"fastest", 14}{"model", 14}"));
        foreach (CollectiveTime time in result.AllReduce)
        {
            console.Line(
                Text(
                    $"{time.Bytes, 20:#,0}{1e6 * time.Seconds, 11:0.0} us{1e6 * time.Fastest, 11:0.0} us{1e6 * time.Model, 11:0.0} us"
                )
            );
        }

        console.Line(Text($"a small call takes {1e6 * result.SmallCallSeconds:0.0} us"));
        console.Line("for a file of 'saltern plan --cluster':");
        console.Line(Text($"ranks: {result.Ranks}"));
        console.Line(Text($"network_gbit: {result.Network.BytesPerSecond * 8e-9:0.###}"));
        console.Line(Text($"network_latency_us: {1e6 * result.Network.LatencySeconds:0.##}"));
        console.Line($"network_algorithm: {(algorithm == NetworkAlgorithm.Ring ? "ring" : "halving")}");
        return ExitCode.Done;
    }

    private static void Print(Output console, BenchmarkResult result, RunConfig config)
    {
        BenchmarkPhase[] phases = result.Distilling is null ? [result.Plain] : [result.Plain, result.Distilling];
        console.Line(
            Text(
                $"{result.Name}: {result.Machine.Processor}, {result.Machine.Threads} of {result.Machine.Cores} threads; matrix products reach {result.Machine.MatmulPeakGflops:0} GFLOP/s ({result.Machine.Products})"
            )
        );
        Row(console, "", phases.Select((_, i) => i == 0 ? "plain" : "distilling"));
        Row(console, "step, median", phases.Select(phase => Text($"{1e3 * phase.StepSeconds:0.0} ms")));
        Row(console, "tokens/s", phases.Select(phase => Text($"{phase.TokensPerSecond:0}")));
        Row(console, "share of the peak", phases.Select(phase => Text($"{phase.ShareOfPeak:0.00}")));
        Row(
            console,
            config.Device == ComputeDevice.Cpu ? "peak memory" : "peak memory beside the GPU's",
            phases.Select(phase => phase.PeakMemoryBytes is long bytes ? Text($"{bytes / 1048576.0:0} MiB") : "-")
        );
        if (config.Device == ComputeDevice.Cpu)
        {
            // A GPU works on while the processor goes ahead: the parts that the processor sees would say nothing.
            console.Line("where a step's time goes (mean):");
            foreach (StepPart part in Enum.GetValues<StepPart>())
            {
                Row(console, "  " + Name(part), phases.Select(phase => Share(phase, phase.Parts[part])));
            }

            Row(console, "  everything else", phases.Select(phase => Share(phase, phase.OtherSeconds)));
        }

        if (result.DistillingRatio is double ratio)
        {
            console.Line(
                Text(
                    $"a distilling step takes {ratio:0.000} plain steps; the teacher's operations are {result.TeacherFlopsShare:0.000} of the student's"
                )
            );
        }

        console.Line(
            Text(
                $"an evaluation takes {result.EvaluationSeconds:0.0} s: {100 * result.EvaluationShare:0.0} % of the steps' time every {config.Training.EvaluateEvery} steps"
            )
        );
        if (result.LoadedShare > 0.05)
        {
            console.Line(
                Text(
                    $"Other programs took more than a tenth of the used cores in {100 * result.LoadedShare:0} % of the time: measure again on a quiet machine."
                )
            );
        }
    }

    private static string Share(BenchmarkPhase phase, double seconds)
    {
        double all = phase.Parts.Values.Sum() + phase.OtherSeconds;
        return Text($"{1e3 * seconds:0.0} ms {100 * seconds / all, 3:0} %");
    }

    private static string Name(StepPart part) =>
        part switch
        {
            StepPart.Batch => "waiting for the batch",
            StepPart.LayerProducts => "products of the layers",
            StepPart.Attention => "attention",
            StepPart.ElementWise => "norms, SwiGLU, embedding",
            StepPart.HeadProducts => "products of the output heads",
            StepPart.Loss => "softmax and losses",
            StepPart.Teacher => "the teacher's layers",
            _ => "optimizer",
        };

    private static void Row(Output console, string name, IEnumerable<string> values) =>
        console.Line($"{name, -32}{string.Concat(values.Select(value => value.PadLeft(20)))}".TrimEnd());

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
