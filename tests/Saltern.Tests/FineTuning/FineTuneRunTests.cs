using System.Text.Json;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Export;
using Saltern.FineTuning;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.Runs;
using TorchSharp;

namespace Saltern.Tests.FineTuning;

public sealed class FineTuneRunTests : IDisposable
{
    private const string Task = """
        task: parity
        kind: generate
        max_tokens: 8
        readings: [{ prompt: "{q}", answers: [a] }]
        """;

    private readonly TemporaryFolder _folder = new();
    private readonly FineTuneConfig _recipe;

    public FineTuneRunTests()
    {
        _folder.Write("parity.yaml", Task);
        _folder.Write(
            "parity.jsonl",
            string.Concat(
                Enumerable
                    .Range(0, 20)
                    .Select(i =>
                        $$"""{"id": "t{{i}}", "q": "q {{i}}:", "a": "{{(i % 2 == 0 ? "even" : "odd")}}"}""" + "\n"
                    )
            )
        );
        _recipe = TinyExamples.Recipe(TinyExamples.Write(_folder)) with
        {
            Evaluation = new FineTuneEvaluationConfig { Tasks = [_folder["parity.yaml"]] },
        };
    }

    [Fact]
    public void ResumedRun_IsBitForBitTheUninterruptedOne()
    {
        float[] whole = Train(_recipe, "whole", 24);
        Train(_recipe, "cut", 15); // the newest checkpoint is that of step 10 or of a best evaluation after it
        int newest = new CheckpointStore(_folder["cut"]).NewestGood().Step!.Value;
        Assert.InRange(newest, 10, 14);
        Assert.Equal(whole, Train(_recipe, "cut", 24, resume: true));
        Assert.Equal(Figures("whole"), Figures("cut"));
    }

    [Fact]
    public void BestCheckpoint_IsKeptReportedAndMeasured()
    {
        // A rate that is far too high from half of the run on makes later evaluations worse.
        FineTuneConfig recipe = _recipe with
        {
            Optimizer = _recipe.Optimizer with { LearningRate = 0.3 },
            Schedule = new() { Kind = Saltern.Optimization.ScheduleKind.Constant, WarmupSteps = 23 },
            Training = _recipe.Training with { CheckpointEvery = 2 },
        };
        using FineTuneRun run = FineTuneRun.Open(recipe, _folder["best"], TinyRun.Quick);
        Assert.Equal(RunStatus.Reached, run.Continue(TestContext.Current.CancellationToken));
        RunResult result = run.Finish(TestContext.Current.CancellationToken);
        IReadOnlyList<CurvePoint> curve = RunRecord.Load(_folder["best"]).Curve(VerdictMetric.Loss);
        CurvePoint best = curve.MinBy(point => point.Value)!;
        Assert.NotEqual(curve[^1].Step, best.Step); // otherwise this shows nothing
        Assert.Equal((best.Step, best.Value), (result.BestStep!.Value, result.BestLoss!.Value));
        // the whole set is the curve set here, and the weights are those of the best step
        Assert.Equal(best.Value, result.Final!.Loss, 1e-9);
        Assert.Equal($"checkpoints/step-{best.Step:00000000}", result.FineTuning!.Checkpoint);
        Assert.Null(Checkpoint.Problem(_folder[$"best/{result.FineTuning.Checkpoint}"]));
        Assert.Contains(best.Step, run.Training.Folder.Checkpoints.Steps());
        Assert.True(run.Training.Folder.Checkpoints.Steps().Count <= 3);
    }

    [Fact]
    public void Result_HasExamplesAndTasksBeforeAndAfter()
    {
        RunResult result = Finish(_recipe, "run");
        Assert.Equal("finetune", result.Arm);
        FineTuningOutcome outcome = result.FineTuning!;
        Assert.Equal(120, outcome.Examples.Train + outcome.Examples.Valid);
        TaskChange change = outcome.Tasks["parity"];
        MetricChange score = change.Metrics[change.MainMetric];
        Assert.Equal(("exact_match", 20), (change.MainMetric, change.Items));
        Assert.Equal(score.After - score.Before, score.Difference, 1e-12);
        Assert.Equal("mcnemar_exact", score.Test);

        // What is on the disk says the same, and reads back.
        Assert.Equal(result.ToJson(), RunResult.Parse(File.ReadAllText(_folder["run/result.json"]), "x").ToJson());
        using JsonDocument after = JsonDocument.Parse(File.ReadAllText(_folder["run/eval/after/results.json"]));
        Assert.Equal(
            score.After,
            after.RootElement.GetProperty("results").GetProperty("parity").GetProperty("exact_match,none").GetDouble()
        );
        Assert.Equal(
            score.Difference,
            after
                .RootElement.GetProperty("paired")
                .GetProperty("parity")
                .GetProperty("exact_match")
                .GetProperty("difference")
                .GetDouble()
        );
        foreach (string when in new[] { "before", "after" })
        {
            Assert.Equal(20, File.ReadLines(_folder[$"run/eval/{when}/samples_parity.jsonl"]).Count());
        }
    }

