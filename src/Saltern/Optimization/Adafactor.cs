using Saltern.Models;
using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>Adafactor: second moments as one number per row and one per column (arXiv:1804.04235, Algorithms 4 to 6), float32 on the CPU.</summary>
/// <remarks>
/// With β₂ = 1 − u^(−0.8), for every weight under its checkpoint name:
/// m_row ← β₂·m_row + (1 − β₂)·mean over columns of (g² + 1e-30), m_col ← the same over rows, m̂₂ = m_row·m_col/mean(m_row), U = g/√m̂₂ / max(1, RMS(g/√m̂₂)),
/// w ← (1 − ηδ)w − ηU. Vectors keep a whole m₂. Where <c>beta1</c> is set, m₁ ← β₁m₁ + (1 − β₁)ηU takes the place of ηU, as in the authors'
/// program; where <c>scale_parameter</c> is true, η·max(1e-3, RMS(w)) that of η. There is no relative step: the schedule gives η. Weight decay is decoupled, as for AdamW.
/// State: about 4·(1/rows + 1/columns) bytes per parameter of a matrix; 4 more with <c>beta1</c>. The same bits for any number of threads.
/// </remarks>
internal sealed unsafe class Adafactor : Optimizer
{
    private const double DecayExponent = 0.8; // arXiv:1804.04235, Algorithm 6
    private readonly OptimizerState _state;
    private readonly AdafactorKernel _kernel;
    private readonly Weight[] _weights;

    /// <summary>Makes zeroed moments for a trainable model.</summary>
    public Adafactor(ParameterSet parameters, OptimizerConfig config, int threads)
        : base(parameters, config, threads)
    {
        _state = new OptimizerState(
            parameters.Layout.Slices.SelectMany(slice => StateOf(slice, config.Beta1 is not null))
        );
        _weights =
        [
            .. parameters.Layout.Blocks.SelectMany(block =>
                block.Slices.Select(slice => new Weight(slice, block.Decays))
            ),
        ];
        _kernel = new AdafactorKernel(_weights.Select(weight => (weight.Rows, weight.Columns)), Workers);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<OptimizerTensor> State => _state.Tensors;

    /// <inheritdoc/>
    public override void Dispose() => _state.Dispose();

    private protected override void Apply(UpdateStep update)
    {
        float* weights = (float*)TensorAddress.Of(Parameters.FlatWeights);
        float* gradients = (float*)TensorAddress.Of(Parameters.FlatGradients);
        double beta1 = Config.Beta1 is null ? 0.0 : update.Momentum ?? Config.Beta1.Value;
        var step = new AdafactorStep(
            update.Clip,
            1.0 - Math.Pow(UpdateCount, -DecayExponent),
            update.LearningRate,
            Config.ScaleParameter ?? false,
            beta1
        );
        double keep = 1.0 - (update.LearningRate * Config.WeightDecay * update.DecayShare);
        foreach (Weight weight in _weights)
        {
            string name = weight.Slice.Name;
            var placed = new AdafactorWeight
            {
                Values = weights + weight.Slice.Offset,
                Gradients = gradients + weight.Slice.Offset,
                Rows = weight.Rows,
                Columns = weight.Columns,
                Keep = weight.Decays ? keep : 1.0,
            };
            if (weight.Slice.Shape.Length == 2)
            {
                placed.RowMoments = _state.AddressOf(OptimizerTensor.Row + name);
                placed.ColumnMoments = _state.AddressOf(OptimizerTensor.Column + name);
            }
            else
            {
                placed.ColumnMoments = _state.AddressOf(OptimizerTensor.SecondMoment + name);
            }

            if (Config.Beta1 is not null)
            {
                placed.FirstMoments = _state.AddressOf(OptimizerTensor.FirstMoment + name);
            }

            _kernel.Update(placed, step);
        }
    }

    private static IEnumerable<(string Name, long[] Shape)> StateOf(ParameterSlice slice, bool keepsFirstMoment)
    {
        if (slice.Shape is [long rows, long columns])
        {
            yield return (OptimizerTensor.Row + slice.Name, [rows]);
            yield return (OptimizerTensor.Column + slice.Name, [columns]);
        }
        else
        {
            yield return (OptimizerTensor.SecondMoment + slice.Name, slice.Shape);
        }

        if (keepsFirstMoment)
        {
            yield return (OptimizerTensor.FirstMoment + slice.Name, slice.Shape);
        }
    }

    // A vector is a matrix of one row: its column moments are then its whole second moment.
    private sealed record Weight(ParameterSlice Slice, bool Decays)
    {
        public int Rows => Slice.Shape.Length == 2 ? checked((int)Slice.Shape[0]) : 1;

        public int Columns => checked((int)Slice.Shape[^1]);
    }
}
