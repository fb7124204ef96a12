// Stage 1 by hidden states: teacher, projection W and W's own optimizer, in memory as long as λ is above 0 (docs/alignment.md).
using Saltern.Batches;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.RunFiles;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>Aligns an inner layer of the student with a layer of the teacher, and learns the projection between them.</summary>
/// <remarks>W is updated by the student's rule, schedule and clipping norm, but its gradient is measured and clipped apart, so that the student's clipping is what it would be.</remarks>
internal sealed class AlignmentGuidance : StageGuidance
{
    private readonly AlignmentTeacher _teacher;
    private readonly AlignmentProjection _projection;
    private readonly Transition _transition;
    private readonly int _studentLayer;
    private readonly ParallelOptions _workers;
    private AlignedBatch? _batch;
    private double _lambda;
    private double _distance;
    private double _flops;

    /// <summary>Takes over teacher and projection.</summary>
    /// <param name="teacher">Gives the hidden states.</param>
    /// <param name="projection">Brings the student's into the teacher's width.</param>
    /// <param name="studentLayer">Layer whose output is aligned, from 1 to L − 1.</param>
    /// <param name="transition">λ over the steps.</param>
    /// <param name="threads">Threads that put samples into the teacher's tokens.</param>
    public AlignmentGuidance(
        AlignmentTeacher teacher,
        AlignmentProjection projection,
        int studentLayer,
        Transition transition,
        int threads
    )
        : base(transition)
    {
        (_teacher, _projection, _studentLayer, _transition) = (teacher, projection, studentLayer, transition);
        _workers = new ParallelOptions { MaxDegreeOfParallelism = threads };
    }

    /// <inheritdoc/>
    public override string Symbol => "λ";

    /// <inheritdoc/>
    public override string Section => "alignment";

    /// <inheritdoc/>
    public override int? InnerLayer => IsActive ? _studentLayer : null;

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State => IsActive ? _projection.State : [];

    /// <inheritdoc/>
    public override StageWeights Next(int step, double learningRate) => _transition.Next(step, learningRate);

    /// <summary>Puts a step's samples into the teacher's tokens and sets the gradient of W to zero.</summary>
    public override void Begin(Batch batch, StageWeights weights, double gateScale)
    {
        (_lambda, _distance, _flops) = (weights.Global, 0, 0);
        if (!IsActive)
        {
            return;
        }

        using StepProfile.Mark mark = StepProfile.Of(StepPart.Batch);
        _batch = _teacher.Read(batch, _workers);
        _projection.ZeroGradient();
    }

    /// <inheritdoc/>
    public override Tensor? InnerGradient(BatchRows rows, Tensor? inner)
    {
        if (_batch is null || inner is null)
        {
            return null;
        }

        using StepProfile.Mark mark = StepProfile.Of(StepPart.Teacher);
        AlignedRows aligned = _batch.Rows(rows.Rows);
        if (aligned.StudentRows.Length == 0)
        {
            return null;
        }

        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor at = tensor(aligned.StudentRows).to(inner.device);
        Tensor states = _teacher.States(aligned);
        Tensor gradient = _projection.Gradient;
        (double sum, Tensor studentGradient) = CosineAlignment.Train(
            inner.detach().index_select(0, at),
            states,
            _projection.Weight,
            _lambda / _batch.Positions,
            gradient
        );
        _distance += sum;

        // Forward and backward, as for the student's weights.
        double projecting = 6.0 * _projection.Count * aligned.StudentRows.Length;
        _flops += projecting + (aligned.TeacherIds.Length * _teacher.FlopsPerToken(aligned.Length));
        return zeros_like(inner).detach().index_copy_(0, at, studentGradient).MoveToOuterDisposeScope();
    }

    /// <summary>λ·mean(1 − cos) over the positions with a teacher token; 0 where nothing is aligned.</summary>
    public override GuidanceReport? Report(long counted)
    {
        if (_batch is null)
        {
            return null;
        }

        long positions = _batch.Positions;
        double term = positions == 0 ? 0 : _lambda * _distance / positions;
        return new GuidanceReport(
            _lambda,
            term,
            [
                new GuidanceMean(MetricNames.AlignmentDistance, _distance, positions),
                new GuidanceMean(MetricNames.Aligned, positions, counted),
            ]
        );
    }

    /// <summary>‖∂ℒ/∂W‖₂.</summary>
    public override double GradientNorm() => IsActive ? _projection.GradientNorm() : 0;

    /// <inheritdoc/>
    public override void Update(UpdateStep step)
    {
        if (IsActive)
        {
            _projection.Update(step);
        }
    }

    /// <summary>The teacher's forward pass over its own tokens, and the products with W.</summary>
    public override double Flops(GuidanceSums sums) => _flops;

    /// <inheritdoc/>
    public override void Resume(long updates) => _projection.UpdateCount = updates;

    /// <inheritdoc/>
    protected override void Close()
    {
        _batch = null;
        _teacher.Dispose();
        _projection.Dispose();
    }
}