    [Fact]
    public void Training_TeachesTheAnswers()
    {
        // All that is asked was trained on: after enough steps at least the two words are learned, and most answers with them.
        RunResult result = Finish(
            _recipe with
            {
                Training = _recipe.Training with { Steps = 300, EvaluateEvery = 50, CheckpointEvery = 100 },
                Data = _recipe.Data with { ValidPercent = 5 },
            },
            "long"
        );
        MetricChange score = result.FineTuning!.Tasks["parity"].Metrics["exact_match"];
        Assert.Equal(0, score.Before);
        Assert.True(score.After >= 0.5, $"{score.After}");
        Assert.True(score.DifferenceCi95[0] > 0);
    }

    [Fact]
    public void Epochs_AreWholePassesOverTheRows()
    {
        using FineTuneRun run = FineTuneRun.Open(
            _recipe with
            {
                Training = _recipe.Training with { Steps = null, Epochs = 3 },
            },
            _folder["epochs"],
            TinyRun.Quick
        );
        using FineTuneRun shorter = FineTuneRun.Open(
            _recipe with
            {
                Training = _recipe.Training with { Steps = 2, Epochs = 3 },
            },
            _folder["shorter"],
            TinyRun.Quick
        );
        Assert.Equal(2, shorter.Training.Config.Training.Steps);
        long rows = ExampleSet.Open(_recipe.Data, TinyExamples.Tokenizer).Counts.Rows;
        Assert.Equal((int)Math.Ceiling(3 * rows / 4.0), run.Training.Config.Training.Steps);
    }

