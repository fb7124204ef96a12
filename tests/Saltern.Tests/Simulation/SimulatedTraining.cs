using System.Globalization;
using System.Runtime.InteropServices;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Evaluation;
using Saltern.Files;
using Saltern.FineTuning;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Simulation;

/// <summary>A training whose arithmetic is a product and a sum, and whose folder, log, checkpoints and result are those of the program.</summary>
/// <param name="tunes">Whether it is a fine-tuning, with tasks before and after.</param>
internal sealed class SimulatedTraining(bool tunes) : SimulatedWork
{
    private const int Steps = 6;
    private const int SaveEvery = 2;
    private const int Best = 2;

    [ThreadStatic]
    private static (Transformer Model, Optimizer Update)? ThreadTrained;

    private static (Transformer Model, Optimizer Update) Trained => ThreadTrained ??= Create();

    public override string Name => tunes ? "finetune" : "train";

    public static RunConfig Recipe(string name) =>
        new()
        {
            Name = name,
            Seed = 5,
            Threads = 1,
            Data = SimulationAssets.Shared.DataConfig,
            Model = new TransformerConfig
            {
                HiddenSize = 8,
                NumHiddenLayers = 1,
                NumAttentionHeads = 2,
                NumKeyValueHeads = 1,
                IntermediateSize = 8,
            },
            Schedule = new ScheduleConfig { WarmupSteps = 2 },
            Training = new TrainingConfig
            {
                Steps = Steps,
                BatchSequences = 2,
                CheckpointEvery = SaveEvery,
            },
        };

    public override void Run(string root, Action<string> done)
    {
        string folder = Path.Combine(root, "runs/deep/one");
        if (!tunes)
        {
            Train(folder, Recipe("one"), done, (_, _) => { });
            return;
        }

        var config = new FineTuneConfig
        {
            Name = "one",
            InitFrom = new FineTuneStartConfig { Path = SimulationAssets.Shared.ModelFolderPath },
            Data = new ExampleConfig { Path = "examples.jsonl", SequenceLength = 16 },
            Training = new FineTuneTrainingConfig { BatchSequences = 2, Steps = Steps },
        };
        Train(
            folder,
            config,
            done,
            (run, isOver) =>
            {
                string tasks = run.PathOf(isOver ? "eval/after" : "eval/before");
                TaskResultFolder.Write(tasks, [], $"{{\"after\": {isOver}}}");
                done(isOver ? "after" : "before");
            }
        );
    }

    /// <summary>Trains to the end, from the newest checkpoint on.</summary>
    public static void Train<T>(string folder, T recipe, Action<string> done, Action<RunFolder, bool> measure)
        where T : class, IRunRecipe
    {
        using RunFolder run = RunFolder.Inspect(folder, recipe, leads: true, resume: true, [], _ => { });
        run.Claim(Steps, _ => { });
        if (run.Finished is not null)
        {
            return;
        }

        measure(run, false);
        int from = run.ResumeStep ?? 0;
        TrainState state = Open(run, from);
        using var log = new MetricsLog(run.PathOf(RunLayout.Metrics), from);
        for (int step = from + 1; step <= Steps; step++)
        {
            Step(step);
            state = state with { Step = step, Updates = step, Samples = 2 * step };
            run.Write("The log", () => log.Write(new MetricsLine(step, [new("train/loss", 1.0 / step)])));
            if (step % SaveEvery == 0)
            {
                run.Write("The log", log.Flush);
                string path = run.Checkpoints.PathOf(step);
                run.Write(
                    "The checkpoint",
                    () =>
                    {
                        Checkpoint.Save(path, CheckpointContent.Of(Trained.Model, Trained.Update, state), "{}");
                        done($"step {step}");
                        run.Checkpoints.Retain([Best], null);
                    }
                );
            }
        }

        measure(run, true);
        run.WriteText(RunLayout.Documents, "{\"domain\": \"all\", \"document\": 0, \"tokens\": 4, \"nll\": 2.5}\n");
        run.WriteText(
            RunLayout.Result,
            new RunResult
            {
                Name = "one",
                Arm = "A",
                Seed = 5,
                Steps = Steps,
                PlannedSteps = Steps,
                DataFingerprint = SimulationAssets.Shared.Data.Fingerprint,
                Final = new FinalScores { Loss = 1.0 / Steps },
                Files = ResultSums.Sums(folder),
            }.ToJson()
        );
        done("result");
    }

