namespace Saltern.Evaluation;

/// <summary>Whether a model is right as often as it is sure: predictions sorted by the probability of the most likely token.</summary>
/// <remarks>Expected calibration error of Guo et al. (arXiv:1706.04599), equation 3: Σ share · |accuracy − confidence| over 15 bins of equal width, share that of the predictions in the bin.</remarks>
internal sealed class Calibration
{
    private const int Bins = 15;

    private readonly (long Count, double Confidence, long Correct)[] _bins = new (long, double, long)[Bins];

    /// <summary>Predictions added.</summary>
    public long Count => _bins.Sum(bin => bin.Count);

    /// <summary>Mean probability of the most likely token, in (0, 1]; NaN of nothing.</summary>
    public double Confidence => _bins.Sum(bin => bin.Confidence) / Count;

    /// <summary>Share of predictions that are right, in [0, 1]; NaN of nothing.</summary>
    public double Accuracy => _bins.Sum(bin => bin.Correct) / (double)Count;

    /// <summary>Expected calibration error, in [0, 1]; NaN of nothing. 0 for a model that is right as often as it is sure.</summary>
    public double Error => _bins.Sum(bin => Math.Abs(bin.Correct - bin.Confidence)) / Count;

    /// <summary>Adds one prediction.</summary>
    /// <param name="confidence">Probability of the most likely token, in [0, 1].</param>
    /// <param name="correct">Whether that token came.</param>
    public void Add(double confidence, bool correct)
    {
        // Bins are closed above, as in the paper: ((i − 1)/15, i/15].
        int bin = Math.Clamp((int)Math.Ceiling(confidence * Bins) - 1, 0, Bins - 1);
        (long count, double sum, long right) = _bins[bin];
        _bins[bin] = (count + 1, sum + confidence, right + (correct ? 1 : 0));
    }
}
