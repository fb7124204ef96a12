using Saltern.Evaluation;
using Saltern.RunFiles;
using Saltern.Shards;

namespace Saltern.Samples;

/// <summary>Two models on the same validation text.</summary>
internal static class EvaluateFromCSharp
{
    public static void Run(string folder)
    {
        using TokenDataset data = TokenDataset.Open($"{folder}/data");
        foreach (string run in new[] { "baseline", "salt" })
        {
            FinalScores scores = DatasetEvaluation.Run($"{folder}/{run}", data, sequenceLength: 64);
            Console.WriteLine(
                $"{run}: {scores.Loss:0.000} nats per token, {scores.BitsPerByte:0.000} bits per byte, "
                    + $"{scores.Accuracy:0.0%} of {scores.Tokens} tokens right"
            );
        }
    }
}
