using Saltern.Batches;
using Saltern.Losses;
using Saltern.Numerics;

namespace Saltern.Guidance;

/// <summary>Stage 1 by soft labels: a teacher, live or cached, whose probabilities count ω beside the next token's 1 − ω. A gate h_t in [0, 1] is the share of ω that a position gets.</summary>
internal sealed class SoftLabelGuidance : StageGuidance
{
    private readonly Teacher _teacher;
    private readonly Transition _transition;
    private readonly Gate _gate;
    private readonly bool _gatesDomains;
    private readonly bool _renormalises;
    private readonly double[] _domainFactors;
    private Step? _step;
    private int _taught;

    /// <summary>Takes over a teacher.</summary>
    /// <param name="teacher">Gives the soft labels.</param>
    /// <param name="transition">ω over the steps.</param>
    /// <param name="config">Validated section, for the gate.</param>
    /// <param name="domains">Names of the domains, in the order of the samples' domain index.</param>
    public SoftLabelGuidance(
        Teacher teacher,
        Transition transition,
        DistillationConfig config,
        IReadOnlyList<string> domains
    )
        : base(transition)
    {
        (_teacher, _transition, _renormalises) = (teacher, transition, config.Renormalise);

        // The domain gate concerns whole samples: it is part of their ω, and the loss head's gate stays open.
        _gatesDomains = config.Gate == GateKind.Domain;
        _gate = _gatesDomains ? Gate.Open : config.CreateGate(teacher.BucketBounds);
        IReadOnlyDictionary<string, double> factors =
            config.GateDomains is { } given && _gatesDomains ? given : new Dictionary<string, double>();
        _domainFactors = [.. domains.Select(name => factors.GetValueOrDefault(name, 1.0))];
    }

    /// <inheritdoc/>
    public override Teacher? Teacher => IsActive ? _teacher : null;

    /// <inheritdoc/>
    public override GuidanceSums Sums => _step is null ? default : new(_taught, DomainGateSum(_step));

    /// <inheritdoc/>
    public override StageWeights Next(int step, double learningRate) => _transition.Next(step, learningRate);

    /// <inheritdoc/>
    public override void ReadAhead(IReadOnlyList<SampleKey> samples)
    {
        if (IsActive)
        {
            _teacher.ReadAhead(samples);
        }
    }

    /// <inheritdoc/>
    public override void Begin(Batch batch, StageWeights weights, double gateScale)
    {
        _taught = 0;
        if (IsActive)
        {
            _step = new Step(batch, weights, _renormalises ? gateScale : null);
        }
    }

    /// <inheritdoc/>
    public override LossRequest AddLabels(LossRequest request, BatchRows rows)
    {
        if (_step is null)
        {
            return request;
        }

        // Samples with a weight come first (Trainer.RunMicroBatches), so the teacher sees the first rows alone.
        int taught = Enumerable.Range(0, rows.Rows.Length).Count(i => _step.Weights.ByDomain[rows.DomainOf(i)] > 0);
        if (taught == 0)
        {
            return request;
        }

        _taught += taught;
        return request with
        {
            Teacher = Label(rows.Take(taught)),
            Omega = Omegas(rows, _step.Weights),
            Gate = _gate,
            GateScale = _step.GateScale,
        };
    }

    /// <inheritdoc/>
    public override double Flops(GuidanceSums sums)
    {
        if (_step is null)
        {
            return 0;
        }

        int length = _step.Batch.SequenceLength;
        return sums.Samples * length * _teacher.FlopsPerToken(length);
    }

    /// <inheritdoc/>
    public override double GateSum(GuidanceSums sums, LossSums losses) => _gatesDomains ? sums.Gate : losses.Gate;

    /// <inheritdoc/>
    protected override void Close()
    {
        _step = null;
        _teacher.Dispose();
    }

    private SoftLabels Label(BatchRows rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Teacher);
        return _teacher.Label(rows.Batch, rows.Rows, rows.Inputs, rows.Ranges);
    }

    // ω_j of each sample's domain, times the domain gate's factor, spread over its positions.
    private float[] Omegas(BatchRows rows, StageWeights weights)
    {
        int length = rows.Batch.SequenceLength;
        float[] spread = new float[rows.Rows.Length * length];
        for (int i = 0; i < rows.Rows.Length; i++)
        {
            int domain = rows.DomainOf(i);
            spread.AsSpan(i * length, length).Fill((float)(weights.ByDomain[domain] * _domainFactors[domain]));
        }

        return spread;
    }

    // Σ h_t over the positions with a teacher where h is a matter of whole samples; other gates are summed with the losses.
    private double DomainGateSum(Step step)
    {
        if (!_gatesDomains)
        {
            return 0;
        }

        Batch batch = step.Batch;
        return Enumerable
            .Range(0, batch.Samples.Count)
            .Where(row => step.Weights.ByDomain[batch.Samples[row].Domain] > 0)
            .Sum(row => _domainFactors[batch.Samples[row].Domain] * batch.CountedOf(row));
    }

    private sealed record Step(Batch Batch, StageWeights Weights, double? GateScale);
}
