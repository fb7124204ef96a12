using Saltern.Batches;
using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>W, which brings the student's hidden states into the teacher's width, with its gradient and its own optimizer.</summary>
internal sealed class AlignmentProjection : IDisposable
{
    /// <summary>Name of W in a checkpoint.</summary>
    public const string WeightName = "alignment.projection.weight";

    private readonly ParameterSet _parameters;
    private readonly Optimizer _optimizer;
    private readonly OptimizerTensor _weight;

    /// <summary>Makes W, normal with deviation 1/√D, so that projected states are as long as the student's.</summary>
    /// <param name="studentWidth">D, columns of W.</param>
    /// <param name="teacherWidth">D′, rows of W.</param>
    /// <param name="optimizer">The student's update rule.</param>
    /// <param name="seed">Decides W's first values.</param>
    /// <param name="device">Where the student lives.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    public AlignmentProjection(
        int studentWidth,
        int teacherWidth,
        OptimizerConfig optimizer,
        long seed,
        Device device,
        int threads
    )
    {
        var layout = new ParameterLayout();
        layout.Add(studentWidth, (WeightName, teacherWidth));
        _parameters = new ParameterSet(layout, trainable: true, device: device);
        _optimizer = Optimizer.Create(_parameters, optimizer, threads, seed: seed);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using var generator = new Generator(KeyedPermutation.Mix((ulong)seed), CPU);
        Tensor weight = _parameters.Weight(layout.Slices.Single()).DetachFromDisposeScope();
        weight.copy_(
            randn(weight.shape, ScalarType.Float32, CPU, generator: generator).mul_(1.0 / Math.Sqrt(studentWidth))
        );
        _weight = new OptimizerTensor(WeightName, weight);
    }

    /// <summary>W, [D′, D]; owned by this.</summary>
    public Tensor Weight => _weight.Values;

    /// <summary>Where ∂ℒ/∂W is added up, of W's shape.</summary>
    public Tensor Gradient => _parameters.Gradient(0);

    /// <summary>Values of W.</summary>
    public long Count => _parameters.Layout.ParameterCount;

    /// <summary>W and what its optimizer remembers, as a checkpoint keeps them; owned by this.</summary>
    public IReadOnlyList<OptimizerTensor> State => [_weight, .. _optimizer.State];

    /// <summary>Updates made of W; a resumed run sets it.</summary>
    public long UpdateCount
    {
        get => _optimizer.UpdateCount;
        set => _optimizer.UpdateCount = value;
    }

    /// <summary>Sets ∂ℒ/∂W to zero.</summary>
    public void ZeroGradient() => _parameters.ZeroGradients();

    /// <summary>‖∂ℒ/∂W‖₂.</summary>
    public double GradientNorm() => _optimizer.GradientNorm();

    /// <summary>One update of W.</summary>
    /// <param name="step">With the norm that <see cref="GradientNorm"/> found.</param>
    public void Update(UpdateStep step) => _optimizer.Update(step);

    /// <summary>Gives W and its optimizer's state back to the system.</summary>
    public void Dispose()
    {
        _optimizer.Dispose();
        _weight.Values.Dispose();
        _parameters.Dispose();
    }
}
