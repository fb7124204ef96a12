// One optimizer step: ω_j and learning rate (stage 1 may end here) → batch → student forward → guidance (soft labels, or hidden states aligned) → loss and gradients → backward → (sum over ranks) → update.
// B = sequences of a micro-batch, T = tokens of a sequence, N = B·T, D = hidden size.
using System.Diagnostics;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.RunFiles;
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
public sealed record StepReport(
    int Step,
    LossSums Sums,
    StageWeights Weights,
    double GradientNorm,
    double LearningRate,
    double Seconds
)
{
    /// <summary>The stage that the step ended by growing out of it; null where the model stayed.</summary>
    internal RunStage? Grown { get; init; }

    /// <summary>Why the update was not made; null where it was.</summary>
    public string? SkippedBecause { get; init; }

    /// <summary>Sign of <see cref="Weights"/>: ω, or λ of an alignment.</summary>
    public required string WeightSymbol { get; init; }

    /// <summary>The guidance's own term of the loss, whose weights are then λ_j; null in a step without one.</summary>
    internal GuidanceReport? Guidance { get; init; }
}

/// <summary>Trains a student, guided by a small model as long as the transition says so; owns the optimizer, the guidance and the state, is given the rest.</summary>
internal sealed class Trainer : IDisposable
{
    private readonly RunConfig _config;
    private readonly RunParts _parts;
    private readonly BatchLoader _batches;
    private readonly UpdateSchedule _schedule;
    private readonly PositionLosses _losses;
    private readonly int _domainCount;
    private readonly ICommunicator _ranks;
    private readonly int _threads;
    private readonly bool _releases;
    private readonly bool _reduces;
    private double _updateFlops;
    private GrowthStage _stage;
    private Released _released = new(default);

    /// <summary>Puts the parts of a run together.</summary>
    /// <param name="parts">Training text, vocabulary, and where to compute; owned by the caller.</param>
    /// <param name="student">Trainable model of the stage that the run is in; what <see cref="Student"/> is in the end is the caller's to dispose of.</param>
    /// <param name="guidance">What the small model adds, taken over.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="ranks">The ranks that share each batch; owned by the caller, null for one process.</param>
    public Trainer(
        RunConfig config,
        RunParts parts,
        Transformer student,
        StageGuidance guidance,
        int threads,
        ICommunicator? ranks = null
    )
    {
        _config = config;
        _parts = parts;
        _threads = threads;
        _batches = parts.Batches;
        _ranks = ranks ?? new SingleProcess();
        _batches.Share = new RankShare(_ranks.Rank, _ranks.Size);
        _domainCount = parts.Text.Domains.Count;
        _schedule = config.UpdateSchedule(parts.Stages);
        _losses = new PositionLosses(
            config.Training.MicroBatchOf(parts.Stages.LargestBatch) * config.Data.SequenceLength
        );
        _releases = config.Optimizer.Gradients == OptimizerGradients.Released;
        if (config.Optimizer.ShardGradients && _ranks.Size > 1 && !parts.Compute.UsesKernels)
        {
            throw new ConfigurationException(
                "optimizer.shard_gradients needs own kernels on the CPU ('kernels: fused'), which tell when a layer's gradients are whole. "
                    + "Remove it."
            );
        }

        if (_releases && (_ranks.Size > 1 || !parts.Compute.UsesKernels))
        {
            throw new ConfigurationException(
                $"optimizer.gradients = released is for one process with own kernels, not for {_ranks.Size} ranks or other passes."
                    + " Remove it."
            );
        }

        _reduces = config.Optimizer.ShardGradients && _ranks.Size > 1;
        _stage = parts.Stages.At(0);
        Student = student;
        Guidance = guidance;
        Optimizer = CreateOptimizer(student);
        _updateFlops = MuonRule.UpdateFlops(config.Optimizer, student.Trained.Layout);
        LossHead = parts.Compute.CreateHead(parts.Tokenizer.VocabularySize, student.Config.VocabSize, threads);
        State = new TrainState { Threads = threads, OptimizerFlops = 0 };
    }

    /// <summary>The model that is trained; another one after a growth.</summary>
    public Transformer Student { get; private set; }

