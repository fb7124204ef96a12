using Saltern.Batches;
using Saltern.Configuration;
using Saltern.Files;
using Saltern.Models;

namespace Saltern.Runs;

/// <summary>Which run it is, whatever its folder is called: two trainings by the same recipe from the same weights on the same data are one.</summary>
internal static class RunIdentity
{
    // Against what every recipe is told apart.
    private static readonly RunConfig Nothing = new()
    {
        Name = "",
        Data = new DataConfig { Path = "" },
        Model = new TransformerConfig(),
        Training = new TrainingConfig { Steps = 1 },
    };

    /// <summary>SHA-256 of the keys that alter numbers, the data and the first weights; inputs count by their content.</summary>
    public static string Of(RunConfig config, string dataFingerprint, string initialWeights)
    {
        IEnumerable<string> keys = RecipeDiff
            .Compare(Nothing, config)
            .Where(change => change.AltersNumbers && !change.NamesInput)
            .Select(change => $"{change.Path}={change.After}");
        return Fingerprint.Of($"{dataFingerprint}\n{initialWeights}\n{string.Join('\n', keys)}");
    }
}
