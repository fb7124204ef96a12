// The moments belong to Saltern: checkpoints are exact, and ranks can own slices of them (ShardedAdamW.cs).
using Saltern.Models;

namespace Saltern.Optimization;

/// <summary>AdamW on the flat weights of a model, float32 on the CPU (arXiv:1711.05101, Algorithm 2); <see cref="PlainAdamW"/> is its plain twin.</summary>
/// <remarks>State: two moments of every weight, 8 bytes per parameter. The same bits for any number of threads.</remarks>
internal sealed class AdamW : Optimizer
{
    private readonly OptimizerState _state;
    private readonly AdamWKernel _kernel;

    /// <summary>Makes zeroed moments for a trainable model.</summary>
    public AdamW(ParameterSet parameters, OptimizerConfig config, int threads)
        : base(parameters, config, threads)
    {
        _state = new OptimizerState(parameters.Layout.Slices.SelectMany(AdamWKernel.StateOf));
        _kernel = new AdamWKernel(parameters, Groups, _state, Workers, takesMomentum: true);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State => _state.Tensors;

    /// <inheritdoc/>
    public override void Dispose() => _state.Dispose();

    private protected override void Apply(UpdateStep step) => _kernel.Update(step);
}
