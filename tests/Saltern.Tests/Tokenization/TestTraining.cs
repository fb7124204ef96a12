using CsCheck;
using Saltern.Tokenization;

namespace Saltern.Tests.Tokenization;

/// <summary>What several test classes of this folder start from.</summary>
internal static class TestTraining
{
    /// <summary>Trains until done or until the test run is cancelled.</summary>
    public static BpeTokenizer Train(
        IEnumerable<string> documents,
        BpeTrainerOptions options,
        IProgress<BpeTrainingProgress>? progress = null
    ) => BpeTrainer.Train(documents, options, progress, TestContext.Current.CancellationToken);

    /// <summary>Draws one of the values.</summary>
    public static Gen<T> OneOf<T>(IReadOnlyList<T> values) => Gen.Int[0, values.Count - 1].Select(i => values[i]);
}
