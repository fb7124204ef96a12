using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Hosting;
using Saltern.Numerics;
using Saltern.Planning;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern bench RECIPE</c>: what this machine gives a recipe.</summary>
public static class BenchCommand
{
    private static readonly string[] Phases = ["plain", "distilling"];

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
                "Under mpirun, without a recipe: time the collectives of the ranks "
                + "and fit latency and bandwidth for 'plan --cluster'.",
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
        {
            if (parsed.GetValue(ranks))
            {
                return RankProcess.Run((process, console, _) => Collectives(process, console));
            }

            return CommandRunner.Run(
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
                        [.. parsed.GetRequiredValue(set)]
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
                        console.Next(
                            $"saltern plan {parsed.GetValue(recipe)} for memory and cost, saltern train {parsed.GetValue(recipe)}"
                        );
                    }

                    return ExitCode.Done;
                }
            );
        });
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
        console.Line(Collective("all-reduce, bytes", "median", "fastest", "model"));
        foreach (CollectiveTime time in result.AllReduce)
        {
            console.Line(
                Collective(
                    Text($"{time.Bytes:#,0}"),
                    Microseconds(time.Seconds),
                    Microseconds(time.Fastest),
                    Microseconds(time.Model)
                )
            );
        }

        console.Line(Text($"a small call takes {1e6 * result.SmallCallSeconds:0.0} us"));
        if (result.Disturbed)
        {
            console.Line(
                "Small calls took longer than a large one allows: something else kept the ranks busy. "
                    + "The model is fitted to the fastest calls; measure again on machines that do nothing else."
            );
        }

        console.Line("for a file of 'saltern plan --cluster':");
        console.Line(Text($"ranks: {result.Ranks}"));
        console.Line(Text($"network_gbit: {result.Network.BytesPerSecond * 8e-9:0.###}"));
        console.Line(Text($"network_latency_us: {1e6 * result.Network.LatencySeconds:0.##}"));
        console.Line($"network_algorithm: {algorithm.ToString().ToLowerInvariant()}");
        return ExitCode.Done;
    }

    private static string Collective(string bytes, params ReadOnlySpan<string> times)
    {
        var row = new StringBuilder(Column.Right(bytes, 20));
        foreach (string time in times)
        {
            row.Append(Column.Right(time, 14));
        }

        return row.ToString();
    }

    private static string Microseconds(double seconds) => Text($"{1e6 * seconds:0.0} us");

    private static void Print(Output console, BenchmarkResult result, RunConfig config)
    {
        RunMachine machine = result.Machine;
        BenchmarkPhase[] phases = result.Distilling is null ? [result.Plain] : [result.Plain, result.Distilling];
        console.Line(
            Text($"{result.Name}: {machine.Processor}, {machine.Threads} of {machine.Cores} threads; ")
                + Text(
                    $"matrix products reach {machine.MatmulPeakGflops:0} GFLOP/s in {machine.Precision} ({machine.Products})"
                )
        );
        if (result.PeaksGflops.Count > 1)
        {
            IEnumerable<string> peaks = result.PeaksGflops.Select(peak => Text($"{peak.Value:0} in {peak.Key}"));
            console.Line(
                $"products here: {string.Join(", ", peaks)} GFLOP/s; the share of the peak is of the type in use"
            );
        }

        Row(console, "", Phases.Take(phases.Length));
        Row(console, "step, median", phases.Select(phase => Text($"{1e3 * phase.StepSeconds:0.0} ms")));
        Row(console, "tokens/s", phases.Select(phase => Text($"{phase.TokensPerSecond:0}")));
        Row(console, "share of the peak", phases.Select(phase => Text($"{phase.ShareOfPeak:0.00}")));
        bool onCpu = config.Device == ComputeDevice.Cpu;
        Row(console, onCpu ? "peak memory" : "peak memory beside the GPU's", phases.Select(PeakMemory));
        if (onCpu)
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
                Text($"a distilling step takes {ratio:0.000} plain steps; ")
                    + Text($"the teacher's operations are {result.TeacherFlopsShare:0.000} of the student's")
            );
        }

        foreach (BenchmarkStage stage in result.SmallStages)
        {
            double share = stage.Phase.StepSeconds / result.Plain.StepSeconds;
            console.Line(
                Text($"the {stage.Steps} steps with {stage.Layers} layers of {stage.HiddenSize} take ")
                    + Text($"{1e3 * stage.Phase.StepSeconds:0.0} ms each, {share:0.000} of the whole model's")
            );
        }

        console.Line(
            Text($"an evaluation takes {result.EvaluationSeconds:0.0} s: {100 * result.EvaluationShare:0.0} % ")
                + Text($"of the steps' time every {config.Training.EvaluateEvery} steps")
        );
        if (result.LoadedShare > 0.05)
        {
            console.Line(
                Text($"Other programs took more than a tenth of the used cores in {100 * result.LoadedShare:0} % ")
                    + "of the time: measure again on a quiet machine."
            );
        }
    }

    private static string PeakMemory(BenchmarkPhase phase)
    {
        if (phase.PeakMemoryBytes is long bytes)
        {
            return Text($"{bytes / 1048576.0:0} MiB");
        }

        return "-";
    }

    private static string Share(BenchmarkPhase phase, double seconds)
    {
        double all = phase.Parts.Values.Sum() + phase.OtherSeconds;
        return Text($"{1e3 * seconds:0.0} ms {Column.Right(100 * seconds / all, 3, "0")} %");
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
        console.Line(
            (Column.Left(name, 32) + string.Concat(values.Select(value => Column.Right(value, 20)))).TrimEnd()
        );

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
