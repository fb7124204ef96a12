// One optimizer step: batch → student forward → teacher forward → soft-label loss and gradients (or hidden states aligned) → backward → (sum over ranks) → update.
// B = sequences of a micro-batch, T = tokens of a sequence, N = B·T, D = hidden size.
using System.Diagnostics;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Distributed;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Runs;

/// <summary>What one step did.</summary>
/// <param name="Step">j.</param>
/// <param name="Sums">Sums over the global batch.</param>
/// <param name="Weights">ω_j, or λ_j of an alignment.</param>
/// <param name="GradientNorm">‖g‖₂ before clipping.</param>
/// <param name="LearningRate">η_j.</param>
/// <param name="Seconds">From asking for the batch to the finished update.</param>
/// <param name="SkippedBecause">Why the update was not made; null where it was.</param>
public sealed record StepReport(
    int Step,
    LossSums Sums,
    StageWeights Weights,
    double GradientNorm,
    double LearningRate,
    double Seconds,
    string? SkippedBecause
)
{
    /// <summary>What alignment did; null in a step without it, whose weights are then λ_j.</summary>
    public AlignmentReport? Alignment { get; init; }
}

/// <summary>Trains a student, with a teacher as long as ω says so; owns the optimizer and the state, is given the rest.</summary>
public sealed class Trainer : IDisposable
{
    private readonly RunConfig _config;
    private readonly BatchLoader _batches;
    private readonly LearningRateSchedule _schedule;
    private readonly Transition? _transition;
    private readonly Gate _gate;
    private readonly double[] _domainFactors;
    private readonly LossHead _head;
    private readonly PositionLosses _losses;
    private readonly int _domainCount;
    private readonly ICommunicator _ranks;

    /// <summary>Puts the parts of a run together.</summary>
    /// <param name="config">Validated recipe.</param>
    /// <param name="student">Trainable model; owned by the caller.</param>
    /// <param name="teacher">Teacher, taken over; null without distillation.</param>
    /// <param name="batches">Training text.</param>
    /// <param name="vocabulary">Real token ids.</param>
    /// <param name="domains">Names of the domains, in the order of the samples' domain index.</param>
    /// <param name="compute">Where and how to compute.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="alignment">Alignment of hidden states, taken over; null without one.</param>
    /// <param name="ranks">The ranks that share each batch; owned by the caller, null for one process.</param>
    /// <param name="transition">Makes the transition in place of the recipe's; null for the recipe's.</param>
    public Trainer(
        RunConfig config,
        Transformer student,
        Teacher? teacher,
        BatchLoader batches,
        int vocabulary,
        IReadOnlyList<string> domains,
        ComputePlan compute,
        int threads,
        AlignmentStage? alignment = null,
        ICommunicator? ranks = null,
        Func<TransitionContext, Transition>? transition = null
    )
    {
        _ranks = ranks ?? new SingleProcess();
        batches.Share = new RankShare(_ranks.Rank, _ranks.Size);
        _config = config;
        Student = student;
        Teacher = teacher;
        Alignment = alignment;
        _batches = batches;
        _domainCount = domains.Count;
        Optimizer = Optimizer.Create(student.Parameters, config.Optimizer, threads, _ranks);
        _schedule = new LearningRateSchedule(config.Schedule, config.Optimizer.LearningRate, config.Training.Steps);
        _transition =
            config.Distils
                ? transition?.Invoke(
                    new TransitionContext(
                        config.Distillation!,
                        config.Training.Steps,
                        config.Schedule.WarmupSteps,
                        domains.Count
                    )
                )
                    ?? Transition.Create(
                        config.Distillation!,
                        config.Training.Steps,
                        config.Schedule.WarmupSteps,
                        domains.Count
                    )
            : config.Aligns ? Transition.Create(config.Alignment!, config.Training.Steps, domains.Count)
            : null;

        // The domain gate concerns whole samples: it is part of their ω, and the kernel's gate stays open.
        bool byDomain = config.Distillation?.Gate == GateKind.Domain;
        _gate =
            config.Distillation is null || byDomain
                ? Gate.Open
                : config.Distillation.CreateGate((teacher as CachedTeacher)?.Manifest.Buckets.TokenBounds);
        _domainFactors =
        [
            .. domains.Select(name => byDomain ? config.Distillation!.GateDomains!.GetValueOrDefault(name, 1.0) : 1.0),
        ];
        _head = compute.CreateHead(vocabulary, student.Config.VocabSize, threads);
        _losses = new PositionLosses(config.Training.MicroBatch * config.Data.SequenceLength);
        State = new TrainState { Threads = threads };
    }

