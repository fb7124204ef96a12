namespace Saltern.ModelFiles;

/// <summary>How far the reading of a model's weights is.</summary>
/// <param name="Values">Values read so far.</param>
/// <param name="TotalValues">Values of the model.</param>
/// <param name="IsFirst">Whether nothing was reported of this model before.</param>
internal readonly record struct WeightProgress(string Tensor, long Values, long TotalValues, bool IsFirst);
