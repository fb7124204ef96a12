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

    private protected override void Apply(UpdateStep step)
    {
        using IDisposable _ = no_grad();
        foreach ((long start, long length, AdamWGroup[] groups) in Stretches())
        {
            for (long from = start; from < start + length; from += RangeLength)
            {
                // Padding between blocks goes along: its gradient and moments are 0, so it stays as it is.
                using DisposeScope scope = NewDisposeScope();
                long count = Math.Min(RangeLength, start + length - from);
                var run = new AdamWRun(from, _first.narrow(0, from, count), _second.narrow(0, from, count));
                AdamWGroup decaying = groups.MaxBy(group => group.WeightDecay)!;
                Update(Parameters, run, DecayingParts(from, count), decaying.At(step, takesMomentum: true));
            }
        }
    }

    /// <summary>One update of a run of weights.</summary>
    /// <param name="run">Which weights, and their moments.</param>
    /// <param name="decaying">Parts of the run that decay, counted from its start.</param>
    /// <param name="step">The numbers of the weights' group.</param>
    internal static void Update(
        ParameterSet parameters,
        AdamWRun run,
        IEnumerable<(long Start, long Length)> decaying,
        AdamWStep step
    )
    {
        using DisposeScope scope = NewDisposeScope();
        (long start, Tensor m, Tensor v) = run;
        long length = m.numel();
        Tensor weight = parameters.FlatWeights.narrow(0, start, length);
        Tensor wide = weight.to(ScalarType.Float32); // the same memory where the weights are float32
        Tensor g = parameters.FlatGradients.narrow(0, start, length).to(ScalarType.Float32).mul(step.Clip);
        m.mul_(step.Beta1).add_(g, alpha: 1.0 - step.Beta1);
        v.mul_(step.Beta2).addcmul_(g, g, 1.0 - step.Beta2);
        Tensor update = m / v.sqrt().mul_(step.RootCorrection).add_(step.Epsilon);
        foreach ((long from, long count) in decaying)
        {
            Tensor part = wide.narrow(0, from, count);
            if (step.Cautious)
            {
                Tensor agrees = update.narrow(0, from, count).mul(part).gt(0);
                part.mul_(agrees.to(ScalarType.Float32).mul_(step.Keep - 1.0).add_(1.0));
            }
            else
            {
                part.mul_(step.Keep);
            }
        }

        wide.add_(update, alpha: -step.Rate);
        if (weight.dtype != ScalarType.Float32)
        {
            weight.copy_(wide);
        }
    }

    // Runs of blocks that differ in whether they decay alone, up to where the next one begins; one for all weights where no group has anything of its own.
    private List<(long Start, long Length, AdamWGroup[] Groups)> Stretches()
    {
        static AdamWGroup Apart(AdamWGroup group) => group with { WeightDecay = 0, Cautious = false };
        var stretches = new List<(long Start, long Length, AdamWGroup[] Groups)>();
        var groups = new List<AdamWGroup>();
        long start = 0;
        foreach (ParameterBlock block in Parameters.Layout.Blocks)
        {
            AdamWGroup group = AdamWGroup.Of(Config, block.Slices[0].Name, block.Decays);
            bool joins = groups.All(other =>
                Apart(other) == Apart(group)
                && (other.WeightDecay == group.WeightDecay || other.WeightDecay * group.WeightDecay == 0)
            );
            if (!joins)
            {
                stretches.Add((start, block.Offset - start, [.. groups]));
                groups.Clear();
                start = block.Offset;
            }

            groups.Add(group);
        }

        stretches.Add((start, Parameters.Layout.Length - start, [.. groups]));
        return stretches;
    }

    // Blocks that decay, where they meet a range.
    private List<(long Start, long Length)> DecayingParts(long start, long length)
    {
        var parts = new List<(long Start, long Length)>();
        foreach (ParameterBlock block in Parameters.Layout.Blocks)
        {
            if (AdamWGroup.Of(Config, block.Slices[0].Name, block.Decays).WeightDecay == 0)
            {
                continue;
            }

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
