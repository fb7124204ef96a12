// Muon as libtorch's operations, for float32 weights on a GPU, and what the fused kernel is held against.
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Muon with tensor operations, for float32 weights on any device; equal to <see cref="Muon"/> up to rounding.</summary>
/// <remarks>Its state has the names of <see cref="Muon"/>'s, so either reads the other's checkpoints.</remarks>
internal sealed class PlainMuon : Optimizer
{
    private readonly Dictionary<string, Tensor> _state = [];
    private readonly (ParameterSlice Slice, AdamWGroup Group)[] _weights;
    private readonly MuonRule _rule;

    /// <summary>Makes zeroed momentum and moments beside the weights.</summary>
    /// <param name="productType">Type of Polar Express's products.</param>
    public PlainMuon(
        ParameterSet parameters,
        OptimizerConfig config,
        int threads,
        ScalarType productType = ScalarType.Float32
    )
        : base(parameters, config, threads)
    {
        _rule = MuonRule.Of(config, productType);
        _weights = [.. Groups];
        foreach ((string name, long[] shape) in _weights.SelectMany(weight => Muon.StateOf(_rule, weight.Slice)))
        {
            _state.Add(name, zeros(shape, ScalarType.Float32, parameters.Device).DetachFromDisposeScope());
        }

        State = [.. _state.Select(pair => new OptimizerTensor(pair.Key, pair.Value))];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State { get; }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (Tensor tensor in _state.Values)
        {
            tensor.Dispose();
        }
    }

    private protected override void Apply(UpdateStep step)
    {
        using IDisposable _ = no_grad();
        foreach ((ParameterSlice slice, AdamWGroup group) in _weights)
        {
            using DisposeScope scope = NewDisposeScope();
            if (MuonRule.IsHiddenMatrix(slice))
            {
                UpdateMatrix(slice, step);
                continue;
            }

            Tensor m = _state[OptimizerTensor.FirstMoment + slice.Name].view(-1);
            Tensor v = _state[OptimizerTensor.SecondMoment + slice.Name].view(-1);
            PlainAdamW.Update(
                Parameters,
                new AdamWRun(slice.Offset, m, v),
                group.WeightDecay > 0 ? [(0L, slice.Count)] : [],
                group.At(step, takesMomentum: false)
            );
        }
    }

    private void UpdateMatrix(ParameterSlice slice, UpdateStep step)
    {
        double share = step.Momentum ?? _rule.Momentum;
        Tensor momentum = _state[OptimizerTensor.Momentum + slice.Name];
        Tensor g = Parameters.FlatGradients.narrow(0, slice.Offset, slice.Count).view(slice.Shape).mul(step.Clip); // [rows, columns]
        momentum.mul_(share).add_(g, alpha: 1.0 - share);
        Tensor direction = NewtonSchulz.Orthogonalize(
            g.mul_(1.0 - share).add_(momentum, alpha: share),
            _rule.Orthogonalization,
            _rule.ProductType
        );
        if (_rule.MomentsOf(slice) is string name)
        {
            direction = EvenOut(direction, _state[name], _rule.IsByRow(slice.Shape) ? 1 : 0);
        }

        Tensor update = direction.mul(step.LearningRate * _rule.Scale(slice.Shape));
        Tensor weight = Parameters.Weight(slice);
        if (_rule.Cautious)
        {
            Tensor agrees = update.mul(weight).gt(0).to(ScalarType.Float32);
            weight.mul_(agrees.mul_(_rule.Keep(step) - 1.0).add_(1.0));
        }
        else
        {
            weight.mul_(_rule.Keep(step));
        }

        weight.sub_(update);
    }

    // NorMuon, arXiv:2510.05491: each row (or column) over the root of its second moment, and the whole at the norm that it had.
    private Tensor EvenOut(Tensor direction, Tensor moments, long across)
    {
        moments.mul_(_rule.Beta).add_(direction.square().mean([across]), alpha: 1.0 - _rule.Beta);
        Tensor even = direction / moments.sqrt().add_(MuonRule.Epsilon).unsqueeze(across);
        return even * (direction.norm() / even.norm().clamp_min_(1e-30));
    }
}