    /// <summary>What the small model adds; active as long as stage 1 lasts.</summary>
    public StageGuidance Guidance { get; }

    /// <summary>The optimizer and its state; another one after a growth.</summary>
    public Optimizer Optimizer { get; private set; }

    /// <summary>The average of the weights over the last steps; null before its first one, and where the recipe has none.</summary>
    public WeightAverage? Average { get; private set; }

    /// <summary>Loss head of the student's vocabulary, also for evaluation between steps.</summary>
    public LossHead LossHead { get; }

    /// <summary>Where the run stands.</summary>
    public TrainState State { get; private set; }

    /// <summary>Adds what happened between steps (evaluation, saving, logging) to the state.</summary>
    public void Note(Func<TrainState, TrainState> change) => State = change(State);

    /// <summary>Work apart from the steps, whose seconds the state counts by kind: the slowest rank's. All ranks must come here, and come out together, so that what one does never counts as a step of another that waits for it.</summary>
    /// <param name="note">The state with so many more seconds of the kind.</param>
    public void Timed(Func<TrainState, double, TrainState> note, Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();

        // Nobody has the maximum before the last one came: no barrier is needed besides.
        double seconds = _ranks.Max(Stopwatch.GetElapsedTime(start).TotalSeconds);
        Note(state => note(state, seconds));
    }

    /// <summary>Takes over a state, fresh or a checkpoint's; weights and moments are the caller's business.</summary>
    public void Restore(TrainState state)
    {
        State = state;
        _stage = _parts.Stages.At(state.Step);
        (_batches.Position, _batches.SubsetPosition) = (state.Samples, state.SubsetSamples);
        if (state.Transition is not null)
        {
            Guidance.Transition?.Restore(state.Transition);
        }

        if (state.Stage1LastStep is not null)
        {
            Guidance.Release();
        }
    }

    /// <summary>Begins an average that a checkpoint has; what it holds is the caller's to fill.</summary>
    public WeightAverage RestoreAverage(long count)
    {
        Average = new WeightAverage(Student.Parameters, _config.Averaging?.Decay) { Count = count };
        return Average;
    }

    /// <summary>The state with all that changes inside a step, for a checkpoint.</summary>
    public TrainState Snapshot() =>
        State with
        {
            Updates = Optimizer.UpdateCount,
            Transition = Guidance.Transition?.Save(),
            AveragedUpdates = Average?.Count ?? 0,
        };

    /// <summary>Makes one step.</summary>
    public StepReport Step()
    {
        int step = State.Step + 1;
        UpdateStep update = _schedule.At(step);
        StageWeights weights = Guidance.Next(step, _schedule.Rate.WithoutRewarming(step));
        if (!weights.TeacherRuns && Guidance.IsActive)
        {
            EndStage1(step);
        }

        long start = Stopwatch.GetTimestamp();
        RunStage? grown = GrowBefore(step);
        bool fromSubset = DrawsSelected(step, weights);
        _ranks.ReportProgress($"step {step}: batch");
        Batch batch = NextBatch(fromSubset);
        string samples = $"samples {batch.FirstPosition} … {batch.FirstPosition + _stage.BatchSequences - 1}";

        // n of the global batch, known before the first backward pass: the divisor of every rank.
        long counted = (long)_ranks.Sum(batch.CountedPositions)[0];
        if (counted == 0)
        {
            throw new TrainingException($"Step {step}: no position of the batch at {samples} counts.");
        }

        if (_reduces)
        {
            // Zero too, but writing zeros would make memory of those that are others'.
            Student.Parameters.ReleaseGradients(0, Student.Parameters.Layout.Length);
        }
        else if (!_releases)
        {
            Student.Trained.ZeroGradients();
        }

        _released = new Released(update);
        Guidance.Begin(batch, weights, State.GateScale());
        StepSums sums = RunMicroBatches(step, batch, counted, weights);
        if (_ranks.Size > 1)
        {
            sums = AddUp(sums);
            _ranks.ReportProgress($"step {step}: sum of the gradients");
            Optimizer.SumGradients(_ranks);
            _ranks.ReportProgress($"step {step}: update");
        }

        LossSums losses = sums.Total();
        GuidanceReport? guidance = Guidance.Report(losses.Positions);
        (double norm, bool applied) = Update(update, losses.Loss + (guidance?.Term ?? 0));
        string? skipped = null;
        if (applied)
        {
            Guidance.Observe(sums.ByDomain);
            AddToAverage(step);
        }
        else
        {
            skipped =
                $"Step {step} is not applied: loss {losses.Loss / losses.Positions}, gradient norm {norm}, batch of {samples}.";
        }

        // The slowest rank's: a step is over when all have made it.
        double seconds = _ranks.Max(Stopwatch.GetElapsedTime(start).TotalSeconds);
        Advance(step, counted, seconds, sums.Guidance);
        State = applied ? Applied(losses, sums.Guidance) : Skipped();
        return new StepReport(step, losses, weights, norm, update.LearningRate, seconds)
        {
            Grown = grown,
            SkippedBecause = skipped,
            WeightSymbol = Guidance.Symbol,
            Guidance = guidance,
        };
    }