    [Fact]
    public void ResumeNeedsTheSameExamples_AndTheSameLength()
    {
        Train(_recipe, "run", 12);
        TrainingRunOptions resume = TinyRun.Quick with { Resume = true };
        Assert.Contains(
            "training.steps was 24 and is now 30: the schedule depends on it",
            Assert
                .Throws<ConfigurationException>(() =>
                    FineTuneRun.Open(
                        _recipe with
                        {
                            Training = _recipe.Training with { Steps = 30 },
                        },
                        _folder["run"],
                        resume
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
        File.AppendAllText(_recipe.Data.Path, """{"prompt": "new", "response": "x"}""");
        Assert.Contains(
            "the run was trained on the examples sha256:",
            Assert.Throws<ConfigurationException>(() => FineTuneRun.Open(_recipe, _folder["run"], resume)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void AnotherFirstModelOnResume_IsRefusedWhereTasksAreCompared()
    {
        Train(_recipe, "run", 12);
        Train(_recipe with { Seed = 9, Evaluation = null }, "other", 24);
        FineTuneConfig moved = _recipe with { InitFrom = new FineTuneStartConfig { Path = _folder["other"] } };
        using FineTuneRun run = FineTuneRun.Open(
            moved,
            _folder["run"],
            TinyRun.Quick with
            {
                Resume = true,
                Overrides = [RecipeOverride.Parse($"init_from={_folder["other"]}")],
            }
        );
        Assert.Contains(
            "tasks before and after would not compare",
            Assert.Throws<ConfigurationException>(() => run.Continue(TestContext.Current.CancellationToken)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void MistakesAreFoundBeforeAnythingIsWritten()
    {
        FineTuneConfig noTask = _recipe with
        {
            Evaluation = new FineTuneEvaluationConfig { Tasks = [_folder["absent.yaml"]] },
        };
        Assert.Throws<ConfigurationException>(() => FineTuneRun.Open(noTask, _folder["x"], TinyRun.Quick));
        FineTuneConfig tooLong = _recipe with { Data = _recipe.Data with { SequenceLength = 64 } };
        Assert.Contains(
            "reads at most 32 tokens at once. Use --set data.sequence_length=32",
            Assert.Throws<ConfigurationException>(() => FineTuneRun.Open(tooLong, _folder["x"], TinyRun.Quick)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<CheckpointException>(() =>
            FineTuneRun.Open(
                _recipe with
                {
                    InitFrom = new FineTuneStartConfig { Path = _folder["absent"] },
                },
                _folder["x"],
                TinyRun.Quick
            )
        );
        Assert.False(Directory.Exists(_folder["x"]));
    }

    [Fact]
    public void AdaptedRun_ResumesBitForBit()
    {
        FineTuneConfig recipe = _recipe with { Lora = Lora };
        float[] whole = Train(recipe, "whole", 24);
        Train(recipe, "cut", 15);
        Assert.InRange(new CheckpointStore(_folder["cut"]).NewestGood().Step!.Value, 10, 14);
        Assert.Equal(whole, Train(recipe, "cut", 24, resume: true));
        Assert.Equal(Figures("whole"), Figures("cut"));
        Assert.NotEqual(whole, Train(recipe with { Seed = 4 }, "seed", 24)); // otherwise this shows nothing
    }

    [Fact]
    public void AdaptedRun_LearnsWithFewParameters_AndItsCheckpointIsAModelLikeAnyOther()
    {
        FineTuneConfig recipe = _recipe with
        {
            Lora = Lora,
            Optimizer = _recipe.Optimizer with { LearningRate = 2e-2 },
            Training = _recipe.Training with { Steps = 100 },
        };
        RunResult result = Finish(recipe, "lora");
        Assert.True(result.FineTuning!.TrainedParameters < result.StudentParameters / 2);

        // The last evaluation reads the best checkpoint's merged weights, the one along the run had the adapters beside them: float32 rounding apart.
        double first = RunRecord.Load(_folder["lora"]).Curve(VerdictMetric.Loss)[0].Value;
        Assert.True(result.BestLoss < 0.85 * first, $"{first} → {result.BestLoss}");
        Assert.Equal(result.BestLoss!.Value, result.Final!.Loss, 1e-5);

        // On the disk: merged weights under the family's names, only those of the targets changed, the adapters beside them.
        string checkpoint = _folder["lora/" + result.FineTuning.Checkpoint];
        using Transformer merged = ModelFolder.Load(checkpoint, trainable: false);
        using Transformer start = TinyExamples.Load();
        foreach (ParameterSlice slice in merged.Parameters.Layout.Slices)
        {
            using torch.Tensor now = merged.Parameters.Weight(slice);
            using torch.Tensor before = start.Parameters.Weight(slice);
            bool isTarget =
                slice.Name.Contains("q_proj", StringComparison.Ordinal)
                || slice.Name.Contains("up_proj", StringComparison.Ordinal);
            Assert.Equal(!isTarget, now.data<float>().SequenceEqual(before.data<float>()));
        }

        Assert.True(File.Exists(Path.Combine(checkpoint, Checkpoint.AdapterFile)));
        Assert.Null(Checkpoint.Problem(checkpoint));
    }

    [Fact]
    public void AdaptedRun_CostsWhatItComputes()
    {
        TrainState full = StateAfter(_recipe, "full", 4);
        TrainState adapted = StateAfter(_recipe with { Lora = Lora }, "adapted", 4);
        Assert.Equal(full.Tokens, adapted.Tokens);
        Assert.InRange(adapted.Flops / full.Flops, 2.0 / 3, 0.9);
    }

    [Fact]
    public void AdaptersOnResume_NeedTheSameFirstModel_AndTheSameSection()
    {
        FineTuneConfig recipe = _recipe with { Lora = Lora, Evaluation = null };
        Train(recipe, "run", 12);
        Train(_recipe with { Seed = 9, Evaluation = null }, "other", 24);
        FineTuneConfig moved = recipe with { InitFrom = new FineTuneStartConfig { Path = _folder["other"] } };
        TrainingRunOptions resume = TinyRun.Quick with
        {
            Resume = true,
            Overrides = [RecipeOverride.Parse($"init_from={_folder["other"]}")],
        };
        Assert.Contains(
            "the adapters were trained beside the weights sha256:",
            Assert.Throws<ConfigurationException>(() => FineTuneRun.Open(moved, _folder["run"], resume)).Message,
            StringComparison.Ordinal
        );
        FineTuneConfig wider = recipe with { Lora = Lora with { Alpha = 1 } };
        Assert.Contains(
            "the adapters in the checkpoint were trained with it",
            Assert
                .Throws<ConfigurationException>(() =>
                    FineTuneRun.Open(
                        wider,
                        _folder["run"],
                        TinyRun.Quick with
                        {
                            Resume = true,
                            Overrides = [RecipeOverride.Parse("lora.alpha=1")],
                        }
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ConversationsForm_GoesWithTheModel_IntoEveryExport()
    {
        string lines = string.Concat(
            Enumerable
                .Range(0, 60)
                .Select(i =>
                    $$"""{"messages": [{"role": "user", "content": "q {{i}}"}, """
                    + $$"""{"role": "assistant", "content": "{{(i % 2 == 0 ? "even" : "odd")}}"}]}"""
                    + "\n"
                )
        );
        FineTuneConfig recipe = _recipe with
        {
            Data = _recipe.Data with
            {
                Path = _folder.Write("chat.jsonl", lines),
                Format = ExampleFormat.Messages,
                Template = new ChatTemplateConfig { Name = "turns" },
            },
            Evaluation = null,
            Training = _recipe.Training with { Steps = 4 },
        };
        RunResult result = Finish(recipe, "chat");
        string checkpoint = _folder["chat/" + result.FineTuning!.Checkpoint];
        string jinja = File.ReadAllText(Path.Combine(checkpoint, "chat_template.jinja"));
        Assert.Equal(ChatTemplate.TextsOf(recipe.Data.Template!), JinjaTemplate.Texts(jinja));

        ModelExport.Run(
            checkpoint,
            _folder["hf"],
            new ExportOptions { Format = ExportFormat.HuggingFace },
            cancellation: TestContext.Current.CancellationToken
        );
        Assert.Equal(jinja, File.ReadAllText(_folder["hf/chat_template.jinja"]));
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(_folder["hf/tokenizer_config.json"]));
        Assert.Equal(jinja, config.RootElement.GetProperty("chat_template").GetString());

        // Of a folder that has it in tokenizer_config.json alone, as older ones do, it is carried on.
        File.Delete(_folder["hf/chat_template.jinja"]);
        ModelImport.Run(_folder["hf"], _folder["imported"], cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(jinja, File.ReadAllText(_folder["imported/chat_template.jinja"]));
        ModelExport.Run(
            checkpoint,
            _folder["m.gguf"],
            new ExportOptions { Format = ExportFormat.Gguf },
            cancellation: TestContext.Current.CancellationToken
        );
        byte[] key = [.. "tokenizer.chat_template"u8, 8, 0, 0, 0]; // 8: a text
        byte[] file = File.ReadAllBytes(_folder["m.gguf"]);
        int at = file.AsSpan().IndexOf(key) + key.Length;
        Assert.True(at > key.Length);
        int length = (int)BitConverter.ToUInt64(file, at);
        Assert.Equal(jinja, System.Text.Encoding.UTF8.GetString(file, at + sizeof(ulong), length));
    }

    [Fact]
    public void ModelCard_HasTheRunsOwnFigures_AndNoneOfAnotherCheckpoint()
    {
        RunResult result = Finish(_recipe with { Lora = Lora }, "carded");
        string best = _folder["carded/" + result.FineTuning!.Checkpoint];
        ModelExport.Run(
            best,
            _folder["model"],
            new ExportOptions { Format = ExportFormat.HuggingFace },
            cancellation: TestContext.Current.CancellationToken
        );
        string card = File.ReadAllText(_folder["model/README.md"]);
        string Text(FormattableString text) => text.ToString(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Contains(Text($"| parameters | {result.StudentParameters:N0} |"), card, StringComparison.Ordinal);
        Assert.Contains(Text($"| all | {result.Final!.Loss:0.0000} |"), card, StringComparison.Ordinal);
        MetricChange parity = result.FineTuning.Tasks["parity"].Metrics["exact_match"];
        Assert.Contains(
            Text(
                $"- parity, exact_match: {parity.After:0.0000} over 20 items ({parity.Before:0.0000} before fine-tuning)"
            ),
            card,
            StringComparison.Ordinal
        );
        Assert.Contains("| rank of the adapters, merged in | 4 |", card, StringComparison.Ordinal);
        Assert.Contains("| data, by its name | examples.jsonl |", card, StringComparison.Ordinal);
        Assert.DoesNotContain(_folder.Path, card, StringComparison.Ordinal);
        Assert.Contains("| carded | fine-tuned |", card, StringComparison.Ordinal);
        Assert.Contains("# license: yours to choose", card, StringComparison.Ordinal);

        // The result speaks of the best checkpoint alone.
        int other = new CheckpointStore(_folder["carded"]).Steps().First(step => step != result.BestStep);
        ModelExport.Run(
            new CheckpointStore(_folder["carded"]).PathOf(other),
            _folder["other.gguf"],
            new ExportOptions { Format = ExportFormat.Gguf },
            cancellation: TestContext.Current.CancellationToken
        );
        string unmeasured = File.ReadAllText(_folder["other.gguf.md"]);
        Assert.Contains("Nothing is recorded for these weights.", unmeasured, StringComparison.Ordinal);
        Assert.DoesNotContain("| all |", unmeasured, StringComparison.Ordinal);

        // A model of another program: unknown, and said so.
        File.Delete(_folder["model/lineage.json"]);
        ModelExport.Run(
            _folder["model"],
            _folder["again"],
            new ExportOptions { Format = ExportFormat.HuggingFace },
            cancellation: TestContext.Current.CancellationToken
        );
        string foreign = File.ReadAllText(_folder["again/README.md"]);
        Assert.Contains("made elsewhere; nothing is recorded", foreign, StringComparison.Ordinal);
        Assert.Contains("the cost of one part is not recorded", foreign, StringComparison.Ordinal);
        Assert.Throws<ConfigurationException>(() =>
            ModelExport.Run(
                best,
                _folder["other.gguf"],
                new ExportOptions { Format = ExportFormat.Gguf },
                cancellation: TestContext.Current.CancellationToken
            )
        );
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Adapters_LeaveNothingToPackOrToRelease()
    {
        foreach (
            OptimizerConfig optimizer in (OptimizerConfig[])
                [
                    _recipe.Optimizer with
                    {
                        Weights = OptimizerWeightType.Split24,
                    },
                    _recipe.Optimizer with
                    {
                        Gradients = OptimizerGradients.Released,
                    },
                ]
        )
        {
            IValidated recipe = _recipe with { Lora = Lora, Optimizer = optimizer };
            Assert.Equal("lora", Assert.Single(recipe.Validate()).Key);
        }

        Assert.Empty(((IValidated)(_recipe with { Lora = Lora })).Validate());
    }

    private static LowRankConfig Lora => new() { Rank = 4, Targets = ["q_proj", "up_proj"] };

    private TrainState StateAfter(FineTuneConfig recipe, string name, int until)
    {
        using FineTuneRun run = FineTuneRun.Open(recipe, _folder[name], TinyRun.Quick);
        run.Training.Continue(until, TestContext.Current.CancellationToken);
        return run.Training.State;
    }

    private RunResult Finish(FineTuneConfig recipe, string name)
    {
        using FineTuneRun run = FineTuneRun.Open(recipe, _folder[name], TinyRun.Quick);
        run.Continue(TestContext.Current.CancellationToken);
        return run.Finish(TestContext.Current.CancellationToken);
    }

    // Trains up to a step, as a killed run does, and returns the weights.
    private float[] Train(FineTuneConfig recipe, string name, int until, bool resume = false)
    {
        using FineTuneRun run = FineTuneRun.Open(recipe, _folder[name], TinyRun.Quick with { Resume = resume });
        run.Training.Continue(until, TestContext.Current.CancellationToken);
        return run.Training.Student.Trained.FlatWeights.data<float>().ToArray();
    }

    private string[] Figures(string name) =>
        [
            .. File.ReadLines(_folder[$"{name}/{RunLayout.Metrics}"])
                .Select(line =>
                {
                    using var json = JsonDocument.Parse(line);
                    return string.Join(
                        ' ',
                        json.RootElement.EnumerateObject()
                            .Where(p =>
                                p.Name is not "seconds" && !p.Name.StartsWith("perf/", StringComparison.Ordinal)
                            )
                            .Select(p => p.ToString())
                    );
                }),
        ];
}
