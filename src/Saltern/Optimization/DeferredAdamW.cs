using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>AdamW by libtorch's fused operator, with rate, count, clipping and "not this time" as tensors: an update that reads nothing from the device.</summary>
/// <remarks>The same rule as <see cref="PlainAdamW"/>'s, for one group of weights, no cautious decay, and moments and weights in float32.</remarks>
internal sealed class DeferredAdamW : IDisposable
{
    private readonly OptimizerConfig _config;
    private readonly ParameterSet _parameters;
    private readonly Tensor _first;
    private readonly Tensor _second;
    private readonly Tensor _count;
    private readonly Tensor _rate;
    private readonly (double Decay, Tensor[] Weights, Tensor[] Gradients, Tensor[] First, Tensor[] Second)[] _groups;

    /// <summary>Makes zeroed moments beside the weights.</summary>
    /// <exception cref="ConfigurationException">The recipe asks for what the operator does not do.</exception>
    public DeferredAdamW(ParameterSet parameters, OptimizerConfig config)
    {
        bool isPlain = config is { Kind: OptimizerKind.Adamw, Embedding: null, Head: null, CautiousWeightDecay: false };
        if (!isPlain || parameters.Type != ScalarType.Float32)
        {
            throw new ConfigurationException(
                "A step that reads nothing updates float32 weights by 'optimizer.kind: adamw', "
                    + "with one rate for all and no cautious_weight_decay."
            );
        }

        (_parameters, _config) = (parameters, config);
        using DisposeScope scope = NewDisposeScope();
        Device device = parameters.Device;
        _first = zeros(parameters.Layout.Length, ScalarType.Float32, device).DetachFromDisposeScope();
        _second = zeros(parameters.Layout.Length, ScalarType.Float32, device).DetachFromDisposeScope();
        _count = zeros([], ScalarType.Float32, device).DetachFromDisposeScope();
        _rate = zeros([], ScalarType.Float32, device).DetachFromDisposeScope();
        _groups =
        [
            .. parameters
                .Layout.Blocks.GroupBy(block => AdamWGroup.Of(config, block.Slices[0].Name, block.Decays).WeightDecay)
                .Select(group =>
                    (
                        group.Key,
                        Views(parameters.FlatWeights.detach(), group),
                        Views(parameters.FlatGradients, group),
                        Views(_first, group),
                        Views(_second, group)
                    )
                ),
        ];
    }

    /// <summary>One update, or none where the norm or the loss is no number.</summary>
    /// <param name="step">Its <see cref="UpdateStep.LearningRate"/>, momentum and share of decay.</param>
    /// <param name="loss">A float64 scalar on the device.</param>
    /// <returns>‖g‖₂ before clipping, and 1 where the update was made, else 0; float64, [2]. The caller's scope owns it.</returns>
    public Tensor Update(UpdateStep step, Tensor loss)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor norm = _parameters.FlatGradients.to(ScalarType.Float64).square().sum().sqrt();
        Tensor applied = norm.isfinite().logical_and(loss.isfinite()).to(ScalarType.Float32);
        Tensor leaveOut = 1 - applied;
        Tensor? scale = null;
        if (_config.MaxGradientNorm > 0)
        {
            scale = (norm / _config.MaxGradientNorm).clamp_min(1).to(ScalarType.Float32);
        }

        _rate.fill_(step.LearningRate);
        _count.add_(applied);
        foreach ((double decay, Tensor[] weights, Tensor[] gradients, Tensor[] first, Tensor[] second) in _groups)
        {
            FusedOperators.AdamW(
                weights,
                gradients,
                first,
                second,
                [.. weights.Select(_ => _count)],
                new AdamWFactors(
                    _rate,
                    step.Momentum ?? _config.Betas[0],
                    _config.Betas[1],
                    decay * step.DecayShare,
                    _config.Epsilon,
                    scale,
                    leaveOut
                )
            );
        }

        return stack([norm, applied.to(ScalarType.Float64)]).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, Tensor[] weights, Tensor[] gradients, Tensor[] first, Tensor[] second) in _groups)
        {
            foreach (Tensor view in weights.Concat(gradients).Concat(first).Concat(second))
            {
                view.Dispose();
            }
        }

        _first.Dispose();
        _second.Dispose();
        _count.Dispose();
        _rate.Dispose();
    }

    private static Tensor[] Views(Tensor flat, IEnumerable<ParameterBlock> blocks) =>
        [.. blocks.Select(block => flat.narrow(0, block.Offset, block.Count).DetachFromDisposeScope())];
}
