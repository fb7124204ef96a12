// AdamW as libtorch's operations: for weights of another type or device, and what the fused kernel is held against.
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>AdamW block by block with tensor operations, for weights of any type on any device; equal to <see cref="AdamW"/> up to rounding.</summary>
/// <remarks>
/// Moments and arithmetic are float32 whatever the weights are; narrower weights are rounded once, after the update, and no wider copy of them is kept.
/// Its state has the names of <see cref="AdamW"/>'s, so either reads the other's checkpoints.
/// </remarks>
public sealed class PlainAdamW : Optimizer
{
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
            .. parameters.Layout.Slices.SelectMany(slice => new OptimizerTensor[]
            {
                new(OptimizerTensor.FirstMoment + slice.Name, View(_first, slice)),
                new(OptimizerTensor.SecondMoment + slice.Name, View(_second, slice)),
            }),
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
        double rate = learningRate / (1.0 - Math.Pow(Config.Betas[0], UpdateCount)), root = 1.0 / Math.Sqrt(1.0 - Math.Pow(Config.Betas[1], UpdateCount));
        foreach (ParameterBlock block in Parameters.Layout.Blocks)
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor weight = Parameters.FlatWeights.narrow(0, block.Offset, block.Count);
            Tensor g = Parameters.FlatGradients.narrow(0, block.Offset, block.Count).to(ScalarType.Float32).mul(clip);
            Tensor m = _first.narrow(0, block.Offset, block.Count), v = _second.narrow(0, block.Offset, block.Count);
            m.mul_(Config.Betas[0]).add_(g, alpha: 1.0 - Config.Betas[0]);
            v.mul_(Config.Betas[1]).add_(g.square(), alpha: 1.0 - Config.Betas[1]);
            double keep = block.Decays ? 1.0 - (learningRate * Config.WeightDecay) : 1.0;
            Tensor change = m / v.sqrt().mul_(root).add_(Config.Epsilon);
            weight.copy_(weight.to(ScalarType.Float32).mul(keep).add_(change, alpha: -rate));
        }
    }

    private static Tensor View(Tensor flat, ParameterSlice slice)
    {
        using DisposeScope scope = NewDisposeScope();
        return flat.narrow(0, slice.Offset, slice.Count).view(slice.Shape).DetachFromDisposeScope();
    }
}
