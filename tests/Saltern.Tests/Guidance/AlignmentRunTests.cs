using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Cli.Demo;
using Saltern.Configuration;
using Saltern.Corpora;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tests.Runs;
using Saltern.Tokenization;

namespace Saltern.Tests.Guidance;

// Runs whose teacher has a tokenizer of its own.
public sealed class AlignmentRunTests : IClassFixture<OtherTokenizerTeacher>, IDisposable
{
    private static readonly AlignmentConfig Linear = new()
    {
        Weight = 0.5,
        Start = StepPoint.FromSteps(4),
        End = StepPoint.FromSteps(26),
    };
    private const string AlignmentFile = "alignment.safetensors";
    private readonly OtherTokenizerTeacher _teacher;
    private readonly TemporaryFolder _folder = new();

    public AlignmentRunTests(OtherTokenizerTeacher teacher) => _teacher = teacher;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(OptimizerKind.Adamw, 14)]
    [InlineData(OptimizerKind.Muon, 14)]
    [InlineData(OptimizerKind.Adafactor, 14)]
    [InlineData(OptimizerKind.Adamw, 34)]
    public void ResumedRun_IsBitForBitTheUninterruptedOne(OptimizerKind optimizer, int cutAfter)
    {
        // Stage 1 ends after step 25: the first cut falls into it, the last one behind it.
        RunConfig config = Aligned(40, Linear) with
        {
            Optimizer = new OptimizerConfig { Kind = optimizer, LearningRate = 3e-3 },
        };
        float[] whole = Train(config, "whole", 40);
        Train(config, "cut", cutAfter);
        Assert.Equal(whole, Train(config, "cut", 40, resume: true));
        Assert.Equal(Series("whole", "train/loss"), Series("cut", "train/loss"));
    }

    [Fact]
    public void TheProjection_IsInCheckpointsOfStageOneOnly_AndInNoModel()
    {
        RunConfig config = Aligned(40, Linear) with { Training = Aligned(40, Linear).Training with { KeepEvery = 10 } };
        Train(config, "run", 40);
        var store = new CheckpointStore(_folder["run"]);
        Assert.Equal(
            [10, 20],
            store.Steps().Where(step => File.Exists(Path.Combine(store.PathOf(step), AlignmentFile)))
        );
        string[] inStage =
        [
            .. SafeTensorsFile
                .ReadHeader(Path.Combine(store.PathOf(20), ModelFolder.WeightsFile))
                .Select(entry => entry.Name),
        ];
        Assert.DoesNotContain(inStage, name => name.Contains("alignment", StringComparison.Ordinal));
        Assert.Equal(
            inStage,
            SafeTensorsFile
                .ReadHeader(Path.Combine(store.PathOf(40), ModelFolder.WeightsFile))
                .Select(entry => entry.Name)
        );

        // Without it stage 1 cannot go on.
        File.Delete(Path.Combine(store.PathOf(20), AlignmentFile));
        File.Delete(Path.Combine(store.PathOf(20), CheckpointManifest.FileName));
        CheckpointManifest.Write(store.PathOf(20));
        foreach (int later in new[] { 30, 40 })
        {
            Directory.Delete(store.PathOf(later), recursive: true);
        }

        Assert.Contains(
            "has no alignment.safetensors",
            Assert
                .Throws<CheckpointException>(() =>
                    TrainingRun.Open(config, _folder["run"], TinyRun.Quick with { Resume = true })
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void FiguresOfAStep_AddUp_AndEndWithStageOne()
    {
        RunConfig config = Aligned(40, Linear) with { Training = Aligned(40, Linear).Training with { LogEvery = 1 } };
        using TrainingRun run = TrainingRun.Open(config, _folder["run"], TinyRun.Quick);
        Assert.Contains(
            run.Description(),
            line => line.Contains("its last layer guides layer 1 of 2; λ₀ = 0.5", StringComparison.Ordinal)
        );
        run.Continue(25, CancellationToken.None);
        Assert.True(run.Guidance.IsActive);
        double flops = run.State.TeacherFlops;
        run.Continue(40, CancellationToken.None);
        Assert.False(run.Guidance.IsActive);
        Assert.Equal((25, flops), (run.State.Stage1LastStep, run.State.TeacherFlops));
        RunResult result = run.Finish();
        Assert.Equal(("aligned", 25), (result.Arm, result.Stage1EndStep));
        Assert.Equal("other-teacher", result.Teacher!.Name);
        Assert.True(result.Teacher.TrainingFlops > 0);

        double[] weight = Series("run", "train/weight");
        double[] distance = Series("run", "train/alignment_distance");
        double[] loss = Series("run", "train/loss");
        double[] nll = Series("run", "train/student_nll");
        Assert.Equal(25, distance.Length);
        for (int i = 0; i < distance.Length; i++)
        {
            double lambda = i + 1 <= 4 ? 0.5 : 0.5 * (26 - (i + 1)) / 22; // λ₀·(n₂ − j)/(n₂ − n₁)
            Assert.Equal(lambda, weight[i], 12);
            Assert.Equal(nll[i] + (lambda * distance[i]), loss[i], 12);
        }

        Assert.Equal(nll[25..], loss[25..]);
        Assert.All(Series("run", "train/aligned"), share => Assert.InRange(share, 0.9, 1));
        Assert.True(distance[^1] < distance[0] - 0.2, $"the distance went from {distance[0]} to {distance[^1]}"); // it learns

        // Teacher's forward over its own tokens, head left out, and W's products: at least the tokens that carry text, at most a row twice as long.
        RunRecord record = RunRecord.Load(_folder["run"]);
        double projection = 6.0 * 16 * 24 * distance.Length * 8 * 32;
        double share = (record.Result.TeacherFlops - projection) / (25 * 8 * 32);
        Assert.InRange(
            share,
            ModelFlops.ForwardPerToken(OtherTokenizerTeacher.Shape with { VocabSize = 0 }, 32),
            2 * ModelFlops.ForwardPerToken(OtherTokenizerTeacher.Shape with { VocabSize = 0 }, 64)
        );
    }

    [Theory]
    [InlineData(4)]
    [InlineData(1)]
    public void MicroBatches_GiveTheSameStep(int microBatch)
    {
        // The term is divided by the aligned positions of the whole batch; rounding apart, any split is the same.
        RunConfig config = Aligned(3, new AlignmentConfig { Weight = 2, Transition = TransitionKind.Constant });
        float[] whole = Train(config, "whole", 3);
        float[] split = Train(
            config with
            {
                Training = config.Training with { MicroBatchSequences = microBatch },
            },
            "split",
            3
        );
        AssertClose(whole, split, 1e-5);
        Assert.Equal(Series("whole", "train/loss")[^1], Series("split", "train/loss")[^1], 5);
    }

    [Fact]
    public void OwnKernelsAndOperations_GiveTheSameSteps()
    {
        // Three updates by AdamW, whose first ones are near ±η whatever the gradient's size, so rounding shows where gradients are near zero.
        RunConfig config = Aligned(3, new AlignmentConfig { Weight = 1, Transition = TransitionKind.Constant });
        float[] fused = Train(config, "fused", 3);
        float[] plain = Train(config with { Kernels = KernelChoice.Plain }, "plain", 3);
        AssertClose(fused, plain, 1e-3);
        Assert.Equal(Series("fused", "train/loss")[^1], Series("plain", "train/loss")[^1], 5);
        Assert.Equal(
            Series("fused", "train/alignment_distance")[^1],
            Series("plain", "train/alignment_distance")[^1],
            5
        );
    }

    [Fact]
    public void WeightZero_IsPlainTrainingToTheLastBit_AndAWeightIsNot()
    {
        float[] plain = Train(TinyRun.Shared.Plain("plain", 6), "plain", 6);
        Assert.Equal(
            plain,
            Train(Aligned(6, new AlignmentConfig { Weight = 0, Transition = TransitionKind.Constant }), "zero", 6)
        );
        Assert.NotEqual(
            plain,
            Train(Aligned(6, new AlignmentConfig { Weight = 0.1, Transition = TransitionKind.Constant }), "some", 6)
        );
    }

    [Fact]
    public void MaskedDocuments_AndInnerTeacherLayers_Train()
    {
        RunConfig config = Aligned(
            4,
            new AlignmentConfig
            {
                Weight = 0.5,
                Transition = TransitionKind.Constant,
                TeacherLayer = 1,
            }
        );
        config = config with { Data = config.Data with { MaskDocuments = true } };
        Assert.All(Train(config, "masked", 4), w => Assert.True(float.IsFinite(w)));
        Assert.All(Series("masked", "train/aligned"), share => Assert.InRange(share, 0.5, 1));
    }

    [Fact]
    public void LayersThatAreNotThere_AndATeacherWithoutTokenizer_AreRefused()
    {
        string Refusal(RunConfig config) =>
            Assert
                .Throws<ConfigurationException>(() => TrainingRun.Open(config, _folder["never"], TinyRun.Quick))
                .Message;
        Assert.Contains(
            "alignment.student_layer = 2 is not inside the student's 2 layers. Give a layer from 1 to 1",
            Refusal(Aligned(10, Linear with { StudentLayer = 2, End = StepPoint.FromSteps(8) })),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "alignment.teacher_layer = 3 is above the teacher's 2 layers",
            Refusal(Aligned(10, Linear with { TeacherLayer = 3, End = StepPoint.FromSteps(8) })),
            StringComparison.Ordinal
        );
        string bare = _folder["bare"];
        Directory.CreateDirectory(bare);
        foreach (string name in new[] { ModelFolder.ConfigFile, ModelFolder.WeightsFile })
        {
            File.Copy(Path.Combine(ModelLocation.Resolve(_teacher.Folder), name), Path.Combine(bare, name));
        }

        RunConfig config = Aligned(30, Linear);
        Assert.Contains(
            "has no tokenizer.json, so the sample's text cannot be put into its tokens",
            Refusal(config with { Teacher = config.Teacher! with { Path = bare } }),
            StringComparison.Ordinal
        );
        RunConfig distilling = TinyRun.Shared.Salt(
            "salt",
            10,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        Assert.Contains(
            "replace the section distillation by 'alignment:",
            Refusal(distilling with { Teacher = distilling.Teacher! with { Path = _teacher.Folder } }),
            StringComparison.Ordinal
        );
        Assert.False(Directory.Exists(_folder["never"]));
    }

    [Fact]
    public void WhatAlignmentCannotDo_IsListedBeforeAnythingIsOpened()
    {
        RunConfig config = TinyRun.Shared.Plain("aligned", 10) with
        {
            Teacher = new Saltern.Guidance.TeacherConfig { Cache = "teach", Temperature = 0.5 },
            Alignment = new AlignmentConfig { Transition = TransitionKind.Constant },
            Distillation = new DistillationConfig { Weight = 0, Transition = TransitionKind.Constant },
            Objective = new ObjectiveConfig { Causal = 0.5, Prefix = 0.5 },
            Selection = new Saltern.Selection.SelectionConfig { Path = "select", Until = StepPoint.FromShare(0.5) },
        };
        Assert.Equal(
            ["alignment", "teacher.cache", "teacher.temperature", "objective", "selection"],
            config.Validate().Select(problem => problem.Key)
        );
        Assert.Equal(
            ["teacher"],
            (
                TinyRun.Shared.Plain("aligned", 10) with
                {
                    Alignment = new AlignmentConfig { Transition = TransitionKind.Constant },
                }
            )
                .Validate()
                .Select(problem => problem.Key)
        );
        Assert.Contains(
            "steps 8 and 12 of 10",
            Assert
                .Single(
                    (
                        Aligned(
                            10,
                            new AlignmentConfig { Start = StepPoint.FromSteps(8), End = StepPoint.FromSteps(12) }
                        )
                    ).Validate()
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void KeysOfTheScheduleThatAreMissingOrOfNoUse_AreNamed()
    {
        static string[] Keys(AlignmentConfig config) => [.. config.Validate().Select(problem => problem.Key)];
        Assert.Equal(["start"], Keys(new AlignmentConfig()));
        Assert.Equal(["end"], Keys(new AlignmentConfig { Start = StepPoint.FromSteps(0) }));
        Assert.Equal(["transition"], Keys(new AlignmentConfig { Transition = TransitionKind.Auto }));
        Assert.Equal(
            ["weight"],
            Keys(
                new AlignmentConfig
                {
                    Weight = 2,
                    Transition = TransitionKind.LinearRatio,
                    Start = StepPoint.FromSteps(0),
                    End = StepPoint.FromSteps(5),
                }
            )
        );
        Assert.Equal(
            ["end", "start"],
            Keys(
                new AlignmentConfig
                {
                    Transition = TransitionKind.Constant,
                    Start = StepPoint.FromSteps(0),
                    End = StepPoint.FromSteps(5),
                }
            )
        );
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(4, 1)]
    [InlineData(6, 2)]
    [InlineData(24, 8)]
    public void StudentLayer_IsAThirdOfTheWayUp(int layers, int expected)
    {
        if (layers == 1)
        {
            Assert.Contains(
                "not inside the student's 1 layers",
                Assert.Throws<ConfigurationException>(() => new AlignmentConfig().ResolveStudentLayer(layers)).Message,
                StringComparison.Ordinal
            );
            return;
        }

        Assert.Equal(expected, new AlignmentConfig().ResolveStudentLayer(layers));
    }

    private RunConfig Aligned(int steps, AlignmentConfig alignment) =>
        TinyRun.Shared.Plain("aligned", steps) with
        {
            Teacher = new Saltern.Guidance.TeacherConfig { Path = _teacher.Folder },
            Alignment = alignment,
        };

    private float[] Train(RunConfig config, string name, int until, bool resume = false)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick with { Resume = resume });
        run.Continue(until, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    private double[] Series(string run, string name) =>
        [
            .. MetricsTable
                .Parse(File.ReadLines(Path.Combine(_folder[run], RunLayout.Metrics)), run)
                .Series(name)
                .Select(point => point.Value),
        ];

    private static void AssertClose(float[] expected, float[] actual, double relative)
    {
        double difference = Math.Sqrt(expected.Zip(actual, (a, b) => Math.Pow(a - b, 2)).Sum());
        double size = Math.Sqrt(expected.Sum(w => (double)w * w));
        Assert.True(difference <= relative * size, $"weights differ by {difference / size:e2}");
    }
}

/// <summary>A teacher for <see cref="TinyRun"/>'s text whose tokenizer is another one.</summary>
public sealed class OtherTokenizerTeacher : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public OtherTokenizerTeacher()
    {
        TextDocument[] documents = [.. GeneratedText.Generate(3, 300_000)];
        BpeTokenizer tokenizer = BpeTrainer.Train(
            documents.Select(document => document.Text),
            new BpeTrainerOptions { VocabularySize = 280 }
        );
        DatasetBuilder.Build(
            documents,
            null,
            tokenizer,
            _folder["data"],
            new DatasetBuilderOptions { ValidPercent = 10 }
        );
        RunConfig plain = TinyRun.Shared.Plain("other-teacher", 30);
        using TrainingRun run = TrainingRun.Open(
            plain with
            {
                Data = plain.Data with { Path = _folder["data"] },
                Model = TinyRun.TeacherShape with { MaxPositionEmbeddings = 128 },
            },
            Folder,
            TinyRun.Quick
        );
        run.Continue(30, CancellationToken.None);
        run.Finish();
    }

    internal static TransformerConfig Shape => TinyRun.TeacherShape.Resolve(280, 128);

    public string Folder => _folder["teacher"];

    public void Dispose() => _folder.Dispose();
}