    /// <summary>Frees optimizer, guidance and buffers; the student stays with its owner.</summary>
    public void Dispose()
    {
        Guidance.Dispose();
        Optimizer.Dispose();
        Average?.Dispose();
        LossHead.Dispose();
    }

    private void AddToAverage(int step)
    {
        if (_config.Averaging is not AveragingConfig averaging || step < averaging.FirstStep(_config.Training.Steps))
        {
            return;
        }

        using StepProfile.Mark mark = StepProfile.Of(StepPart.Optimizer);
        Average ??= new WeightAverage(Student.Parameters, averaging.Decay);
        Average.Add();
    }

    private Optimizer CreateOptimizer(Transformer model) =>
        Optimizer.Create(
            model.Trained,
            _config.Optimizer.ForWidth(model.Config.HiddenSize),
            _threads,
            _ranks,
            _parts.Compute.ProductType,
            _config.Seed
        );

    // The small model leaves before the first step without it, and its memory with it.
    private void EndStage1(int step)
    {
        long release = Stopwatch.GetTimestamp();
        Guidance.Release();
        State = State with
        {
            Stage1LastStep = step - 1,
            TeacherSeconds = State.TeacherSeconds + Stopwatch.GetElapsedTime(release).TotalSeconds,
        };
    }

    // A larger model takes over before its first step, and the small one's memory goes back.
    private RunStage? GrowBefore(int step)
    {
        if (step <= _stage.LastStep)
        {
            return null;
        }

        GrowthStage before = _stage;
        if (before.Growth is not GrowthStageConfig growth)
        {
            // The batch alone grows.
            _stage = _parts.Stages.At(step);
            return null;
        }
        RunStage record = Stage(before);
        _stage = _parts.Stages.At(step);
        GrowthMap map = GrowthMap.Of(before.Model, _stage.Model, growth.Operator, "growth");
        Transformer grown = _parts.CreateModel(_stage.Model);
        ModelGrowth.Fill(Student, grown, map, growth.Noise, ModelGrowth.NoiseSeed(_config.Seed, step));
        Optimizer optimizer = CreateOptimizer(grown);
        if (growth.Optimizer != OptimizerTransfer.Fresh)
        {
            using GatheredState? gathered = Optimizer.Gather(keep: true);
            using StateTensors small = StateTensors.Of(Optimizer, gathered);
            using StateTensors large = ModelGrowth.GrowState(small, grown.Parameters.Layout, map, growth.Optimizer);
            large.GiveTo(optimizer);
        }

        Optimizer.Dispose();
        Student.Dispose();
        (Optimizer, Student) = (optimizer, grown);
        _updateFlops = MuonRule.UpdateFlops(_config.Optimizer, grown.Trained.Layout);
        State = State with { Stages = [.. State.Stages, record] };
        return record;
    }

    private RunStage Stage(GrowthStage stage) =>
        new()
        {
            LastStep = stage.LastStep,
            Parameters = Student.Parameters.Layout.ParameterCount,
            Layers = stage.Model.NumHiddenLayers,
            HiddenSize = stage.Model.HiddenSize,
            Flops = State.Flops,
            TeacherFlops = State.TeacherFlops,
            Seconds = State.Seconds,
            Tokens = State.Tokens,
        };

