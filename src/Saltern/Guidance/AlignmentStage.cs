// Stage 1 by hidden states: teacher, projection W and W's own optimizer, in memory as long as λ is above 0 (docs/alignment.md).
using Saltern.Batches;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>What alignment did in one step.</summary>
/// <param name="Weight">λ_j.</param>
/// <param name="Positions">A: positions with a teacher token, of the global batch.</param>
/// <param name="Distance">Σ (1 − cos) over them.</param>
public sealed record AlignmentReport(double Weight, long Positions, double Distance)
{
    /// <summary>The term of the loss: λ·mean(1 − cos), 0 where nothing is aligned.</summary>
    public double Term => Positions == 0 ? 0 : Weight * Distance / Positions;
}

/// <summary>Aligns an inner layer of the student with a layer of the teacher, and learns the projection between them.</summary>
/// <remarks>W is updated by the student's rule, schedule and clipping norm, but its gradient is measured and clipped apart, so that the student's clipping is what it would be.</remarks>
public sealed class AlignmentStage : IDisposable
{
    /// <summary>Name of W in a checkpoint.</summary>
    public const string ProjectionName = "alignment.projection.weight";

    private readonly AlignmentTeacher _teacher;
    private readonly ParameterSet _projection;
    private readonly Optimizer _optimizer;
    private readonly ParallelOptions _workers;
    private readonly OptimizerTensor _weight;
    private AlignedBatch? _batch;
    private double _distance;
    private double _flops;

    /// <summary>Makes W, normal with deviation 1/√D, so that projected states are as long as the student's.</summary>
    /// <param name="teacher">Taken over.</param>
    /// <param name="student">Shape of the student.</param>
    /// <param name="studentLayer">Layer whose output is aligned, from 1 to L − 1.</param>
    /// <param name="optimizer">The student's update rule.</param>
    /// <param name="seed">Decides W's first values.</param>
    /// <param name="device">Where the student lives.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    public AlignmentStage(
        AlignmentTeacher teacher,
        TransformerConfig student,
        int studentLayer,
        OptimizerConfig optimizer,
        long seed,
        Device device,
        int threads
    )
    {
        (_teacher, StudentLayer) = (teacher, studentLayer);
        _workers = new ParallelOptions { MaxDegreeOfParallelism = threads };
        var layout = new ParameterLayout();
        layout.Add(student.HiddenSize, (ProjectionName, teacher.Config.HiddenSize));
        _projection = new ParameterSet(layout, trainable: true, device: device);
        _optimizer = Optimizer.Create(_projection, optimizer, threads);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using var generator = new Generator(KeyedPermutation.Mix((ulong)seed), CPU);
        Tensor weight = _projection.Weight(layout.Slices.Single()).DetachFromDisposeScope();
        weight.copy_(
            randn(weight.shape, ScalarType.Float32, CPU, generator: generator).mul_(1.0 / Math.Sqrt(student.HiddenSize))
        );
        _weight = new OptimizerTensor(ProjectionName, weight);
    }

    /// <summary>Layer of the student that is aligned.</summary>
    public int StudentLayer { get; }

    /// <summary>W and what its optimizer remembers, as a checkpoint keeps them; owned by this.</summary>
    public IReadOnlyList<OptimizerTensor> State => [_weight, .. _optimizer.State];

    /// <summary>Updates made of W; a resumed run sets it.</summary>
    public long UpdateCount
    {
        get => _optimizer.UpdateCount;
        set => _optimizer.UpdateCount = value;
    }

    /// <summary>Operations of the last step that a run without alignment would not have made: the teacher's forward pass over its own tokens, and the products with W.</summary>
    public double Flops => _flops;

    /// <summary>Puts a step's samples into the teacher's tokens and sets the gradient of W to zero.</summary>
    public void Begin(Batch batch)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Batch);
        _batch = _teacher.Read(batch, _workers);
        (_distance, _flops) = (0, 0);
        _projection.ZeroGradients();
    }

    /// <summary>The term of some samples.</summary>
    /// <param name="rows">Which samples of the step.</param>
    /// <param name="inner">Output of the student's layer for them, [N, D].</param>
    /// <param name="weight">λ_j.</param>
    /// <returns>∂L/∂inner, [N, D], which the caller owns; null where nothing is aligned.</returns>
    public Tensor? Train(IReadOnlyList<int> rows, Tensor inner, double weight)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Teacher);
        AlignedRows aligned = _batch!.Rows(rows);
        if (aligned.StudentRows.Length == 0)
        {
            return null;
        }

        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor at = tensor(aligned.StudentRows).to(inner.device);
        Tensor states = _teacher.States(aligned);
        Tensor gradient = _projection.Gradient(0);
        (double sum, Tensor studentGradient) = CosineAlignment.Train(
            inner.detach().index_select(0, at),
            states,
            _weight.Values,
            weight / _batch.Positions,
            gradient
        );
        _distance += sum;
        double projecting = 6.0 * _projection.Layout.ParameterCount * aligned.StudentRows.Length; // forward and backward, as for the student's weights
        _flops += projecting + (aligned.TeacherIds.Length * _teacher.FlopsPerToken(aligned.Length));
        return zeros_like(inner).detach().index_copy_(0, at, studentGradient).MoveToOuterDisposeScope();
    }

    /// <summary>What the step did, after its last samples.</summary>
    /// <param name="weight">λ_j.</param>
    public AlignmentReport Report(double weight) => new(weight, _batch!.Positions, _distance);

    /// <summary>‖∂L/∂W‖₂.</summary>
    public double GradientNorm() => _optimizer.GradientNorm();

    /// <summary>One update of W.</summary>
    /// <param name="learningRate">η_j.</param>
    /// <param name="gradientNorm">As <see cref="GradientNorm"/> found it.</param>
    public void Update(double learningRate, double gradientNorm) => _optimizer.Update(learningRate, gradientNorm);

    /// <summary>Gives teacher, W and its optimizer's state back to the system.</summary>
    public void Dispose()
    {
        _teacher.Dispose();
        _optimizer.Dispose();
        _weight.Values.Dispose();
        _projection.Dispose();
    }
}
