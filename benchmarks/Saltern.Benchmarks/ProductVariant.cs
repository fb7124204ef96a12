using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Benchmarks;

/// <summary>The step as Saltern's trainer makes it, with single paths switched off by the variant's name: <c>fused</c> (all), <c>layers-off</c>, <c>loss-off</c>.</summary>
internal sealed class ProductVariant : IStepVariant
{
    private readonly Transformer _student;
    private readonly LiveTeacher? _teacher;
    private readonly LossHead _head;
    private readonly AdamW _optimizer;
    private readonly PositionLosses _losses;
    private readonly float[] _weights;

    public ProductVariant(Shape shape, bool distils, double weight, double temperature, Options options)
    {
        string variant = options.Text("variant", "fused");
        int threads = options.Number("threads", 1);
        ScalarType products = TypeOf(options.Text("precision", "fp32"));
        int positions = shape.Sequences * shape.Length;
        int vocabulary = shape.Student.VocabSize;
        _student = new Transformer(shape.Student, trainable: true)
        {
            Recomputes = options.Has("recompute"),
            ProductType = products,
        };
        _student.Initialize(1);
        if (distils)
        {
            var teacher = new Transformer(shape.Teacher, trainable: false);
            teacher.Initialize(2);
            teacher.UsesKernels = variant != "layers-off";
            teacher.ProductType = TypeOf(options.Text("teacher-precision", options.Text("precision", "fp32")));
            _teacher = new LiveTeacher(teacher, temperature);
        }

        _student.UsesKernels = variant != "layers-off";
        _head =
            variant == "loss-off"
                ? new TensorLossHead(vocabulary, vocabulary)
                : new FusedLossHead(vocabulary, vocabulary, threads, products);
        _optimizer = new AdamW(_student.Parameters, new OptimizerConfig { LearningRate = 1e-3 }, threads);
        _losses = new PositionLosses(positions);
        _weights = [.. Enumerable.Repeat((float)weight, positions)];
    }

    public double Step(Tensor tokens, long[] labels, bool distils)
    {
        using DisposeScope scope = NewDisposeScope();
        _student.Parameters.ZeroGradients();
        using TrainingPass pass = _student.Train(tokens);
        Tensor hiddenGradient = empty_like(pass.Hidden);
        var request = new LossRequest
        {
            HiddenStates = pass.Hidden,
            Head = _student.Head,
            Labels = labels,
            Teacher = distils ? Teach(tokens) : null,
            Omega = _weights,
        };
        using (Tensor headGradient = _student.HeadGradient())
        {
            _head.Train(request, labels.Length, _losses, hiddenGradient, headGradient);
        }

        pass.Backward(hiddenGradient);
        using (StepProfile.Of(StepPart.Optimizer))
        {
            _optimizer.Update(1e-3, _optimizer.GradientNorm());
        }

        return _losses.Loss.Average(loss => (double)loss);
    }

    private static ScalarType TypeOf(string precision) =>
        precision == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;

    private LiveSoftLabels? Teach(Tensor tokens)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Teacher);
        return _teacher?.Run(tokens);
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _head.Dispose();
        _teacher?.Dispose();
        _student.Dispose();
    }
}