    private Batch NextBatch(bool fromSubset)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Batch);
        Batch batch = _batches.Next(_stage.BatchSequences, fromSubset);
        IReadOnlyList<SampleKey> ahead = _batches.ReadAhead(_stage.BatchSequences, fromSubset);
        Guidance.ReadAhead(ahead);
        return batch;
    }

    // Selected samples are for stage 1: up to the step that the recipe names, or, where ω ends stage 1, while it is above 0.
    private bool DrawsSelected(int step, StageWeights weights)
    {
        if (_config.Selection is null)
        {
            return false;
        }

        if (_config.Selection.Until is StepPoint until)
        {
            return step <= until.Resolve(_config.Training.Steps);
        }

        return weights.TeacherRuns;
    }

    // Gradient norm and, where it and the loss are numbers, the update.
    private (double Norm, bool Applied) Update(UpdateStep update, double loss)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Optimizer);

        // Rank 0's, for clipping and for what is left out: MPI does not promise the same last bits of a sum on every rank.
        double norm = _ranks.FromFirst(GradientNorm());
        double guidanceNorm = Guidance.GradientNorm();
        bool applied = double.IsFinite(loss) && double.IsFinite(norm) && double.IsFinite(guidanceNorm);
        if (applied)
        {
            if (!_releases)
            {
                Optimizer.Update(update with { GradientNorm = norm });
            }

            Guidance.Update(update with { GradientNorm = guidanceNorm });
        }

        return (norm, applied);
    }

    private double GradientNorm()
    {
        if (_releases)
        {
            return Math.Sqrt(_released.SquareSum);
        }

        return Optimizer.GradientNorm();
    }

    // Forward, loss and backward of the batch, a micro-batch at a time; gradients are added up.
    private StepSums RunMicroBatches(int step, Batch batch, long counted, StageWeights weights)
    {
        LossSums[] byDomain = [.. Enumerable.Range(0, _domainCount).Select(_ => new LossSums())];
        int microBatch = _config.Training.MicroBatchOf(_stage.BatchSequences);
        int passes = 0;
        for (int first = 0; first < batch.Samples.Count; first += microBatch)
        {
            _ranks.ReportProgress($"step {step}: gradients of sample {first + 1} of {batch.Samples.Count}");
            int count = Math.Min(microBatch, batch.Samples.Count - first);

            // Samples that still have a teacher first, so that it runs on those alone.
            int[] rows =
            [
                .. Enumerable
                    .Range(first, count)
                    .OrderBy(row => weights.ByDomain[batch.Samples[row].Domain] > 0 ? 0 : 1),
            ];
            RunMicroBatch(batch, rows, counted);
            passes++;
            for (int i = 0; i < rows.Length; i++)
            {
                int length = batch.SequenceLength;
                byDomain[batch.Samples[rows[i]].Domain].Add(_losses, i * length, length);
            }
        }

        if (_reduces)
        {
            int most = (_stage.BatchSequences + _ranks.Size - 1) / _ranks.Size;
            ReduceWithout(((most + microBatch - 1) / microBatch) - passes);
        }

        return new StepSums(byDomain, Guidance.Sums);
    }

    private void RunMicroBatch(Batch batch, int[] rows, long counted)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor inputs = batch.Inputs(rows).to(Student.Parameters.Device); // [B, T]
        var given = new BatchRows(batch, rows, inputs);
        using TrainingPass pass = Student.Train(inputs, given.Ranges, Guidance.InnerLayer);
        var plain = new LossRequest
        {
            HiddenStates = pass.Hidden,
            Head = Student.Head,
            Form = Student.HeadForm,
            Labels = batch.Labels(rows),
        };
        LossRequest request = Guidance.AddLabels(plain, given);
        Tensor hiddenGradient = empty_like(pass.Hidden); // [N, D]
        if (Student.Adapters is null)
        {
            using Tensor headGradient = Student.HeadGradient();
            using Tensor? biasGradient = Student.HeadBiasGradient();
            LossHead.Train(request, counted, _losses, hiddenGradient, headGradient, biasGradient);
        }
        else
        {
            LossHead.Train(request, counted, _losses, hiddenGradient, headGradient: null);
        }

        Tensor? inner = Guidance.InnerGradient(given, pass.Inner);
        if (!_releases)
        {
            pass.Backward(hiddenGradient, inner, _reduces ? ReduceLayer : null);
            return;
        }

        var loss = new LossSums();
        loss.Add(_losses, 0, rows.Length * batch.SequenceLength);
        if (!double.IsFinite(loss.Loss))
        {
            // Nothing is updated yet; the head's gradient goes.
            Student.Parameters.ReleaseGradients(0, Student.Parameters.Layout.Length);
            return;
        }

        Optimizer.BeginLayers();
        pass.Backward(hiddenGradient, inner, ReleaseLayer);
    }

    private void ReduceLayer(int layer)
    {
        _ranks.ReportProgress($"sum of the gradients of layer {layer}");
        Optimizer.ReduceLayer(layer);
    }

    // Every rank exchanges as often as the one with the most micro-batches.
    private void ReduceWithout(int microBatches)
    {
        for (int i = 0; i < microBatches; i++)
        {
            for (int layer = Student.Config.NumHiddenLayers - 1; layer >= 0; layer--)
            {
                ReduceLayer(layer);
            }

            ReduceLayer(Optimizer.NoLayer);
        }
    }

    private void ReleaseLayer(int layer)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Optimizer);
        double sum = Optimizer.UpdateLayer(_released.Update, layer);
        if (!double.IsFinite(sum))
        {
            string where = layer == Optimizer.NoLayer ? "embedding or head" : $"layer {layer}";
            throw new TrainingException(
                $"Step {State.Step + 1}: the gradient of {where} is {sum}, and layers above it are updated already "
                    + "(optimizer.gradients: released). "
                    + "Go on from the last checkpoint with --resume; 'gradients: kept' leaves such steps out."
            );
        }

        _released.SquareSum += sum;
    }

    // Every sum of all ranks, in one exchange: what ω, the log and the decision about the update see is the same everywhere.
    private StepSums AddUp(StepSums sums)
    {
        double[] own = [sums.Guidance.Samples, sums.Guidance.Gate];
        double[] all = _ranks.Sum([.. own, .. sums.ByDomain.SelectMany(domain => domain.ToValues())]);
        double[] losses = all[own.Length..];
        return new StepSums(
            [.. losses.Chunk(losses.Length / _domainCount).Select(values => LossSums.FromValues(values))],
            new GuidanceSums(all[0], all[1])
        );
    }

    // Step, position in the data and cost, whether the update was made or not.
    private void Advance(int step, long counted, double seconds, GuidanceSums guidance)
    {
        double guided = Guidance.Flops(guidance);
        double alone = GrowthPlan.StepFlops(_stage, _config.Data.SequenceLength);
        if (Student.Adapters is LowRankAdapters adapters)
        {
            long tokens = (long)_stage.BatchSequences * _config.Data.SequenceLength;
            alone += tokens * ModelFlops.AdaptersPerToken(_stage.Model, adapters.Parameters.Layout.ParameterCount);
        }

        double? update = State.OptimizerFlops is null ? null : _updateFlops;
        State = State with
        {
            Step = step,
            Samples = _batches.Position,
            SubsetSamples = _batches.SubsetPosition,
            Tokens = State.Tokens + counted,
            Seconds = State.Seconds + seconds,
            Flops = State.Flops + alone + guided + (update ?? 0),
            TeacherFlops = State.TeacherFlops + guided,
            OptimizerFlops = State.OptimizerFlops + update,
        };
    }

    private TrainState Skipped() => State with { SkippedInARow = State.SkippedInARow + 1 };

    private TrainState Applied(LossSums losses, GuidanceSums guidance) =>
        State with
        {
            SkippedInARow = 0,
            GateSum = State.GateSum + Guidance.GateSum(guidance, losses),
            GateCount = State.GateCount + losses.TeacherPositions,
        };

    // An update that is made layer by layer: its numbers, and Σ g² so far.
    private sealed class Released(UpdateStep update)
    {
        public UpdateStep Update => update;

        public double SquareSum { get; set; }
    }

    private sealed record StepSums(LossSums[] ByDomain, GuidanceSums Guidance)
    {
        public LossSums Total()
        {
            var total = new LossSums();
            Array.ForEach(ByDomain, total.Add);
            return total;
        }
    }
}
