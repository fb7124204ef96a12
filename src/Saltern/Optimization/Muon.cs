// Muon for the hidden matrices, AdamW for everything else, in one optimizer with one state.
using Saltern.Models;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Momentum whose direction is made orthogonal, matrix by matrix (Keller Jordan 2024; scale and decay from arXiv:2502.16982), float32 on the CPU.</summary>
/// <remarks>
/// For every matrix inside the layers, under its checkpoint name (query, key and value are three, though they are stored as one):
/// m₁ ← μm₁ + (1 − μ)g, O = orthogonalised (1 − μ)g + μm₁ (Nesterov), w ← (1 − ηδ)w − η·0.2·√max(rows, columns)·O.
/// The scale gives every update a root mean square of about 0.2, AdamW's own, so one learning rate and one weight decay serve both parts
/// (docs/decisions/0007). What else a recipe may ask for is <see cref="MuonRule"/> (docs/optimizers.md). Embedding, output head, norms and biases go through AdamW.
/// State: 4 bytes per parameter of the matrices, 8 per parameter of the rest.
/// </remarks>
internal sealed class Muon : Optimizer
{
    private readonly OptimizerState _state;
    private readonly MuonKernel _matrices;
    private readonly AdamWKernel _rest;

    /// <summary>Makes zeroed momentum and moments for a trainable model.</summary>
    /// <param name="productType">Type of Polar Express's products.</param>
    public Muon(
        ParameterSet parameters,
        OptimizerConfig config,
        int threads,
        ScalarType productType = ScalarType.Float32
    )
        : base(parameters, config, threads)
    {
        var rule = MuonRule.Of(config, productType);
        _state = new OptimizerState(parameters.Layout.Slices.SelectMany(slice => StateOf(rule, slice)));
        _matrices = new MuonKernel(
            parameters,
            rule,
            parameters.Layout.Slices.Where(MuonRule.IsHiddenMatrix),
            _state,
            Workers
        );
        _rest = new AdamWKernel(
            parameters,
            Groups.Where(weight => !MuonRule.IsHiddenMatrix(weight.Slice)),
            _state,
            Workers,
            takesMomentum: false
        );
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State => _state.Tensors;

    /// <summary>What is remembered of a weight, whoever updates it.</summary>
    public static IEnumerable<(string Name, long[] Shape)> StateOf(MuonRule rule, ParameterSlice slice) =>
        MuonRule.IsHiddenMatrix(slice) ? rule.StateOf(slice) : AdamWKernel.StateOf(slice);

    /// <inheritdoc/>
    public override void Dispose() => _state.Dispose();

    private protected override void Apply(UpdateStep step)
    {
        _matrices.Update(step);
        _rest.Update(step);
    }
}
