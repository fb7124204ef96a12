using Saltern.Batches;
using Saltern.Losses;
using Saltern.Optimization;
using TorchSharp;

namespace Saltern.Guidance;

/// <summary>What the small model adds to the steps of stage 1: soft labels, a term on an inner layer, or nothing.</summary>
/// <remarks>
/// Per step: <see cref="Next"/>, <see cref="Begin"/>, then for each micro-batch <see cref="AddLabels"/> and <see cref="InnerGradient"/>, then <see cref="Report"/>,
/// <see cref="GradientNorm"/> and, where the step is applied, <see cref="Update"/> and <see cref="Observe"/>. After <see cref="Release"/> nothing is added any more.
/// Another way for the small model to help is a class of this kind, a <c>GuidanceKind</c> with a line in <c>GuidanceKinds</c>, and its section in <c>RunConfig</c>.
/// </remarks>
internal abstract class StageGuidance : IDisposable
{
    /// <summary>Starts with the small model in memory or on disk.</summary>
    /// <param name="transition">Weight of the guidance over the steps; null where there never is any.</param>
    /// <param name="isActive">Whether there is a small model to be released.</param>
    protected StageGuidance(Transition? transition, bool isActive = true) =>
        (Transition, IsActive) = (transition, isActive);

    /// <summary>The weight over the steps and its state; null where there never is any. Outlives the small model.</summary>
    public Transition? Transition { get; }

    /// <summary>Whether the small model is there; false once stage 1 is over.</summary>
    public bool IsActive { get; private set; }

    /// <summary>Why stage 1 ended: the schedule, or what the rule of <c>auto</c> found.</summary>
    public string EndReason => Transition?.EndReason ?? "schedule";

    /// <summary>γ_j, how far the student is behind the teacher over all domains, smoothed, nats; NaN where nothing is known of it.</summary>
    public double Gap => Transition?.Gap ?? double.NaN;

    /// <summary>Sign of the weight for people: ω, or an alignment's λ.</summary>
    public virtual string Symbol => "ω";

    /// <summary>What gives the soft labels; null where none are given, or not any more.</summary>
    public virtual Teacher? Teacher => null;

    /// <summary>Layer of the student whose output <see cref="InnerGradient"/> is given, from 1 to L − 1; null for none.</summary>
    public virtual int? InnerLayer => null;

    /// <summary>Section of the recipe, and name of the file of a checkpoint that keeps <see cref="State"/>.</summary>
    public virtual string Section => "";

    /// <summary>What is learned besides the student, and what its optimizer remembers, as a checkpoint keeps it; empty where nothing is. Owned by this.</summary>
    public virtual IReadOnlyList<OptimizerTensor> State => [];

    /// <summary>This rank's sums over the step so far.</summary>
    public virtual GuidanceSums Sums => default;

    /// <summary>Weights of a step; steps are asked for in order, once each.</summary>
    public abstract StageWeights Next(int step, double learningRate);

    /// <summary>Told which samples the next step draws, so that reading need not wait for them.</summary>
    public virtual void ReadAhead(IReadOnlyList<SampleKey> samples) { }

    /// <summary>Begins a step: sets its sums and gradients to zero.</summary>
    /// <param name="gateScale">1 / running mean of the gate's h, for gates that are scaled to keep it.</param>
    public virtual void Begin(Batch batch, StageWeights weights, double gateScale) { }

    /// <summary>Adds soft labels, their weights and their gate to what the loss head is asked.</summary>
    /// <param name="request">Plain next-token training of the rows.</param>
    /// <param name="rows">Some samples of the step, those with a weight above 0 first.</param>
    /// <returns>The request, which owns the labels' tensors.</returns>
    public virtual LossRequest AddLabels(LossRequest request, BatchRows rows) => request;

    /// <summary>The term on the student's <see cref="InnerLayer"/>.</summary>
    /// <param name="rows">Some samples of the step.</param>
    /// <param name="inner">Output of the layer for them, [N, D].</param>
    /// <returns>∂ℒ/∂inner, [N, D], which the caller owns; null where nothing is added.</returns>
    public virtual torch.Tensor? InnerGradient(BatchRows rows, torch.Tensor? inner) => null;

    /// <summary>The guidance's own term of the step's loss, after its last samples; null where all there is lies in the labels' loss.</summary>
    /// <param name="counted">n, counted positions of the global batch.</param>
    public virtual GuidanceReport? Report(long counted) => null;

    /// <summary>Norm of the gradient of what is learned besides the student; 0 where nothing is.</summary>
    public virtual double GradientNorm() => 0;

    /// <summary>One update of what is learned besides the student.</summary>
    /// <param name="step">With the norm that <see cref="GradientNorm"/> found.</param>
    public virtual void Update(UpdateStep step) { }

    /// <summary>Floating-point operations of a step that a run without guidance would not have made.</summary>
    /// <param name="sums">Of the global batch.</param>
    public virtual double Flops(GuidanceSums sums) => 0;

    /// <summary>Σ h over the positions with a teacher, for the running mean of a gate.</summary>
    /// <param name="sums">Of the global batch.</param>
    /// <param name="losses">Of the global batch.</param>
    public virtual double GateSum(GuidanceSums sums, LossSums losses) => losses.Gate;

    /// <summary>Tells the transition how far the student was behind the teacher in a step that was applied.</summary>
    /// <param name="byDomain">Sums of each domain, over the global batch.</param>
    public void Observe(IReadOnlyList<LossSums> byDomain) =>
        Transition?.Observe([.. byDomain.Select(domain => (domain.Gap, domain.TeacherPositions))]);

    /// <summary>Resumes from a checkpoint whose <see cref="State"/> was filled.</summary>
    public virtual void Resume(long updates) { }

    /// <summary>Gives the small model's memory and files back to the system; once, later calls do nothing.</summary>
    public void Release()
    {
        if (IsActive)
        {
            IsActive = false;
            Close();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives back what this owns.</summary>
    protected virtual void Close() { }
}

/// <summary>A rank's sums over a step, added up over the ranks.</summary>
/// <param name="Samples">Samples that the teacher saw.</param>
/// <param name="Gate">Σ h over positions with a teacher where h is a matter of whole samples.</param>
internal readonly record struct GuidanceSums(double Samples, double Gate);

/// <summary>A term that guidance adds to the loss of a step.</summary>
/// <param name="Term">The term of the loss, its weight included, nats.</param>
/// <param name="Means">What the log says of it.</param>
internal sealed record GuidanceReport(double Weight, double Term, IReadOnlyList<GuidanceMean> Means);

/// <summary>A mean for the log, as its two sums.</summary>
/// <param name="Metric">Name in the metrics, e.g. <c>train/aligned</c>.</param>
internal sealed record GuidanceMean(string Metric, double Sum, long Count);