    /// <summary>The model that is trained.</summary>
    public Transformer Student { get; }

    /// <summary>The teacher that gives soft labels; null once it is gone.</summary>
    public Teacher? Teacher { get; private set; }

    /// <summary>The alignment with a teacher's hidden states; null once it is over.</summary>
    public AlignmentStage? Alignment { get; private set; }

    /// <summary>Whether a teacher of either kind is still there.</summary>
    public bool HasTeacher => Teacher is not null || Alignment is not null;

    /// <summary>The optimizer and its state.</summary>
    public Optimizer Optimizer { get; }

    /// <summary>Loss head of the student's vocabulary, also for evaluation between steps.</summary>
    public LossHead Head => _head;

    /// <summary>State of ω, or of an alignment's λ; null without a teacher.</summary>
    public Transition? Transition => _transition;

    /// <summary>Why stage 1 ended: the schedule, or what the rule of <c>auto</c> found.</summary>
    public string Stage1EndReason => _transition?.EndReason ?? "schedule";

    /// <summary>Where the run stands.</summary>
    public TrainState State { get; private set; }

    /// <summary>Adds what happened between steps (evaluation, saving, logging) to the state.</summary>
    public void Note(Func<TrainState, TrainState> change) => State = change(State);

    /// <summary>Goes on from a saved state; weights and moments are restored by the caller.</summary>
    public void Restore(TrainState state)
    {
        State = state;
        (_batches.Position, _batches.SubsetPosition) = (state.Samples, state.SubsetSamples);
        if (state.Transition is not null)
        {
            _transition?.Restore(state.Transition);
        }

        if (state.Stage1EndStep is not null)
        {
            ReleaseTeacher();
        }
    }

    /// <summary>The state with all that changes inside a step, for a checkpoint.</summary>
    public TrainState Snapshot() => State with { Updates = Optimizer.UpdateCount, Transition = _transition?.Save() };

    /// <summary>Makes one step.</summary>
    public StepReport Step()
    {
        int step = State.Step + 1;
        double learningRate = _schedule.At(step);
        StageWeights weights = _transition?.Next(step, learningRate) ?? new StageWeights(0, new double[_domainCount]);
        if (!weights.TeacherRuns && HasTeacher)
        {
            long release = Stopwatch.GetTimestamp();
            ReleaseTeacher();
            State = State with
            {
                Stage1EndStep = step,
                TeacherSeconds = State.TeacherSeconds + Stopwatch.GetElapsedTime(release).TotalSeconds,
            };
        }

        long start = Stopwatch.GetTimestamp();
        bool fromSubset = DrawsSelected(step, weights);
        _ranks.ReportProgress($"step {step}: batch");
        Batch batch = NextBatch(fromSubset);
        string samples = $"samples {batch.FirstPosition} … {batch.FirstPosition + _config.Training.BatchSequences - 1}";

        // n of the global batch, known before the first backward pass: the divisor of every rank.
        long counted = (long)_ranks.Sum(batch.CountedPositions)[0];
        if (counted == 0)
        {
            throw new TrainingException($"Step {step}: no position of the batch at {samples} counts.");
        }

        Student.Parameters.ZeroGradients();
        Alignment?.Begin(batch);
        LossSums[] byDomain = [.. Enumerable.Range(0, _domainCount).Select(_ => new LossSums())];
        int taught = 0;
        for (int first = 0; first < batch.Samples.Count; first += _config.Training.MicroBatch)
        {
            _ranks.ReportProgress($"step {step}: gradients of sample {first + 1} of {batch.Samples.Count}");
            taught += RunMicroBatch(batch, first, counted, weights, byDomain);
        }

        double gate = DomainGateSum(batch, weights);
        if (_ranks.Size > 1)
        {
            (byDomain, taught, gate) = AddUp(byDomain, taught, gate);
            _ranks.ReportProgress($"step {step}: sum of the gradients");
            Optimizer.SumGradients(_ranks);
            _ranks.ReportProgress($"step {step}: update");
        }

        var sums = new LossSums();
        Array.ForEach(byDomain, sums.Add);
        AlignmentReport? alignment = Alignment?.Report(weights.Global);
        (double norm, bool applied) = Update(learningRate, sums.Loss + (alignment?.Term ?? 0));
        string? skipped = null;
        if (applied)
        {
            _transition?.Observe([.. byDomain.Select(domain => (domain.Gap, domain.TeacherPositions))]);
        }
        else
        {
            skipped =
                $"Step {step} is not applied: loss {sums.Loss / sums.Positions}, gradient norm {norm}, batch of {samples}.";
        }

        // The slowest rank's: a step is over when all have made it.
        double seconds = _ranks.Max(Stopwatch.GetElapsedTime(start).TotalSeconds);
        Count(step, counted, taught, sums, gate, seconds, skipped is not null);
        return new StepReport(step, sums, weights, norm, learningRate, seconds, skipped) { Alignment = alignment };
    }

