// What lives in memory at the fullest moment of a step on the CPU in float32; each part names the class whose buffers it counts.
using Saltern.Losses;
using Saltern.Models;
using Saltern.Optimization;
using Saltern.Runs;

namespace Saltern.Planning;

/// <summary>A part of a run's memory.</summary>
/// <param name="FirstRankOnly">Whether rank 0 alone takes it: what is written is put together there.</param>
internal sealed record MemoryPart(string Name, long Bytes, bool FirstRankOnly = false);

/// <summary>Peak memory of a run's fullest process, by part: float32, own kernels; of several ranks, rank 0.</summary>
internal sealed record MemoryPlan(IReadOnlyList<MemoryPart> Parts)
{
    private const int Float = 4;
    private const int EvaluationRows = 4_096;

    // The runtime, libtorch and what its allocator keeps after the first products, before a model is there: what four runs of 0.3M to 1.3M parameters held beyond the
    // other parts (docs/planning.md).
    private const long ProgramBytes = 275L << 20;

    /// <summary>Sum of the parts: the only process, or rank 0.</summary>
    public long Bytes => Parts.Sum(part => part.Bytes);

    /// <summary>What each rank but the first takes.</summary>
    public long BytesOfOtherRanks => Parts.Where(part => !part.FirstRankOnly).Sum(part => part.Bytes);

    /// <summary>Reckons a run. Buffers of the MPI library are left out.</summary>
    /// <param name="teacher">Shape of a teacher in memory; null without one, or where a cache stands for it.</param>
    /// <param name="shardBytes">Mapped files whose pages the run touches; the system takes them back where memory is short.</param>
    /// <param name="ranks">R, processes that share the batch, and the optimizer state where <c>optimizer.shard_state</c> says so.</param>
    public static MemoryPlan Of(
        RunConfig recipe,
        TransformerConfig student,
        TransformerConfig? teacher,
        long shardBytes,
        int ranks = 1
    )
    {
        long parameters = ModelFlops.Parameters(student);
        long evaluated = Math.Min(
            EvaluationRows,
            Math.Max(recipe.Training.EvaluationTokens, recipe.Training.FinalEvaluationTokens)
        );
        // A smaller model's batch may be the larger one: an upper bound.
        int batch = recipe.PlanStages(student.VocabSize).LargestBatch;
        long training =
            Math.Min(recipe.Training.MicroBatchOf(batch), (batch + ranks - 1L) / ranks) * recipe.Data.SequenceLength;
        long rows = Math.Max(training, evaluated / recipe.Data.SequenceLength * recipe.Data.SequenceLength);
        bool shards = recipe.Optimizer.ShardState && ranks > 1;
        long state = OptimizerBytes(recipe.Optimizer, student);
        List<MemoryPart> parts =
        [
            new("program and libtorch", ProgramBytes),
            new("student's weights", parameters * Float),
            new("gradients", parameters * Float),
            new("optimizer state", shards ? state / ranks : state),
            new("activations kept for the backward pass", KeptBytes(student, training, recipe.Training.Recompute)),
            new("buffers of a pass", PassBytes(student, rows, trains: true)),
            new("logits of a chunk", ChunkBytes(student, teacher)),
            new("token shards that were read", shardBytes),
        ];
        if (shards)
        {
            // Optimization/FlatShards.cs: a bucket, and a rank's part of it.
            long bucket = Float * Math.Min(GradientReduction.BucketLength, parameters);
            parts.Add(new("a bucket of gradients and weights", bucket + (bucket / ranks)));
        }

        // The state of all ranks is put together even where the run waits for the file (Optimization/GatheredState.cs).
        long copied = 0;
        if (recipe.Training.CheckpointInBackground)
        {
            copied = (parameters * Float) + state;
        }
        else if (shards)
        {
            copied = state;
        }

        if (copied > 0)
        {
            parts.Add(new("copy for a checkpoint", copied, FirstRankOnly: true));
        }

        if (teacher is not null)
        {
            parts.Add(new("teacher's weights", ModelFlops.Parameters(teacher) * Float));
            parts.Add(
                new(
                    "teacher's pass",
                    KeptBytes(teacher, rows, recompute: false) / teacher.NumHiddenLayers
                        + PassBytes(teacher, rows, trains: false)
                )
            );
        }

        return new MemoryPlan([.. parts.OrderByDescending(part => part.Bytes)]);
    }

    // Models/FusedDecoder.cs, Kept: input, middle, factors of the norms, rotated queries, keys and values, log sums, mixed values, gate and up of each layer.
    private static long KeptBytes(TransformerConfig c, long rows, bool recompute)
    {
        long heads = (long)c.NumAttentionHeads * c.HeadDim;
        long qkv = heads + (2L * c.NumKeyValueHeads * c.HeadDim);
        long rest = c.HiddenSize + 2 + qkv + c.NumAttentionHeads + heads + (2L * c.IntermediateSize);
        long inputs = (long)c.NumHiddenLayers * c.HiddenSize;
        if (recompute)
        {
            return rows * Float * (inputs + rest);
        }

        return rows * Float * (inputs + (c.NumHiddenLayers * rest));
    }

    // Models/FusedDecoder.cs, the buffers all layers share: residual, normed, branch, hidden; for training the gradients of the stream, the mixed values and queries, keys and values; beside
    // them the final hidden states, and in training their gradient.
    private static long PassBytes(TransformerConfig c, long rows, bool trains)
    {
        long heads = (long)c.NumAttentionHeads * c.HeadDim;
        long qkv = heads + (2L * c.NumKeyValueHeads * c.HeadDim);
        long width = (3L * c.HiddenSize) + c.IntermediateSize + 1 + c.HiddenSize;
        if (trains)
        {
            width += (2L * c.HiddenSize) + heads + qkv;
        }

        return rows * Float * width;
    }

    // Losses/LossHead.cs: one chunk of logits for the student, one for a live teacher.
    private static long ChunkBytes(TransformerConfig student, TransformerConfig? teacher) =>
        Float * LossHead.RowsOfChunk(student.VocabSize) * ((long)student.VocabSize + (teacher?.VocabSize ?? 0));

    /// <summary>State of the optimizer, bytes.</summary>
    internal static long OptimizerBytes(OptimizerConfig optimizer, TransformerConfig c)
    {
        long parameters = ModelFlops.Parameters(c);
        long matrices = ModelFlops.ProductWeights(c) - ((long)c.HiddenSize * c.VocabSize);
        return optimizer.Kind switch
        {
            OptimizerKind.Muon => (Float * matrices) + (2 * Float * (parameters - matrices)),
            OptimizerKind.Adafactor when optimizer.Beta1 is null => parameters / 20,
            OptimizerKind.Adafactor => (parameters / 20) + (Float * parameters),
            _ => 2 * Float * parameters,
        };
    }
}
