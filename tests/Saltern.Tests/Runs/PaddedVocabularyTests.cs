using Saltern.Checkpoints;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.RunFiles;
using Saltern.Runs;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Runs;

// Heads with more rows than the tokenizer has ids, on either side: 300 ids, 304 rows in the teacher, 317 in the student.
public sealed class PaddedVocabularyTests : IDisposable
{
    private const int Ids = 300;
    private const int TeacherRows = 304;
    private const int StudentRows = 317;
    private readonly TemporaryFolder _folder = new();

    public PaddedVocabularyTests()
    {
        // The shared teacher with rows that would win every softmax, and its tokenizer.
        using DisposeScope scope = NewDisposeScope();
        string from = ModelLocation.Resolve(TinyRun.Shared.TeacherFolder);
        using Transformer teacher = ModelFolder.Load(from, trainable: false);
        using var padded = new Transformer(teacher.Config with { VocabSize = TeacherRows }, trainable: false);
        using (no_grad())
        {
            foreach (ParameterSlice slice in teacher.Parameters.Layout.Slices)
            {
                Tensor weight = teacher.Parameters.Weight(slice);
                Tensor to = padded.Parameters.Weight(
                    padded.Parameters.Layout.Slices.Single(other => other.Name == slice.Name)
                );
                to.fill_(1000).narrow(0, 0, weight.shape[0]).copy_(weight);
            }
        }

        Directory.CreateDirectory(_folder["teacher"]);
        ModelFolder.Save(_folder["teacher"], padded);
        File.Copy(
            Path.Combine(from, ModelFolder.TokenizerFile),
            Path.Combine(_folder["teacher"], ModelFolder.TokenizerFile)
        );
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(KernelChoice.Fused)]
    [InlineData(KernelChoice.Plain)]
    public void LiveTeacher_TeachesWhatItWouldTeachWithoutPadding(KernelChoice kernels)
    {
        RunConfig config = Salt(StudentRows) with { Kernels = kernels };
        float[] padded = Train(config with { Teacher = config.Teacher! with { Path = _folder["teacher"] } }, "padded");
        float[] plain = Train(config, "plain");
        AssertClose(plain, padded);
        Assert.Equal(Figure("plain", "train/teacher_nll"), Figure("padded", "train/teacher_nll"), 5);
        Assert.Equal(Figure("plain", "valid/gap"), Figure("padded", "valid/gap"), 5);
    }

    [Theory]
    [InlineData(CacheMode.Sampled)]
    [InlineData(CacheMode.TopK)]
    public void CachedTeacher_TeachesWhatItWouldTeachWithoutPadding(CacheMode mode)
    {
        RunConfig config = Salt(StudentRows);
        foreach (
            (string name, string teacher) in new[]
            {
                ("plain", TinyRun.Shared.TeacherFolder),
                ("padded", _folder["teacher"]),
            }
        )
        {
            TeachRun.Pass(
                new TeachRequest
                {
                    Teacher = teacher,
                    Recipe = config,
                    Stage1Only = true,
                    Out = _folder["teach-" + name],
                    Mode = mode,
                    Draws = mode == CacheMode.Sampled ? 12 : null,
                    Kept = mode == CacheMode.TopK ? 9 : null,
                    Threads = 2,
                },
                _ => { },
                cancellation: TestContext.Current.CancellationToken
            );
            Train(config with { Teacher = new TeacherConfig { Cache = _folder["teach-" + name] } }, name);
        }

        Assert.Equal(Figure("plain", "train/teacher_nll"), Figure("padded", "train/teacher_nll"), 5);
        // a draw on the border of two tokens may fall to the other one
        Assert.Equal(Figure("plain", "train/ce_teacher_student"), Figure("padded", "train/ce_teacher_student"), 3);
    }

    [Theory]
    [InlineData(KernelChoice.Fused)]
    [InlineData(KernelChoice.Plain)]
    public void PaddedRowsOfTheStudent_GetNoGradientAtAll(KernelChoice kernels)
    {
        // Without weight decay a row without gradient keeps its first bits.
        RunConfig config = Salt(StudentRows) with
        {
            Kernels = kernels,
            Optimizer = new OptimizerConfig { LearningRate = 3e-3, WeightDecay = 0 },
        };
        config = config with { Teacher = config.Teacher! with { Path = _folder["teacher"] } };
        using TrainingRun run = TrainingRun.Open(config, _folder["run"], TinyRun.Quick);
        float[] before = Embedding(run.Student, StudentRows);
        run.Continue(6, CancellationToken.None);
        float[] after = Embedding(run.Student, StudentRows);
        int real = Ids * run.Student.Config.HiddenSize;
        Assert.Equal(before[real..], after[real..]);
        Assert.Contains(Enumerable.Range(0, real), i => before[i] != after[i]);
        using Tensor gradient = run.Student.HeadGradient().narrow(0, Ids, StudentRows - Ids);
        Assert.Equal(0, gradient.abs().max().item<float>());
    }

    [Fact]
    public void EvaluationAndGeneration_KnowRealIdsOnly()
    {
        // The padding rows would win everywhere if they took part.
        using DisposeScope scope = NewDisposeScope();
        using TrainingRun run = TrainingRun.Open(Salt(StudentRows), _folder["run"], TinyRun.Quick);
        run.Continue(6, CancellationToken.None);
        RunResult before = run.Finish();
        using (no_grad())
        {
            run.Student.Head.detach().narrow(0, Ids, StudentRows - Ids).fill_(1000);
        }

        RunResult after = run.Finish();
        Assert.Equal(before.Final!.Loss, after.Final!.Loss, 6);
        Assert.Equal(before.TextSamples, after.TextSamples);
        int[] text =
        [
            .. TextGenerator.Generate(
                run.Student,
                [1, 2, 3],
                endOfText: -1,
                Ids,
                new SamplingOptions { MaxTokens = 200, Temperature = 2 },
                TestContext.Current.CancellationToken
            ),
        ];
        Assert.Equal(200, text.Length);
        Assert.All(text, id => Assert.InRange(id, 0, Ids - 1));
    }

    private static RunConfig Salt(int rows)
    {
        RunConfig config = TinyRun.Shared.Salt(
            "padded",
            6,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        return config with
        {
            Model = config.Model with { VocabSize = rows },
            Training = config.Training with { EvaluateEvery = 6 },
        };
    }

    private float[] Train(RunConfig config, string name)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick);
        run.Continue(6, CancellationToken.None);
        return run.Student.Parameters.FlatWeights.data<float>().ToArray();
    }

    private double Figure(string run, string name) =>
        MetricsTable.Parse(File.ReadLines(Path.Combine(_folder[run], RunLayout.Metrics)), run).Series(name)[^1].Value;

    private static float[] Embedding(Transformer model, int rows) =>
        model.Head.detach().data<float>().ToArray()[..(rows * model.Config.HiddenSize)];

    // A product with more columns may round otherwise; AdamW's first updates make that visible where gradients are near zero.
    private static void AssertClose(float[] expected, float[] actual)
    {
        double difference = Math.Sqrt(expected.Zip(actual, (a, b) => Math.Pow(a - b, 2)).Sum());
        double size = Math.Sqrt(expected.Sum(w => (double)w * w));
        Assert.True(difference <= 1e-3 * size, $"weights differ by {difference / size:e2}");
    }
}
