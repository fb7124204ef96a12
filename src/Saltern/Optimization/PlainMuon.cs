// Muon as libtorch's operations, for float32 weights on a GPU.
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Muon with tensor operations, for float32 weights on any device; equal to <see cref="Muon"/> up to rounding.</summary>
/// <remarks>Its state has the names of <see cref="Muon"/>'s, so either reads the other's checkpoints.</remarks>
internal sealed class PlainMuon : Optimizer
{
    private readonly Dictionary<string, Tensor> _state = [];
    private readonly (ParameterSlice Slice, bool Decays)[] _weights;
    private readonly double _restRatio;

    /// <summary>Makes zeroed momentum and moments beside the weights.</summary>
    public PlainMuon(ParameterSet parameters, OptimizerConfig config, int threads)
        : base(parameters, config, threads)
    {
        _restRatio = (config.AdamwLearningRate ?? config.LearningRate) / config.LearningRate;
        _weights =
        [
            .. parameters.Layout.Blocks.SelectMany(block => block.Slices.Select(slice => (slice, block.Decays))),
        ];
        foreach ((ParameterSlice slice, _) in _weights)
        {
            string[] names = Muon.IsHiddenMatrix(slice)
                ? [OptimizerTensor.Momentum + slice.Name]
                : [.. AdamWKernel.StateOf(slice).Select(tensor => tensor.Name)];
            Array.ForEach(
                names,
                name =>
                    _state.Add(name, zeros(slice.Shape, ScalarType.Float32, parameters.Device).DetachFromDisposeScope())
            );
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

    private protected override void Apply(double learningRate, double clip)
    {
        using IDisposable _ = no_grad();
        var rest = new AdamWStep(learningRate * _restRatio, clip, UpdateCount);
        foreach ((ParameterSlice slice, bool decays) in _weights)
        {
            if (Muon.IsHiddenMatrix(slice))
            {
                Tensor momentum = _state[OptimizerTensor.Momentum + slice.Name];
                Muon.UpdateMatrix(Parameters, Config, slice, momentum, learningRate, clip);
                continue;
            }

            using DisposeScope scope = NewDisposeScope();
            Tensor m = _state[OptimizerTensor.FirstMoment + slice.Name].view(-1);
            Tensor v = _state[OptimizerTensor.SecondMoment + slice.Name].view(-1);
            PlainAdamW.Update(
                Parameters,
                Config,
                new AdamWRun(slice.Offset, m, v),
                decays ? [(0L, slice.Count)] : [],
                rest
            );
        }
    }
}
