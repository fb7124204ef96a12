using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Saltern.Cli.Terminal;
using Saltern.FineTuning;
using Saltern.Hosting;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Studies;
using Saltern.Verdicts;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern study STUDY</c>: a grid of runs, resumable, with one verdict.</summary>
public static class StudyCommand
{
    // Enough for a median that a busy moment does not move.
    private const int StepTimeRounds = 12;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var study = CommonOptions.Recipe(
            "STUDY",
            "YAML study (base recipe, arms, seeds), or the name of one that ships.",
            studies: true
        );
        var output = new Option<string?>("--out")
        {
            Description = "Folder of results, report and verdict; studies/<name> by default.",
        };
        var runs = new Option<string?>("--runs")
        {
            Description = "Folder of the runs with their weights; runs/<name> by default.",
        };
        var set = new Option<string[]>("--set")
        {
            HelpName = "key=value",
            Description = "key=value that wins over the base recipe; an arm's own keys win over it.",
            DefaultValueFactory = _ => [],
            AllowMultipleArgumentsPerToken = true,
        };
        var arms = new Option<string[]>("--arms")
        {
            Description = "Train these arms only; the verdict takes all that is finished.",
            DefaultValueFactory = _ => [],
            AllowMultipleArgumentsPerToken = true,
        };
        var seeds = new Option<int[]>("--seeds")
        {
            Description = "Train these seeds only.",
            DefaultValueFactory = _ => [],
            AllowMultipleArgumentsPerToken = true,
        };
        var times = new Option<string>("--step-times")
        {
            Description =
                "Measure what a step of each arm costs, in turns: 'auto' once all runs are finished, 'now' in any case, 'never'.",
            DefaultValueFactory = _ => "auto",
        };
        times.AcceptOnlyFromAmong("auto", "now", "never");
        var resume = new Option<bool>("--resume")
        {
            Description = "Go on with a study that has begun; finished runs are never repeated.",
        };
        var reportOnly = new Option<bool>("--report-only")
        {
            Description =
                "Write verdict and report of what is finished; train and measure nothing. Needs neither weights nor data.",
        };
        var pack = new Option<bool>("--pack")
        {
            Description =
                "Put the finished runs' kept results into results.zip, one file for version control; trains nothing.",
        };
        var judge = new Option<bool>("--judge")
        {
            Description =
                "Also say which claims are findings by the strict rules (docs/judging.md), as 'saltern judge' does.",
        };
        Option<bool> json = CommonOptions.Json();
        var command = new Verb(
            "study",
            "Train a grid of runs and say what each arm saved.",
            [
                "saltern study recipes/studies/dotnet-docs-study.yaml --resume",
                "saltern study dotnet-docs-study --out experiments/2026-11-25-dotnet-docs-study --report-only",
            ]
        )
        {
            study,
            output,
            runs,
            set,
            arms,
            seeds,
            times,
            resume,
            reportOnly,
            pack,
            judge,
            json,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                parsed.GetValue(json),
                (console, cancellation) =>
                {
                    string file = ShippedRecipe.Find(parsed.GetRequiredValue(study));
                    StudyPlan plan = StudyPlan.Read(file, parsed.GetRequiredValue(set));
                    string folder = parsed.GetValue(output) ?? Path.Combine("studies", plan.Config.Name);
                    if (parsed.GetValue(pack))
                    {
                        Pack(console, folder);
                        if (!parsed.GetValue(reportOnly))
                        {
                            return ExitCode.Done;
                        }
                    }

                    if (parsed.GetValue(reportOnly))
                    {
                        var kept = new StudyResults(folder);
                        if (kept.FoundPrecision(plan, runsFolder: null) is ComputePrecision found)
                        {
                            plan = plan.WithPrecision(found);
                        }

                        bool concluded = Conclude(
                            console,
                            StudyVerdict.Write(plan, kept, console.Line),
                            kept,
                            parsed.GetValue(judge)
                        );
                        return concluded ? ExitCode.Done : ExitCode.Failed;
                    }

                    if (
                        Directory.Exists(folder)
                        && Directory.EnumerateFileSystemEntries(folder).Any()
                        && !parsed.GetValue(resume)
                    )
                    {
                        throw new ConfigurationException(
                            $"The study's folder {folder} already holds something. "
                                + "Go on with --resume, or choose another folder with --out."
                        );
                    }

                    var request = new Request(
                        plan,
                        Chosen(plan, parsed.GetRequiredValue(arms), parsed.GetRequiredValue(seeds)),
                        new StudyResults(folder),
                        parsed.GetValue(runs) ?? Path.Combine("runs", plan.Config.Name),
                        parsed.GetRequiredValue(times),
                        parsed.GetValue(judge)
                    );
                    return Run(console, request, cancellation);
                }
            )
        );
        return command;
    }

    private static StudyRun[] Chosen(StudyPlan plan, string[] arms, int[] seeds)
    {
        string[] unknown = [.. arms.Except(plan.Config.Arms.Keys)];
        StudyRun[] chosen =
        [
            .. plan.Runs.Where(run =>
                (arms.Length == 0 || arms.Contains(run.Arm)) && (seeds.Length == 0 || seeds.Contains(run.Seed))
            ),
        ];
        if (unknown.Length > 0)
        {
            throw new ConfigurationException(
                $"--arms names {string.Join(", ", unknown)}; the study has {string.Join(", ", plan.Config.Arms.Keys)}."
            );
        }

        if (chosen.Length == 0)
        {
            throw new ConfigurationException(
                "--seeds leaves no run; the study has the seeds "
                    + $"{string.Join(", ", plan.Runs.Select(run => run.Seed).Distinct().Order())}."
            );
        }

        return chosen;
    }

    private static int Run(Output console, Request request, CancellationToken cancellation)
    {
        EngineSetup engine = EngineSetup.Prepare();
        console.Line("runtime: " + engine.Computing);
        request = Pin(request, console);
        (StudyPlan plan, StudyRun[] chosen, StudyResults results, string runsFolder, string stepTimes, bool judges) =
            request;
        console.Line(
            $"study {plan.Config.Name}: {plan.Config.Arms.Count} arms, {plan.Runs.Count} runs, "
                + $"{chosen.Length} of them asked for; results in {results.Folder}, weights in {runsFolder}"
        );
        int done = 0;
        using MetricsExport? export = MetricsExport.Start(console);
        using var status = new StatusLine(console);
        var runner = new StudyRunner(results, runsFolder);
        IReadOnlyList<StudyOutcome> outcomes = runner.Run(
            chosen,
            (run, folder) =>
            {
                status.Keep($"[{done + 1}/{chosen.Length}] {run.Arm}, seed {run.Seed}");
                return Train(status, run, folder, engine.Threads, cancellation);
            },
            outcome =>
            {
                done++;
                status.Keep($"[{done}/{chosen.Length}] {Describe(outcome)}");
            }
        );
        bool whole = outcomes.Count == chosen.Length;
        StudyFineTune[] tunes = [.. plan.FineTunes.Where(tune => chosen.Contains(tune.Run) && results.Has(tune.Run))];
        if (whole && tunes.Length > 0)
        {
            status.Keep($"{tunes.Length} fine-tunings");
            IReadOnlyList<StudyOutcome> tuned = runner.Run(
                tunes,
                (tune, folder) => FineTune(status, runner, tune, folder, engine.Threads, cancellation),
                outcome => status.Keep(Describe(outcome))
            );
            whole = tuned.Count == tunes.Length;
            outcomes = [.. outcomes, .. tuned];
        }

        if (whole)
        {
            MeasureSteps(status, plan, results, stepTimes, engine.Threads, cancellation);
        }

        Verdict? verdict = StudyVerdict.Write(plan, results, status.Keep);
        _ = Conclude(console, verdict, results, judges);
        StudyOutcome[] failed = [.. outcomes.Where(outcome => outcome.State == StudyRunState.Failed)];
        foreach (StudyOutcome outcome in failed)
        {
            Console.Error.WriteLine($"{outcome.Job.Title} failed: {outcome.Problem}");
        }

        if (!whole)
        {
            return ExitCode.Interrupted;
        }

        if (failed.Length > 0)
        {
            return ExitCode.Failed;
        }

        return ExitCode.Done;
    }

    // One precision for all arms: that of the runs that are there, else the faster one here.
    private static Request Pin(Request request, Output console)
    {
        if (!request.Plan.HasOpenPrecision)
        {
            return request;
        }

        ComputePrecision precision =
            request.Results.FoundPrecision(request.Plan, request.RunsFolder)
            ?? request.Results.Pin(request.Plan.FastestPrecision());
        console.Line($"precision: {PrecisionChoice.Word(precision)} for all arms that leave it to the machine (auto)");
        StudyPlan plan = request.Plan.WithPrecision(precision);
        return request with
        {
            Plan = plan,
            Chosen = [.. plan.Runs.Where(run => request.Chosen.Any(chosen => chosen.RelativePath == run.RelativePath))],
        };
    }

    private static void Pack(Output console, string folder)
    {
        PackedResults packed = PackedResults.Pack(folder);
        console.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{packed.Path}: {packed.Runs} runs, {packed.New} of them new or changed, {packed.Bytes:N0} bytes"
            )
        );
        foreach (string file in packed.LeftOut)
        {
            console.Line(
                $"not packed, no file of a finished run that a verdict reads: {Path.Combine("results", file)}"
            );
        }

        string results = Path.Combine(folder, "results");
        if (Directory.Exists(results))
        {
            console.Line($"{results} is kept; verdict and report no longer need it.");
        }
    }

    private static void MeasureSteps(
        StatusLine status,
        StudyPlan plan,
        StudyResults results,
        string when,
        int threads,
        CancellationToken cancellation
    )
    {
        bool missing =
            StepTimes.Load(results.Folder) is not StepTimes there
            || plan.Config.Arms.Keys.Except(there.Arms.Keys).Any();
        bool inputsAreThere = plan.Runs.All(run => Directory.Exists(run.Recipe.Data.Path));
        if (when == "now" || (when == "auto" && missing && inputsAreThere && plan.Runs.All(results.Has)))
        {
            StepTimes
                .Measure(
                    plan.Runs.GroupBy(run => run.Arm).ToDictionary(arm => arm.Key, arm => arm.First().Recipe),
                    threads,
                    StepTimeRounds,
                    status.Keep,
                    cancellation
                )
                .Save(results.Folder);
        }
    }

    // False where there is nothing to conclude from.
    private static bool Conclude(Output console, Verdict? verdict, StudyResults results, bool judges)
    {
        if (verdict is null)
        {
            return false;
        }

        console.Line();
        console.Write(verdict);
        if (judges)
        {
            using JsonDocument file = JsonDocument.Parse(verdict.ToJson());
            console.Line();
            console.Lines.Write(JudgementText.Write(Judgement.Of(file.RootElement, VerdictFiles.Verdict)));
        }

        if (console.IsJson)
        {
            Output.Json(verdict.ToJson());
        }

        console.Line($"report: {Path.GetFullPath(Path.Combine(results.Folder, VerdictFiles.Report))}");
        console.Next("open the report in a browser; docs/studies.md has what makes a finding of it");
        return true;
    }

    // False where it was interrupted; the checkpoint is written.
    private static bool Train(
        StatusLine status,
        StudyRun run,
        string folder,
        int? threads,
        CancellationToken cancellation
    )
    {
        var progress = new TrainingProgress(status);
        var options = new TrainingRunOptions
        {
            DefaultThreads = threads,
            Resume = Directory.Exists(folder),
            Log = status.Keep,
            MatmulPeak = EngineSetup.KnownPeak,
            Sinks = [progress],
            OnStep = progress.Step,
        };
        using TrainingRun training = TrainingRun.Open(run.Recipe, folder, options);
        StandardStreams.KeepIn(training.Folder);
        progress.Start(run.Recipe.Training.Steps);
        if (training.Continue(run.Recipe.Training.Steps, cancellation) == RunStatus.Interrupted)
        {
            status.Keep(
                $"Interrupted after step {training.State.Step}; the checkpoint is written. Go on with --resume."
            );
            return false;
        }

        RunResult result = training.Finish();
        status.Keep(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: final loss {result.Final!.Loss:0.0000} nats per token, {result.Seconds:0} s in steps"
            )
        );
        return true;
    }

    // The run's weights are the model to start from, so they must still be there.
    private static bool FineTune(
        StatusLine status,
        StudyRunner runner,
        StudyFineTune tune,
        string folder,
        int? threads,
        CancellationToken cancellation
    )
    {
        var progress = new TrainingProgress(status);
        var options = new TrainingRunOptions
        {
            DefaultThreads = threads,
            Resume = Directory.Exists(folder),
            Log = status.Keep,
            MatmulPeak = EngineSetup.KnownPeak,
            Sinks = [progress],
            OnStep = progress.Step,
        };
        using FineTuneRun run = FineTuneRun.Open(
            tune.Recipe with
            {
                InitFrom = new FineTuneStartConfig { Path = runner.FolderOf(tune.Run) },
            },
            folder,
            options
        );
        StandardStreams.KeepIn(run.Training.Folder);
        progress.Start(run.Training.Config.Training.Steps);
        if (run.Continue(cancellation) == RunStatus.Interrupted)
        {
            return false;
        }

        run.Finish(cancellation);
        return true;
    }

    private static string Describe(StudyOutcome outcome) =>
        $"{outcome.Job.Title}: "
        + outcome.State switch
        {
            StudyRunState.Kept => "was finished before",
            StudyRunState.Finished => "finished",
            StudyRunState.Elsewhere => "is being trained by another process",
            _ => "failed: " + outcome.Problem,
        };

    private sealed record Request(
        StudyPlan Plan,
        StudyRun[] Chosen,
        StudyResults Results,
        string RunsFolder,
        string StepTimes,
        bool Judges
    );
}
