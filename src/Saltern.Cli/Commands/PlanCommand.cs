using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Saltern.Batches;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Hosting;
using Saltern.Planning;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern plan RECIPE</c>: what a run will need and cost, before anything is trained.</summary>
public static class PlanCommand
{
    private static readonly JsonSerializerOptions JsonFormat = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var recipe = CommonOptions.Recipe(
            "RECIPE",
            "YAML recipe, or the name of one that ships; data set and teacher need not exist yet."
        );
        Option<string[]> set = CommonOptions.Set<RunConfig>("training.steps=500");
        var cluster = new Option<string?>("--cluster")
        {
            Description =
                "YAML file that describes a machine: peak, memory, network, power, prices. "
                + "Without it the recipe's steps are timed here.",
        };
        var seconds = new Option<double>("--seconds")
        {
            Description = "Time for measuring steps here; 0 leaves time out.",
            DefaultValueFactory = _ => 60,
        };
        var share = new Option<double>("--steps-share")
        {
            Description =
                "Share of BASELINE's steps after which SALT is assumed to reach its quality; 0.8 was measured here, the paper's is 0.7.",
            DefaultValueFactory = _ => 0.8,
        };
        var students = new Option<int>("--students-served")
        {
            Description = "K: students that share the teacher's cost.",
            DefaultValueFactory = _ => 1,
        };
        var teacher = new Option<string?>("--teacher")
        {
            Description = "Shape (preset) of a teacher that does not exist yet.",
        };
        var teacherSteps = new Option<int?>("--teacher-steps")
        {
            Description = "Steps of the teacher's own training; as many as the run's by default.",
        };
        var smallLayers = new Option<int?>("--small-layers")
        {
            Description =
                "Layers of the small model that GROWN is reckoned with; the recipe's growth by default, "
                + "else half or a quarter of the student's.",
        };
        var smallShare = new Option<double?>("--small-share")
        {
            Description = "Share of the steps with it; the recipe's growth by default, else 0.5.",
        };
        var budget = new Option<double?>("--budget")
        {
            Description = "FLOPs that there are: says how many steps of each way they pay for.",
        };
        Option<long?> teacherTokens = CommonOptions.TeacherTokens();
        var scaling = new Option<bool>("--scaling")
        {
            Description = "With --cluster: also the step on 1, 2, 4, … 1,024 of its ranks at 10, 100 and 400 Gbit/s.",
        };
        var memory = new Option<string?>("--memory")
        {
            Description = "Memory of a process, e.g. 24GiB: says the cheapest settings with which the run fits.",
        };
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "plan",
            "Say what a run will need and cost: memory, time, FLOPs, energy, money.",
            [
                "saltern plan core-salt --set data.path=data/core",
                "saltern plan paper-1.5b-2.8b --teacher paper-1.5b --seconds 0 --memory 24GiB",
                "saltern plan paper-1.5b-2.8b --teacher paper-1.5b --cluster machine.yaml --scaling",
            ]
        )
        {
            recipe,
            set,
            cluster,
            seconds,
            share,
            students,
            teacher,
            teacherSteps,
            teacherTokens,
            smallLayers,
            smallShare,
            budget,
            scaling,
            memory,
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, cancellation) =>
                {
                    (double steps, int served) = (parsed.GetValue(share), parsed.GetValue(students));
                    if (steps is not (> 0 and <= 1) || served < 1 || !(parsed.GetValue(seconds) >= 0))
                    {
                        throw new ConfigurationException(
                            $"--steps-share = {steps} must be in (0, 1], "
                                + $"--students-served = {served} at least 1, "
                                + $"--seconds = {parsed.GetValue(seconds)} at least 0."
                        );
                    }

                    CommonOptions.CheckTeacherTokens(parsed.GetValue(teacherTokens));
                    if (
                        parsed.GetValue(smallShare) is not (null or (> 0 and < 1))
                        || parsed.GetValue(budget) is not (null or > 0)
                    )
                    {
                        throw new ConfigurationException(
                            $"--small-share = {parsed.GetValue(smallShare)} must be in (0, 1), "
                                + $"--budget = {parsed.GetValue(budget)} above 0."
                        );
                    }

                    RunConfig config = RecipeReader.Read<RunConfig>(
                        ShippedRecipe.Find(parsed.GetRequiredValue(recipe)),
                        parsed.GetRequiredValue(set)
                    );
                    ClusterConfig? machine = parsed.GetValue(cluster) is string file
                        ? RecipeReader.Read<ClusterConfig>(file, [])
                        : null;
                    RunPlan plan = RunPlan.Of(
                        config,
                        parsed.GetValue(teacher),
                        TeacherSteps(config, parsed.GetValue(teacherSteps), parsed.GetValue(teacherTokens)),
                        machine?.Ranks ?? 1,
                        parsed.GetValue(memory) is string limit ? MemoryFit.ReadBytes(limit) : null
                    );
                    WaysPlan ways = WaysPlan.Of(
                        config,
                        plan.Student,
                        plan.Teacher,
                        plan.TeacherSteps,
                        steps,
                        served,
                        WaysPlan.StagesFor(
                            config,
                            plan.Student,
                            parsed.GetValue(smallLayers),
                            parsed.GetValue(smallShare)
                        )
                    );
                    IReadOnlyList<ScalingPoint>? points = null;
                    if (parsed.GetValue(scaling))
                    {
                        points = Scaling(config, plan, machine);
                    }

                    plan = plan with
                    {
                        Time = Time(console, config, plan, machine, parsed.GetValue(seconds), cancellation),
                    };
                    if (console.IsJson)
                    {
                        Output.Json(
                            JsonSerializer.Serialize(
                                new
                                {
                                    Plan = plan,
                                    Scaling = points,
                                    Ratios = Ratios(plan.Cost, steps, served),
                                    Ways = ways,
                                    Budget = WaysTable.BaselineSteps(plan, ways, parsed.GetValue(budget)),
                                },
                                JsonFormat
                            )
                        );
                    }
                    else
                    {
                        Print(console, plan, steps, served);
                        WaysTable.Print(console, plan, ways, parsed.GetValue(budget));
                        PrintScaling(console, points);
                        console.Next($"saltern train {parsed.GetValue(recipe)}");
                    }

                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static IReadOnlyList<ScalingPoint> Scaling(RunConfig config, RunPlan plan, ClusterConfig? machine)
    {
        if (machine is null)
        {
            throw new ConfigurationException("--scaling reckons with a described machine: give one by --cluster FILE.");
        }

        return ScalingPlan.Of(plan.Cost, plan.StudentParameters, config.Training.BatchSequences, machine);
    }

    private static CostRatios? Ratios(CostPlan cost, double share, int students)
    {
        if (cost.TeacherTraining is null || cost.TaughtSteps == 0)
        {
            return null;
        }

        return new CostRatios(
            share,
            cost.FreeRatio(share),
            cost.ChargedRatio(share, students),
            cost.FreeBreakEven,
            cost.StudentsToBreakEven(share)
        );
    }

    private static TimePlan? Time(
        Output console,
        RunConfig config,
        RunPlan plan,
        ClusterConfig? machine,
        double seconds,
        CancellationToken cancellation
    )
    {
        if (machine is not null)
        {
            return TimePlan.Described(
                plan.Cost,
                plan.Memory,
                plan.StudentParameters,
                config.Training.BatchSequences,
                machine
            );
        }

        bool inputsAreThere =
            Directory.Exists(config.Data.Path)
            && (
                GuidanceKinds.Active(config) is null || Directory.Exists(config.Teacher?.Path ?? config.Teacher?.Cache)
            );
        if (seconds == 0 || !inputsAreThere)
        {
            console.Line(NotTimed(config, seconds));
            return null;
        }

        EngineSetup engine = EngineSetup.Prepare();
        BenchmarkResult measured = RecipeBenchmark.Run(
            config,
            engine.Threads,
            TimeSpan.FromSeconds(seconds),
            text => console.Line("measuring " + text),
            cancellation
        );
        return TimePlan.Measured(config, plan.Cost, plan.Memory, measured, prices: null);
    }

    private static string NotTimed(RunConfig config, double seconds)
    {
        if (seconds == 0)
        {
            return "Time is left out (--seconds 0).";
        }

        string teacher = config.Teacher?.Path is string path ? ", " + path : "";
        return $"Data set or teacher are not there yet ({config.Data.Path}{teacher}), so steps cannot be timed here. "
            + "Describe a machine by --cluster.";
    }

    private static void Print(Output console, RunPlan plan, double share, int students)
    {
        CostPlan cost = plan.Cost;
        string teacher = plan.TeacherParameters is long parameters ? $", teacher {Millions(parameters)}" : "";
        console.Line(
            $"{plan.Name}: student {Millions(plan.StudentParameters)}{teacher} parameters, "
                + Text($"{plan.Tokens / 1e6:#,0.0}M tokens in {cost.Steps:#,0} steps")
        );
        console.Line(
            Text($"arithmetic: student {cost.Student:0.00e0} FLOP{TeacherArithmetic(cost)}, ")
                + Text($"evaluation {cost.Evaluation:0.00e0} ")
                + Text($"({100 * cost.EvaluationShare:0.0} % of the student's steps along the run)")
        );
        if (plan.Packing is PackingCounts packing)
        {
            double positions = packing.Tokens + packing.Padding;
            console.Line(
                Text($"documents: packed best-fit into {packing.Sequences:#,0} sequences, ")
                    + Text(
                        $"{packing.Tokens / 1e6:#,0.0}M tokens an epoch and {100 * packing.Padding / positions:0.00} % padding; "
                    )
                    + Text($"{packing.Inside:#,0} begin inside a document; the run reads {plan.Epochs:0.00} epochs")
            );
        }

        if (cost.OptimizerStep > 0)
        {
            console.Line(
                Text(
                    $"optimizer: {cost.OptimizerStep:0.00e0} FLOP of products a step, counted with it, whatever the batch: "
                ) + Text($"{100 * cost.OptimizerStep / cost.StudentStep:0.0} % of a step's")
            );
        }

        foreach (StagePlan stage in cost.SmallStages)
        {
            if (stage.Parameters == plan.StudentParameters)
            {
                console.Line(
                    Text($"batch: {stage.Steps:#,0} steps of {stage.BatchSequences} sequences, ")
                        + Text($"{stage.StepFlops / cost.StudentStep:0.000} of a step's FLOPs each")
                );
                continue;
            }

            console.Line(
                Text($"growth: {stage.Steps:#,0} steps with {stage.Layers} layers of {stage.HiddenSize}, ")
                    + Text(
                        $"{Millions(stage.Parameters)} parameters, {stage.StepFlops / cost.StudentStep:0.000} of a step's FLOPs each"
                    )
            );
        }

        PrintSpace(console, plan);
        if (plan.Time is TimePlan time)
        {
            PrintTime(console, time);
        }

        if (cost.TeacherTraining is not null && cost.TaughtSteps > 0)
        {
            PrintRatios(console, cost, share, students);
        }
    }

    private static string TeacherArithmetic(CostPlan cost)
    {
        if (cost.TeacherTraining is null || cost.TaughtSteps == 0)
        {
            return "";
        }

        string most = cost.MayEndEarlier ? " at most" : "";
        return Text(
                $", teacher beside it {cost.TaughtSteps * cost.TeacherStep:0.00e0}{most} in {cost.TaughtSteps:#,0} steps"
            ) + Text($", its own training {cost.TeacherTraining:0.00e0}");
    }

    private static void PrintSpace(Output console, RunPlan plan)
    {
        string where = "one process";
        if (plan.Ranks > 1)
        {
            where = Text($"rank 0 of {plan.Ranks}; each of the others {Mebibytes(plan.Memory.BytesOfOtherRanks)}");
        }

        console.Line($"memory: {Mebibytes(plan.Memory.Bytes)} at most ({plan.Memory.Type} on the CPU, {where})");
        foreach (MemoryPart part in plan.Memory.Parts)
        {
            PrintPart(console, part);
        }

        if (plan.Fit is MemoryFit fit)
        {
            PrintFit(console, plan.Memory, fit);
        }

        string labels = plan.Disk.Cache > 0 ? $", soft labels {Mebibytes(plan.Disk.Cache)}" : "";
        console.Line(
            $"disk: checkpoints {Mebibytes(plan.Disk.Checkpoints)}, tokens {Mebibytes(plan.Disk.TokensRead)}{labels}"
        );
    }

    private static void PrintPart(Output console, MemoryPart part)
    {
        string detail = part.Detail.Length > 0 ? "   " + part.Detail : "";
        console.Line($"  {Column.Left(part.Name, 42)}{Column.Right(Mebibytes(part.Bytes), 14)}{detail}");
    }

    private static void PrintFit(Output console, MemoryPlan now, MemoryFit fit)
    {
        string limit = Mebibytes(fit.LimitBytes);
        if (now.Bytes <= fit.LimitBytes)
        {
            console.Line($"It fits into {limit} as it is.");
            return;
        }

        string set = string.Join(' ', (fit.Cheapest ?? fit.Smallest).Keys);
        if (fit.Cheapest is not MemorySetting cheapest)
        {
            console.Line(
                $"It does NOT fit into {limit}. The least is {Mebibytes(fit.Smallest.Memory.Bytes)}, with --set {set}. "
                    + "A smaller batch in one pass, a cached teacher, another optimizer or a smaller model take less."
            );
            return;
        }

        console.Line($"It fits into {limit} with --set {set}: {Mebibytes(cheapest.Memory.Bytes)}");
        foreach (MemoryPart part in cheapest.Memory.Parts)
        {
            PrintPart(console, part);
        }
    }

    private static void PrintTime(Output console, TimePlan time)
    {
        var line = new StringBuilder();
        line.Append(Text($"time ({time.Source}): {Duration.Text(time.Run)}; a step {1e3 * time.PlainStep:0.0} ms"));
        if (time.TaughtStep is double taught)
        {
            line.Append(Text($", with the teacher {1e3 * taught:0.0} ms"));
        }

        line.Append(Text($"; BASELINE {Duration.Text(time.Baseline)}"));
        if (time.ProcessorSeconds is double processor)
        {
            line.Append(Text($"; processor time {Duration.Text(processor)}"))
                .Append(Text($", at a peak of {time.MatmulPeakGflops:0} GFLOP/s"));
        }

        if (time.NetworkShare is double network)
        {
            line.Append(Text($"; {100 * network:0} % of a step waits for the network"));
        }

        console.Line(line.ToString());
        line.Clear().Append(Fits(time));
        if (time.EnergyKwh is double energy)
        {
            line.Append(Text($" Energy {energy:#,0.#} kWh."));
        }

        if (time.Price is double price)
        {
            line.Append(Text($" Price {price:#,0.##} {time.Currency}."));
        }

        console.Line(line.ToString());
    }

    private static string Fits(TimePlan time) =>
        time.Fits switch
        {
            true => "It fits into memory.",
            false => "It does NOT fit into memory: smaller micro-batches, training.recompute, another optimizer or, "
                + "on several ranks, optimizer.shard_state take less.",
            _ => "Whether it fits is not known.",
        };

    private static void PrintRatios(Output console, CostPlan cost, double share, int students)
    {
        console.Line(
            Text($"SALT against BASELINE, if it reaches BASELINE's quality after {100 * share:0} % of the steps: ")
                + Text($"{cost.FreeRatio(share):0.000} of its FLOPs with the teacher for nothing, ")
                + Text($"{cost.ChargedRatio(share, students):0.000} with the teacher's training ")
                + Text($"shared by {students} student(s).")
        );
        string needed = "more than can be: no number is enough";
        if (cost.StudentsToBreakEven(share) is double count)
        {
            needed = Text($"{Math.Ceiling(count):0} student(s) to share it ({count:0.00})");
        }

        console.Line(
            Text($"Break-even: with the teacher for nothing at {100 * cost.FreeBreakEven:0.0} % of the steps; ")
                + Text($"at {100 * share:0} % a paid teacher needs {needed}.")
        );
    }

    // Steps of as many tokens as the run's.
    private static double? TeacherSteps(RunConfig config, int? steps, long? tokens)
    {
        if (steps is not null && tokens is not null)
        {
            throw new ConfigurationException("--teacher-steps and --teacher-tokens say the same. Give one of them.");
        }

        return tokens / (double)config.BatchTokens ?? steps;
    }

    private static void PrintScaling(Output console, IReadOnlyList<ScalingPoint>? points)
    {
        foreach (IGrouping<int, ScalingPoint> row in (points ?? []).GroupBy(point => point.Ranks))
        {
            console.Line($"{Column.Right(row.Key, 6)} ranks  {string.Join("   ", row.Select(Cell))}");
        }
    }

    private static string Cell(ScalingPoint point) =>
        $"{Column.Right(point.NetworkGbit, 3, "0")} Gbit/s: {Column.Right(Seconds(point.StepSeconds), 9)}, "
        + $"{Column.Right(100 * point.Efficiency, 3, "0")} %";

    private static string Seconds(double seconds)
    {
        if (seconds < 1)
        {
            return Text($"{1e3 * seconds:0.00} ms");
        }

        return Text($"{seconds:0.00} s");
    }

    private static string Millions(double count)
    {
        if (count >= 1e9)
        {
            return Text($"{count / 1e9:0.00}B");
        }

        return Text($"{count / 1e6:0.00}M");
    }

    private static string Mebibytes(long bytes)
    {
        if (bytes >= 10L << 30)
        {
            return Text($"{bytes / (double)(1L << 30):#,0.0} GiB");
        }

        return Text($"{bytes / 1048576.0:#,0} MiB");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private sealed record CostRatios(
        double StepsShare,
        double Free,
        double Charged,
        double BreakEvenShare,
        double? StudentsToBreakEven
    );
}
