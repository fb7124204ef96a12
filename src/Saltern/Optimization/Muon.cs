// Muon for the hidden matrices, AdamW for everything else, in one optimizer with one state.
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Momentum whose direction is made orthogonal, matrix by matrix (Keller Jordan 2024; scale and decay from arXiv:2502.16982), float32 on the CPU.</summary>
/// <remarks>
/// For every matrix inside the layers, under its checkpoint name (query, key and value are three, though they are stored as one):
/// m₁ ← μm₁ + (1 − μ)g, O = orthogonalised (1 − μ)g + μm₁ (Nesterov), w ← (1 − ηδ)w − η·0.2·√max(rows, columns)·O.
/// The scale gives every update a root mean square of about 0.2, AdamW's own, so one learning rate and one weight decay serve both parts
/// (docs/decisions/0007). Embedding, output head, norms and biases go through AdamW.
/// State: 4 bytes per parameter of the matrices, 8 per parameter of the rest.
/// </remarks>
internal sealed class Muon : Optimizer
{
    /// <summary>μ where the recipe names none.</summary>
    private const double DefaultMomentum = 0.95;

    private const double UpdateRootMeanSquare = 0.2; // arXiv:2502.16982, section 2.2
    private readonly OptimizerState _state;
    private readonly AdamWKernel _rest;
    private readonly ParameterSlice[] _matrices;
    private readonly double _restRatio;

    /// <summary>Makes zeroed momentum and moments for a trainable model.</summary>
    public Muon(ParameterSet parameters, OptimizerConfig config, int threads)
        : base(parameters, config, threads)
    {
        _restRatio = (config.AdamwLearningRate ?? config.LearningRate) / config.LearningRate;
        _matrices = [.. parameters.Layout.Slices.Where(IsHiddenMatrix)];
        _state = new OptimizerState(
            parameters.Layout.Slices.SelectMany(slice =>
                IsHiddenMatrix(slice)
                    ? [(OptimizerTensor.Momentum + slice.Name, slice.Shape)]
                    : AdamWKernel.StateOf(slice)
            )
        );
        IEnumerable<(ParameterSlice Slice, bool)> all = parameters.Layout.Blocks.SelectMany(block =>
            block.Slices.Select(slice => (slice, block.Decays))
        );
        _rest = new AdamWKernel(
            parameters,
            all.Where(weight => !IsHiddenMatrix(weight.Slice)),
            _state,
            config,
            Workers
        );
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State => _state.Tensors;

    /// <summary>Whether a weight is one of Muon's own: a matrix inside a layer, which maps hidden states to hidden states.</summary>
    public static bool IsHiddenMatrix(ParameterSlice slice) =>
        slice.Shape.Length == 2 && slice.Name.Contains(".layers.", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override void Dispose() => _state.Dispose();

    private protected override void Apply(double learningRate, double clip)
    {
        using IDisposable _ = no_grad();
        foreach (ParameterSlice slice in _matrices)
        {
            Tensor momentum = _state[OptimizerTensor.Momentum + slice.Name];
            UpdateMatrix(Parameters, Config, slice, momentum, learningRate, clip);
        }

        _rest.Update(learningRate * _restRatio, clip, UpdateCount);
    }

    /// <summary>One update of a hidden matrix, for this class and <see cref="PlainMuon"/>.</summary>
    /// <param name="config">μ and weight decay δ.</param>
    /// <param name="momentum">m₁, [rows, columns], changed.</param>
    /// <param name="clip">Factor of the gradient.</param>
    internal static void UpdateMatrix(
        ParameterSet parameters,
        OptimizerConfig config,
        ParameterSlice slice,
        Tensor momentum,
        double learningRate,
        double clip
    )
    {
        using DisposeScope scope = NewDisposeScope();
        double share = config.Momentum ?? DefaultMomentum;
        Tensor g = parameters.FlatGradients.narrow(0, slice.Offset, slice.Count).view(slice.Shape).mul(clip); // [rows, columns]
        momentum.mul_(share).add_(g, alpha: 1.0 - share);
        Tensor direction = NewtonSchulz.Orthogonalize(g.mul_(1.0 - share).add_(momentum, alpha: share));
        double scale = UpdateRootMeanSquare * Math.Sqrt(Math.Max(slice.Shape[0], slice.Shape[1]));
        parameters
            .Weight(slice)
            .mul_(1.0 - (learningRate * config.WeightDecay))
            .add_(direction, alpha: -learningRate * scale);
    }
}
