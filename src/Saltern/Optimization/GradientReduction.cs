using Saltern.Distributed;
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>Sums the gradients of all ranks, bucket by bucket.</summary>
internal static unsafe class GradientReduction
{
    /// <summary>Elements of a bucket, 16 MiB: long enough for full bandwidth, short enough that the library's own buffers stay small beside a model.</summary>
    public const int BucketLength = 1 << 22;

    /// <summary>Replaces a flat gradient by its sum over all ranks.</summary>
    /// <param name="flat">[length], float32, the same layout on every rank; on a GPU where the ranks exchange GPU memory.</param>
    public static void SumOverRanks(Tensor flat, ICommunicator ranks)
    {
        float* values = (float*)TensorAddress.Anywhere(flat);
        for (long first = 0; first < flat.numel(); first += BucketLength)
        {
            ranks.AllReduceSum(new Span<float>(values + first, (int)Math.Min(BucketLength, flat.numel() - first)));
        }
    }
}
