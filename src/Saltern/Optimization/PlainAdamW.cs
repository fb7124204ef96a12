// AdamW as libtorch's operations: for weights of another type or device, and what the fused kernel is held against.
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>AdamW over the flat buffers with tensor operations, for weights of any type on any device; equal to <see cref="AdamW"/> up to rounding.</summary>
/// <remarks>
/// Moments and arithmetic are float32 whatever the weights are; narrower weights are rounded once, after the update, and no wider copy of them is kept.
/// Its state has the names of <see cref="AdamW"/>'s, so either reads the other's checkpoints.
/// </remarks>
internal sealed class PlainAdamW : Optimizer
{
    // Weights of one turn: three temporaries of 64 MiB each. Few turns, because each operation costs a GPU a launch.
    private const long RangeLength = 1 << 24;
    private readonly Tensor _first;
    private readonly Tensor _second;

    /// <summary>Makes zeroed moments beside the weights.</summary>
    public PlainAdamW(ParameterSet parameters, OptimizerConfig config, int threads)
        : base(parameters, config, threads)
    {
        _first = zeros(parameters.Layout.Length, ScalarType.Float32, parameters.Device).DetachFromDisposeScope();
        _second = zeros(parameters.Layout.Length, ScalarType.Float32, parameters.Device).DetachFromDisposeScope();
        State =
        [
            .. parameters.Layout.Slices.SelectMany(slice =>
                new OptimizerTensor[]
                {
                    new(OptimizerTensor.FirstMoment + slice.Name, View(_first, slice)),
                    new(OptimizerTensor.SecondMoment + slice.Name, View(_second, slice)),
                }
            ),
        ];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State { get; }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (OptimizerTensor tensor in State)
        {
            tensor.Values.Dispose();
        }

        _first.Dispose();
        _second.Dispose();
    }

    private protected override void Apply(double learningRate, double clip)
    {
        using IDisposable _ = no_grad();
        var step = new AdamWStep(learningRate, clip, UpdateCount);
        for (long start = 0; start < Parameters.Layout.Length; start += RangeLength)
        {
            // Padding between blocks goes along: its gradient and moments are 0, so it stays as it is.
            using DisposeScope scope = NewDisposeScope();
            long from = start;
            long length = Math.Min(RangeLength, Parameters.Layout.Length - start);
            var run = new AdamWRun(from, _first.narrow(0, from, length), _second.narrow(0, from, length));
            Update(Parameters, Config, run, DecayingParts(from, length), step);
        }
    }

    /// <summary>One update of a run of weights.</summary>
    /// <param name="config">Betas, ε and weight decay.</param>
    /// <param name="run">Which weights, and their moments.</param>
    /// <param name="decaying">Parts of the run that decay, counted from its start.</param>
    /// <param name="step">What all runs of an update share.</param>
    internal static void Update(
        ParameterSet parameters,
        OptimizerConfig config,
        AdamWRun run,
        IEnumerable<(long Start, long Length)> decaying,
        AdamWStep step
    )
    {
        using DisposeScope scope = NewDisposeScope();
        (long start, Tensor m, Tensor v) = run;
        long length = m.numel();
        double keep = 1.0 - (step.LearningRate * config.WeightDecay);
        double rate = step.LearningRate / (1.0 - Math.Pow(config.Betas[0], step.UpdateCount));
        double root = 1.0 / Math.Sqrt(1.0 - Math.Pow(config.Betas[1], step.UpdateCount));
        Tensor weight = parameters.FlatWeights.narrow(0, start, length);
        Tensor wide = weight.to(ScalarType.Float32); // the same memory where the weights are float32
        Tensor g = parameters.FlatGradients.narrow(0, start, length).to(ScalarType.Float32).mul(step.Clip);
        m.mul_(config.Betas[0]).add_(g, alpha: 1.0 - config.Betas[0]);
        v.mul_(config.Betas[1]).addcmul_(g, g, 1.0 - config.Betas[1]);
        foreach ((long from, long count) in decaying)
        {
            wide.narrow(0, from, count).mul_(keep);
        }

        wide.add_(m / v.sqrt().mul_(root).add_(config.Epsilon), alpha: -rate);
        if (weight.dtype != ScalarType.Float32)
        {
            weight.copy_(wide);
        }
    }

    // Blocks that decay, where they meet a range.
    private List<(long Start, long Length)> DecayingParts(long start, long length)
    {
        var parts = new List<(long Start, long Length)>();
        foreach (ParameterBlock block in Parameters.Layout.Blocks.Where(block => block.Decays))
        {
            long from = Math.Max(block.Offset, start) - start;
            long end = Math.Min(block.Offset + block.Count, start + length) - start;
            if (from < end)
            {
                parts.Add((from, end - from));
            }
        }

        return parts;
    }

    private static Tensor View(Tensor flat, ParameterSlice slice)
    {
        using DisposeScope scope = NewDisposeScope();
        return flat.narrow(0, slice.Offset, slice.Count).view(slice.Shape).DetachFromDisposeScope();
    }
}

/// <summary>Weights that lie next to each other, and their moments.</summary>
/// <param name="Start">First element in the flat buffers.</param>
internal readonly record struct AdamWRun(long Start, Tensor First, Tensor Second);

/// <summary>What all weights of one update share.</summary>
/// <param name="Clip">Factor of every gradient: max_gradient_norm/‖g‖ where that is below 1, else 1 (Optimizer.Update).</param>
/// <param name="UpdateCount">u ≥ 1, this update included.</param>
internal readonly record struct AdamWStep(double LearningRate, double Clip, long UpdateCount);