    public override void Inspect(
        string root,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    ) => Inspect(root, "runs/deep/one", whole, done);

    /// <summary>The promises of a run's folder.</summary>
    public static void Inspect(
        string root,
        string folder,
        IReadOnlyDictionary<string, byte[]> whole,
        IReadOnlyCollection<string> done
    )
    {
        var store = new CheckpointStore(Path.Combine(root, folder));
        int saved = done.Where(what => what.StartsWith("step ", StringComparison.Ordinal))
            .Select(what => int.Parse(what[5..], CultureInfo.InvariantCulture))
            .DefaultIfEmpty(0)
            .Max();
        (int? newest, IReadOnlyList<string> skipped) = store.NewestGood();
        if (skipped.Count > 0)
        {
            throw new Violation("looks like a checkpoint and is none: " + skipped[0]);
        }

        if ((newest ?? 0) < saved)
        {
            throw new Violation($"step {saved} was saved, and the newest checkpoint is {newest?.ToString() ?? "none"}");
        }

        foreach (int step in store.Steps())
        {
            RequireSame(root, Path.GetRelativePath(root, store.PathOf(step)), whole);
        }

        if (saved >= Best && !store.Steps().Contains(Best))
        {
            throw new Violation($"the checkpoint {Best}, which is kept, is gone");
        }

        string result = folder + "/" + RunLayout.Result;
        if (done.Contains("result") || File.Exists(Path.Combine(root, result)))
        {
            foreach (
                string name in new[] { RunLayout.Result, RunLayout.Documents, RunLayout.Metrics, RunLayout.Recipe }
            )
            {
                Require(root, folder + "/" + name, whole[folder + "/" + name]);
            }
        }

        foreach (string tasks in new[] { "before", "after" })
        {
            string file = $"{folder}/eval/{tasks}/results.json";
            if (File.Exists(Path.Combine(root, file)))
            {
                Require(root, file, whole[file]);
            }
        }
    }

    public override bool Counts(string file) => !file.EndsWith(FileLock.Ending, StringComparison.Ordinal);

    private static (Transformer Model, Optimizer Update) Create()
    {
        var model = new Transformer(SimulationAssets.Shared.Shape with { VocabSize = 16 }, trainable: true);
        return (model, Optimizer.Create(model.Parameters, new OptimizerConfig(), threads: 1));
    }

    private static TrainState Open(RunFolder run, int from)
    {
        if (from > 0)
        {
            return Checkpoint.Load(run.Checkpoints.PathOf(from), Trained.Model, Trained.Update);
        }

        using torch.Tensor weights = Trained.Model.Parameters.FlatWeights.detach();
        weights.bytes.Clear();
        foreach (OptimizerTensor tensor in Trained.Update.State)
        {
            tensor.Values.bytes.Clear();
        }

        Trained.Update.UpdateCount = 0;
        return new TrainState { DataFingerprint = SimulationAssets.Shared.Data.Fingerprint };
    }

    // Depends on all that came before it: a step that is left out or made twice shows in every byte.
    private static void Step(int step)
    {
        using torch.Tensor weights = Trained.Model.Parameters.FlatWeights.detach();
        Change(weights, step);
        foreach (OptimizerTensor tensor in Trained.Update.State)
        {
            Change(tensor.Values, step);
        }

        Trained.Update.UpdateCount = step;
    }

    private static void Change(torch.Tensor values, int step)
    {
        foreach (ref float value in MemoryMarshal.Cast<byte, float>(values.bytes))
        {
            value = (0.75f * value) + step;
        }
    }
}
