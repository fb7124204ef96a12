using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Runs;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Runs;

// A step that reads nothing but the figures of the step before, on the processor: the same numbers as the plain twins', and its reads counted.
public class DeferredStepTests
{
    private const int Vocabulary = 61;
    private const int B = 3;
    private const int T = 16;
    private const int ChunkRows = 20; // 48 positions: three chunks, the last one shorter
    private static readonly OptimizerConfig Optimizing = new()
    {
        WeightDecay = 0.1,
        Betas = [0.9, 0.95],
        MaxGradientNorm = 0.5,
    };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Steps_AreThePlainTwins_WithFiguresOneStepLate(bool taught)
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer deferred = Model(24, trainable: true);
        using Transformer plain = Model(24, trainable: true);
        using LiveTeacher? teacher = taught ? new LiveTeacher(Model(16, trainable: false), 0.5) : null;
        using var step = new DeferredStep(deferred, teacher, Optimizing, Vocabulary, B, T, ChunkRows);
        using var head = new TensorLossHead(Vocabulary, plain.Config.VocabSize, ScalarType.Float32);
        using var optimizer = new PlainAdamW(plain.Parameters, Optimizing, threads: 1);
        var expected = new List<(LossSums Sums, double Norm)>();
        var found = new List<DeferredFigures>();
        for (int i = 0; i < 6; i++)
        {
            (Tensor inputs, long[] labels) = Batch(i);
            double omega = taught ? 0.9 - (0.1 * i) : 0;
            double rate = 1e-3 * (i + 1);
            DeferredFigures? before = step.Launch(
                inputs,
                tensor(labels),
                Counted(labels),
                omega,
                new UpdateStep(rate, 0)
            );
            Assert.Equal(i == 0, before is null);
            if (before is not null)
            {
                found.Add(before);
            }

            expected.Add(PlainStep(plain, teacher, head, optimizer, inputs, labels, omega, rate));
        }

        found.Add(step.Last());
        foreach ((DeferredFigures actual, (LossSums sums, double norm)) in found.Zip(expected))
        {
            Assert.True(actual.Applied);
            Assert.Equal(norm, actual.GradientNorm, 1e-5 * norm);
            double[] exact = sums.ToValues();
            double[] values = actual.Sums.ToValues();
            for (int i = 0; i < exact.Length; i++)
            {
                // float32 losses of 48 positions, which are summed in float64 on both sides; weights that six updates have rounded otherwise.
                Assert.Equal(exact[i], values[i], 1e-5 * Math.Max(1, Math.Abs(exact[i])));
            }
        }

        double size = plain.Parameters.FlatWeights.norm().item<float>();
        double difference = (plain.Parameters.FlatWeights - deferred.Parameters.FlatWeights).norm().item<float>();