    /// <summary>Frees optimizer, teacher and buffers; the student stays with its owner.</summary>
    public void Dispose()
    {
        ReleaseTeacher();
        Optimizer.Dispose();
        _head.Dispose();
    }

    private Batch NextBatch(bool fromSubset)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Batch);
        Batch batch = _batches.Next(_config.Training.BatchSequences, fromSubset);
        IReadOnlyList<SampleKey> ahead = _batches.ReadAhead(_config.Training.BatchSequences, fromSubset);
        Teacher?.ReadAhead(ahead);
        return batch;
    }

    private SoftLabels RunTeacher(Batch batch, int[] rows, Tensor tokens)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Teacher);
        return Teacher!.Label(batch, rows, tokens, Ranges(batch, rows));
    }

    // Gradient norm and, where it and the loss are numbers, the update.
    private (double Norm, bool Applied) Update(double learningRate, double loss)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Optimizer);
        // Rank 0's, for clipping and for what is left out: MPI does not promise the same last bits of a sum on every rank.
        double norm = _ranks.FromFirst(Optimizer.GradientNorm());
        double projectionNorm = Alignment?.GradientNorm() ?? 0;
        bool applied = double.IsFinite(loss) && double.IsFinite(norm) && double.IsFinite(projectionNorm);
        if (applied)
        {
            Optimizer.Update(learningRate, norm);
            Alignment?.Update(learningRate, projectionNorm);
        }

        return (norm, applied);
    }

    // Forward, loss and backward of some samples; gradients are added up. Returns how many of them the teacher saw.
    private int RunMicroBatch(Batch batch, int first, long counted, StageWeights weights, LossSums[] byDomain)
    {
        using DisposeScope scope = NewDisposeScope();
        int length = batch.SequenceLength;

        // Samples that still have a teacher first, so that it runs on those alone.
        int[] rows =
        [
            .. Enumerable
                .Range(first, Math.Min(_config.Training.MicroBatch, batch.Samples.Count - first))
                .OrderBy(row => weights.ByDomain[batch.Samples[row].Domain] > 0 ? 0 : 1),
        ];
        int taught = Teacher is null ? 0 : rows.Count(row => weights.ByDomain[batch.Samples[row].Domain] > 0);
        Tensor inputs = batch.Inputs(rows).to(Student.Parameters.Device); // [B, T]
        using TrainingPass pass = Student.Train(inputs, Ranges(batch, rows), Alignment?.StudentLayer);
        SoftLabels? softLabels = taught > 0 ? RunTeacher(batch, rows[..taught], inputs.narrow(0, 0, taught)) : null;
        Tensor hiddenGradient = empty_like(pass.Hidden); // [N, D]
        var request = new LossRequest
        {
            HiddenStates = pass.Hidden,
            Head = Student.Head,
            Labels = batch.Labels(rows),
            Teacher = softLabels,
            Omega = PositionWeights(batch, rows, weights, length),
            Gate = _gate,
            GateScale = GateScale(),
        };
        using (Tensor headGradient = Student.HeadGradient())
        {
            _head.Train(request, counted, _losses, hiddenGradient, headGradient);
        }

        pass.Backward(hiddenGradient, Alignment?.Train(rows, pass.Inner!, weights.Global));
        for (int i = 0; i < rows.Length; i++)
        {
            byDomain[batch.Samples[rows[i]].Domain].Add(_losses, i * length, length);
        }

        return taught;
    }

    // Selected samples are for stage 1: while ω is above 0, or, without distillation, up to the step that the recipe names.
    private bool DrawsSelected(int step, StageWeights weights) =>
        _config.Selection is not null
        && (
            _config.Distils
                ? weights.TeacherRuns
                : step <= _config.Selection.Until!.Value.Resolve(_config.Training.Steps)
        );

    private static AttentionRanges? Ranges(Batch batch, int[] rows)
    {
        (int[] first, int[] end) = batch.Ranges(rows);
        if (batch.HasRanges)
        {
            return new AttentionRanges(first, end, batch.SequenceLength);
        }

        return null;
    }

    // ω_j of each sample's domain, times the domain gate's factor, spread over its positions.
    private float[] PositionWeights(Batch batch, int[] rows, StageWeights weights, int length)
    {
        float[] spread = new float[rows.Length * length];
        for (int i = 0; i < rows.Length; i++)
        {
            int domain = batch.Samples[rows[i]].Domain;
            spread.AsSpan(i * length, length).Fill((float)(weights.ByDomain[domain] * _domainFactors[domain]));
        }

        return spread;
    }

    // renormalise: 1 / running mean of h, the domain gate's factor included.
    private double? GateScale()
    {
        if (_config.Distillation is not { Renormalise: true })
        {
            return null;
        }

        if (State.GateCount == 0 || State.GateSum == 0)
        {
            return 1.0;
        }

        return State.GateCount / State.GateSum;
    }

    // Every sum of all ranks, in one exchange: what ω, the log and the decision about the update see is the same everywhere.
    private (LossSums[] ByDomain, int Taught, double Gate) AddUp(LossSums[] byDomain, int taught, double gate)
    {
        double[] all = _ranks.Sum([taught, gate, .. byDomain.SelectMany(domain => domain.ToValues())]);
        return (
            [.. all[2..].Chunk((all.Length - 2) / _domainCount).Select(values => LossSums.FromValues(values))],
            (int)all[0],
            all[1]
        );
    }

    private void Count(int step, long counted, int taught, LossSums sums, double gate, double seconds, bool skipped)
    {
        double perSequence = _config.Data.SequenceLength;
        double teacherFlops =
            Alignment?.Flops
            ?? (Teacher is null ? 0 : taught * perSequence * Teacher.FlopsPerToken(_config.Data.SequenceLength));
        double studentFlops =
            _config.Training.BatchSequences
            * perSequence
            * ModelFlops.TrainingPerToken(Student.Config, _config.Data.SequenceLength);
        State = State with
        {
            Step = step,
            Samples = _batches.Position,
            SubsetSamples = _batches.SubsetPosition,
            Tokens = State.Tokens + counted,
            Seconds = State.Seconds + seconds,
            Flops = State.Flops + studentFlops + teacherFlops,
            TeacherFlops = State.TeacherFlops + teacherFlops,
            SkippedInARow = skipped ? State.SkippedInARow + 1 : 0,
            GateSum =
                State.GateSum
                + (
                    skipped ? 0
                    : _config.Distillation?.Gate == GateKind.Domain ? gate
                    : sums.Gate
                ),
            GateCount = State.GateCount + (skipped ? 0 : sums.TeacherPositions),
        };
    }

    // Σ h_t over the positions with a teacher where h is a matter of whole samples; other gates are summed with the losses.
    private double DomainGateSum(Batch batch, StageWeights weights)
    {
        if (_config.Distillation?.Gate != GateKind.Domain)
        {
            return 0;
        }

        return Enumerable
            .Range(0, batch.Samples.Count)
            .Where(row => weights.ByDomain[batch.Samples[row].Domain] > 0)
            .Sum(row => _domainFactors[batch.Samples[row].Domain] * batch.CountedOf(row));
    }

    private void ReleaseTeacher()
    {
        Teacher?.Dispose();
        Alignment?.Dispose();
        (Teacher, Alignment) = (null, null);
    }
}
