using Saltern.Models;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>What a recipe says of Muon's own matrices, with its defaults filled in.</summary>
/// <param name="Momentum">μ.</param>
/// <param name="Beta">β of the second moments that even out the update.</param>
/// <param name="WeightDecay">δ.</param>
/// <param name="Cautious">Whether only weights decay that the update makes smaller too.</param>
/// <param name="ProductType">Type of Polar Express's products.</param>
internal sealed record MuonRule(
    double Momentum,
    OrthogonalizationKind Orthogonalization,
    UpdateNormalization Normalization,
    double Beta,
    RateAdjustment RateAdjustment,
    double WeightDecay,
    bool Cautious,
    ScalarType ProductType
)
{
    /// <summary>ε of NorMuon: added to the root of a second moment.</summary>
    public const double Epsilon = 1e-8;

    /// <summary>μ where the recipe names none.</summary>
    public const double DefaultMomentum = 0.95;

    private const double UpdateRootMeanSquare = 0.2; // arXiv:2502.16982, section 2.2

    /// <summary>Reads a recipe's section.</summary>
    public static MuonRule Of(OptimizerConfig config, ScalarType productType) =>
        new(
            config.Momentum ?? DefaultMomentum,
            config.Orthogonalization ?? OrthogonalizationKind.Quintic,
            config.Normalization ?? UpdateNormalization.None,
            config.NormalizationBeta ?? 0.95,
            config.RateAdjustment ?? RateAdjustment.MatchRmsAdamw,
            config.WeightDecay,
            config.CautiousWeightDecay,
            productType
        );

    /// <summary>Whether a weight is one of Muon's own: a matrix inside a layer, which maps hidden states to hidden states.</summary>
    public static bool IsHiddenMatrix(ParameterSlice slice) =>
        slice.Shape.Length == 2 && slice.Name.Contains(".layers.", StringComparison.Ordinal);

    /// <summary>Products of one update of all weights, FLOP, whatever the batch: Muon's; other rules have none.</summary>
    /// <param name="weights">What is trained.</param>
    public static double UpdateFlops(OptimizerConfig optimizer, ParameterLayout weights)
    {
        if (optimizer.Kind != OptimizerKind.Muon)
        {
            return 0;
        }

        return weights.Slices.Where(IsHiddenMatrix).Sum(slice => NewtonSchulz.Flops(slice.Shape[0], slice.Shape[1]));
    }

    /// <summary>What is remembered of a matrix: its momentum and, where the update is evened out, one second moment for each row or column.</summary>
    public IEnumerable<(string Name, long[] Shape)> StateOf(ParameterSlice slice)
    {
        yield return (OptimizerTensor.Momentum + slice.Name, slice.Shape);
        if (MomentsOf(slice) is string name)
        {
            yield return (name, [IsByRow(slice.Shape) ? slice.Shape[0] : slice.Shape[1]]);
        }
    }

    /// <summary>Name of the second moments that even out a matrix's update; null for none.</summary>
    public string? MomentsOf(ParameterSlice slice)
    {
        if (Normalization == UpdateNormalization.None)
        {
            return null;
        }

        return (IsByRow(slice.Shape) ? OptimizerTensor.UpdateRow : OptimizerTensor.UpdateColumn) + slice.Name;
    }

    /// <summary>Whether it is the rows that are evened out.</summary>
    /// <param name="shape">[rows, columns].</param>
    public bool IsByRow(long[] shape) => Normalization == UpdateNormalization.Neurons || shape[0] >= shape[1];

    /// <summary>What the orthogonal update is multiplied with, beside the learning rate.</summary>
    /// <param name="shape">[rows, columns].</param>
    public double Scale(long[] shape)
    {
        if (RateAdjustment == RateAdjustment.Original)
        {
            return Math.Sqrt(Math.Max(1.0, (double)shape[0] / shape[1]));
        }

        return UpdateRootMeanSquare * Math.Sqrt(Math.Max(shape[0], shape[1]));
    }

    /// <summary>What decay leaves of a weight in one update.</summary>
    public double Keep(UpdateStep step) => 1.0 - (step.LearningRate * WeightDecay * step.DecayShare);
}