        // The order in which AdamW's operator rounds: 6e-8 of a weight each update, and full steps for gradients that are almost 0.
        Assert.True(difference <= 1e-5 * size, $"weights differ by {difference / size:e2}");
        Assert.True(difference > 0 || !taught);
    }

    [Fact]
    public void AStep_ReadsTheFiguresOfTheOneBefore_AndNothingElse()
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(24, trainable: true);
        using var teacher = new LiveTeacher(Model(16, trainable: false), 0.5);
        using var step = new DeferredStep(model, teacher, Optimizing, Vocabulary, B, T, ChunkRows);
        for (int i = 0; i < 4; i++)
        {
            (Tensor inputs, long[] labels) = Batch(i);
            long before = HostReads.Count;
            step.Launch(inputs, tensor(labels), Counted(labels), 0.5, new UpdateStep(1e-3, 0));
            Assert.Equal(i == 0 ? 0 : 1, HostReads.Count - before);
        }

        // The counter sees what the plain twins read.
        using var head = new TensorLossHead(Vocabulary, model.Config.VocabSize, ScalarType.Float32);
        using var optimizer = new PlainAdamW(model.Parameters, Optimizing, threads: 1);
        (Tensor again, long[] known) = Batch(0);
        long plain = HostReads.Count;
        PlainStep(model, teacher, head, optimizer, again, known, 0.5, 1e-3);
        // All 48 rows are one chunk of the twin's: figures twice; the norm is own kernels' on the processor.
        Assert.Equal(2, HostReads.Count - plain);
    }

    // A tensor on the meta device has a shape and no numbers: whatever looked at one would fail. So the loss, its sums and its gradients launch without knowing any.
    [Fact]
    public void TheLoss_NeedsNoNumber()
    {
        using DisposeScope scope = NewDisposeScope();
        Device meta = META;
        Tensor sums = zeros(DeferredLoss.SumCount, ScalarType.Float64, meta);
        new DeferredLoss(Vocabulary, ChunkRows, ScalarType.Float32).Train(
            zeros(B * T, 24, device: meta),
            zeros(Vocabulary, 24, device: meta),
            zeros([B * T], ScalarType.Int64, meta),
            zeros([], ScalarType.Float32, meta),
            new LiveSoftLabels(zeros(B * T, 16, device: meta), zeros(Vocabulary, 16, device: meta), 0.5),
            B * T,
            sums,
            zeros(B * T, 24, device: meta),
            zeros(Vocabulary, 24, device: meta)
        );
        Assert.ThrowsAny<Exception>(() => HostReads.Number(sums.sum())); // and a read does fail
    }

    // libtorch has no embedding on the meta device; the passes are held by their text instead.
    [Theory]
    [InlineData("Models/Transformer.cs")]
    [InlineData("Models/TrainingPass.cs")]
    [InlineData("Models/TensorMath.cs")]
    [InlineData("Models/RotaryTables.cs")]
    [InlineData("Losses/DeferredLoss.cs")]
    [InlineData("Optimization/DeferredAdamW.cs")]
    [InlineData("Runs/DeferredStep.cs")]
    public void TheFilesOfAStep_TakeNothingFromADevice(string file)
    {
        string text = File.ReadAllText(Path.Combine(RepositoryFolder.Path, "src", "Saltern", file));
        Assert.All(
            new[] { ".item<", ".cpu()", ".data<", "ToSingle()", "ToDouble()", ".nonzero(", ".masked_select(" },
            read => Assert.DoesNotContain(read, text, StringComparison.Ordinal)
        );
    }

    [Fact]
    public void ALossThatIsNoNumber_ChangesNothing_AndTheNextStepGoesOn()
    {
        using DisposeScope scope = NewDisposeScope();
        using Transformer model = Model(24, trainable: true);
        using var teacher = new LiveTeacher(Model(16, trainable: false), 1);
        using var step = new DeferredStep(model, teacher, Optimizing, Vocabulary, B, T, ChunkRows);
        (Tensor inputs, long[] labels) = Batch(0);
        Tensor start = model.Parameters.FlatWeights.detach().clone();
        step.Launch(inputs, tensor(labels), Counted(labels), double.NaN, new UpdateStep(1e-3, 0));
        Assert.Equal(0, (model.Parameters.FlatWeights - start).abs().max().item<float>());
        DeferredFigures? first = step.Launch(inputs, tensor(labels), Counted(labels), 0.5, new UpdateStep(1e-3, 0));
        Assert.False(first!.Applied);
        Assert.True(step.Last().Applied);

        // As the first update of a fresh optimizer: the step that was left out is not counted, and its gradient is not in the moments.
        using Transformer fresh = Model(24, trainable: true);
        using var other = new DeferredStep(fresh, teacher, Optimizing, Vocabulary, B, T, ChunkRows);
        other.Launch(inputs, tensor(labels), Counted(labels), 0.5, new UpdateStep(1e-3, 0));
        Assert.Equal(0, (model.Parameters.FlatWeights - fresh.Parameters.FlatWeights).abs().max().item<float>());
    }

    [Fact]
    public void WhatSuchAStepCannotDo_IsRefused()
    {
        using Transformer model = Model(24, trainable: true);
        OptimizerConfig muon = Optimizing with { Kind = OptimizerKind.Muon };
        Assert.Contains(
            "optimizer.kind: adamw",
            Assert
                .Throws<ConfigurationException>(() => new DeferredStep(model, null, muon, Vocabulary, B, T, ChunkRows))
                .Message,
            StringComparison.Ordinal
        );
        model.UsesKernels = true;
        Assert.Contains(
            "passes in libtorch's operations",
            Assert
                .Throws<ConfigurationException>(() =>
                    new DeferredStep(model, null, Optimizing, Vocabulary, B, T, ChunkRows)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    private static (LossSums Sums, double Norm) PlainStep(
        Transformer model,
        LiveTeacher? teacher,
        LossHead head,
        PlainAdamW optimizer,
        Tensor inputs,
        long[] labels,
        double omega,
        double rate
    )
    {
        model.Parameters.ZeroGradients();
        using TrainingPass pass = model.Train(inputs);
        var losses = new PositionLosses(B * T);
        Tensor hiddenGradient = empty_like(pass.Hidden);
        using Tensor headGradient = model.HeadGradient();
        head.Train(
            new LossRequest
            {
                HiddenStates = pass.Hidden,
                Head = model.Head,
                Labels = labels,
                Teacher = teacher?.Run(inputs),
                Omega = [.. Enumerable.Repeat((float)omega, B * T)],
            },
            Counted(labels),
            losses,
            hiddenGradient,
            headGradient
        );
        pass.Backward(hiddenGradient);
        var sums = new LossSums();
        sums.Add(losses, 0, B * T);
        double norm = optimizer.GradientNorm();
        optimizer.Update(rate, norm);
        return (sums, norm);
    }

    private static (Tensor Inputs, long[] Labels) Batch(int step)
    {
        var random = new Random(step);
        long[] ids = [.. Enumerable.Range(0, B * T).Select(_ => (long)random.Next(Vocabulary))];
        long[] labels = [.. ids.Select((id, i) => i % 9 == 4 ? -1 : id * 7 % Vocabulary)];
        return (tensor(ids, B, T), labels);
    }

    private static long Counted(long[] labels) => labels.Count(label => label >= 0);

    private static Transformer Model(int hidden, bool trainable)
    {
        TransformerConfig shape = new TransformerConfig
        {
            HiddenSize = hidden,
            NumHiddenLayers = 2,
            NumAttentionHeads = 2,
            IntermediateSize = 32,
        }.Resolve(Vocabulary, T);
        var model = new Transformer(shape, trainable) { UsesKernels = false };
        model.Initialize(hidden);
        return model;
    }
}
