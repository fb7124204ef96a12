using Saltern.Distributed;
using Saltern.Models;

namespace Saltern.Runs;

/// <summary>Ranks whose weights differ train no common model: better an end than a checkpoint.</summary>
internal static class SameWeights
{
    /// <summary>Compares a SHA-256 of the weights over all ranks.</summary>
    /// <exception cref="DistributedException">Some rank's weights are others than rank 0's.</exception>
    public static void RequireSameWeights(this ICommunicator ranks, Transformer student)
    {
        if (ranks.Size > 1)
        {
            ranks.RequireSame(
                "The fingerprint of the weights",
                RunParts.WeightsFingerprint(student),
                "Are the ranks of one build, on machines of one kind, "
                    + "with the same model files? Go on from the last checkpoint with --resume."
            );
        }
    }
}
