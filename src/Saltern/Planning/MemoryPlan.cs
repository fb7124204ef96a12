// What lives in memory at the fullest moment of a step on the CPU; each part names the class whose buffers it counts.
using System.Globalization;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using Saltern.Runs;
using static TorchSharp.torch;

namespace Saltern.Planning;

/// <summary>A part of a run's memory.</summary>
/// <param name="FirstRankOnly">Whether rank 0 alone takes it: what is written is put together there.</param>
/// <param name="Detail">How it is reckoned; empty where the name says all.</param>
internal sealed record MemoryPart(string Name, long Bytes, bool FirstRankOnly = false, string Detail = "");

/// <summary>Peak memory of a run's fullest process, by part: own kernels; of several ranks, rank 0.</summary>
/// <param name="Parts">Largest first.</param>
/// <param name="Type">Type of what the student's products read, in words.</param>
internal sealed record MemoryPlan(IReadOnlyList<MemoryPart> Parts, string Type)
{
    private const int Float = 4;
    private const int Half = 2;
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
        long stateHere = shards ? state / ranks : state;
        long weights = WeightBytes(recipe.Optimizer.Weights, student);
        long gradients = GradientBytes(recipe.Optimizer, student, ranks);
        int operand = OperandBytes(recipe.Precision, student);
        ComputePrecision taught = recipe.Teacher?.Precision ?? recipe.Precision;
        List<MemoryPart> parts =
        [
            new("program and libtorch", ProgramBytes),
            new("student's weights", weights, Detail: PerParameter(weights, parameters)),
            new("gradients", gradients, Detail: PerParameter(gradients, parameters)),
            new("optimizer state", stateHere, Detail: PerParameter(stateHere, parameters)),
            new(
                "activations kept for the backward pass",
                KeptBytes(student, training, operand, recipe.Training.Recompute.Resolve(student.NumHiddenLayers)),
                Detail: string.Create(CultureInfo.InvariantCulture, $"{training:#,0} tokens")
            ),
            new("buffers of a pass", PassBytes(student, rows, operand, trains: true)),
            new("logits of a chunk", ChunkBytes(student, teacher) + HeadBytes(student, rows, operand, trains: true)),
            new("token shards that were read", shardBytes),
        ];
        if (shards)
        {
            // Optimization/FlatShards.cs: a bucket, and a rank's part of it.
            long bucket = Float * Math.Min(GradientReduction.BucketLength, parameters);
            parts.Add(new("a bucket of gradients and weights", bucket + (bucket / ranks)));
        }

        long averaged = 0;
        if (recipe.Averaging is not null)
        {
            averaged = parameters * Float;
            parts.Add(new("average of the weights", averaged));
        }

        // The state of all ranks is put together even where the run waits for the file (Optimization/GatheredState.cs).
        long copied = 0;
        if (recipe.Training.CheckpointInBackground)
        {
            copied = (parameters * Float) + state + averaged;
        }
        else
        {
            copied = shards ? state : 0;

            // ModelFiles/ModelFolder.cs: its bytes, and before them a float32 copy of a packed one.
            long largest = new DecoderLayout(student).Parameters.Slices.Max(slice => slice.Count) * Float;
            bool isPacked = recipe.Optimizer.Weights != OptimizerWeightType.Full;
            parts.Add(
                new("a weight on its way into a checkpoint", isPacked ? 2 * largest : largest, FirstRankOnly: true)
            );
        }

        if (copied > 0)
        {
            parts.Add(new("copy for a checkpoint", copied, FirstRankOnly: true));
        }

        if (teacher is not null)
        {
            int taughtOperand = OperandBytes(taught, teacher);
            parts.Add(new("teacher's weights", ModelFlops.Parameters(teacher) * Float));
            parts.Add(
                new(
                    "teacher's pass",
                    (KeptBytes(teacher, rows, taughtOperand, recomputed: 0) / teacher.NumHiddenLayers)
                        + PassBytes(teacher, rows, taughtOperand, trains: false)
                        + HeadBytes(teacher, rows, taughtOperand, trains: false)
                )
            );
        }

        string type = operand == Half ? "bfloat16 products" : "float32";
        return new MemoryPlan([.. parts.OrderByDescending(part => part.Bytes)], type);
    }

    // Bytes of what products read: `auto` counts as what this processor would take, shapes without a bfloat16 path as float32.
    private static int OperandBytes(ComputePrecision precision, TransformerConfig c) =>
        precision != ComputePrecision.Fp32 && BFloat16Product.IsThere && c.HasEvenWidths ? Half : Float;

    // Models/FusedDecoder.cs, Kept: input, factors of the norms and log sums, float32; attention's branch, queries, keys and values, mixed values, gate and up of each layer, operands.
    private static long KeptBytes(TransformerConfig c, long rows, int operand, int recomputed)
    {
        long heads = (long)c.NumAttentionHeads * c.HeadDim;
        long qkv = heads + (2L * c.NumKeyValueHeads * c.HeadDim);
        long operands = c.HiddenSize + qkv + heads + (ProjectionsIn(c) * c.IntermediateSize);
        long floats = 2L + c.NumAttentionHeads;
        if (c.HasNormsAfter)
        {
            // What both branches give before their norms, and the norms' factors.
            floats += 2L * (c.HiddenSize + 1L);
        }

        if (c.QkNorm)
        {
            operands += heads + (heads / c.NumAttentionHeads * c.NumKeyValueHeads);
            floats += c.NumAttentionHeads + c.NumKeyValueHeads;
        }

        long rest = (Float * floats) + (operand * operands);
        long inputs = Float * (long)c.NumHiddenLayers * c.HiddenSize;

        // Recomputed layers share one layer's buffers.
        long layers = c.NumHiddenLayers - Math.Max(0, recomputed - 1);
        return rows * (inputs + (layers * rest));
    }

    // Models/FusedDecoder.cs, the buffers all layers share: residual, factors of the last norm, final hidden states, float32; branch, normed and hidden, operands; for training the
    // gradients of the stream and of the final hidden states, and those of the mixed values and of queries, keys and values. Models/PassArithmetic.cs: in bfloat16 the largest weight
    // packed, the gradient rounded, and the narrower operand of a weight's gradient turned.
    private static long PassBytes(TransformerConfig c, long rows, int operand, bool trains)
    {
        long heads = (long)c.NumAttentionHeads * c.HeadDim;
        long qkv = heads + (2L * c.NumKeyValueHeads * c.HeadDim);
        long floats = (2L * c.HiddenSize) + 1;
        long operands = (2L * c.HiddenSize) + c.IntermediateSize;
        long packed = 0;
        if (trains)
        {
            floats += 2L * c.HiddenSize;
            operands += heads + qkv;
            if (c.HasNormsAfter || c.ResidualMultiplier != 1)
            {
                floats += c.HiddenSize;
            }
        }

        if (operand == Half)
        {
            packed = Half * (long)c.HiddenSize * Math.Max(2L * c.IntermediateSize, qkv);
            operands += trains ? 2L * c.HiddenSize : 0;
        }

        return (rows * ((Float * floats) + (operand * operands))) + packed;
    }

    // Widths of the feed-forward layer's inner activations: gate and up, or up alone.
    private static long ProjectionsIn(TransformerConfig c) => c.IsGated ? 2 : 1;

    // Losses/HeadProducts.cs: hidden states rounded, the head packed for the forward pass and for the backward pass, and a chunk's hidden states turned.
    private static long HeadBytes(TransformerConfig c, long rows, int operand, bool trains)
    {
        if (operand != Half)
        {
            return 0;
        }

        long head = (long)c.VocabSize * c.HiddenSize;
        long chunk = trains ? (long)LossHead.RowsOfChunk(c.VocabSize) * c.HiddenSize : 0;
        return Half * ((rows * c.HiddenSize) + (trains ? 2 * head : head) + chunk);
    }

    // Losses/LossHead.cs: one chunk of logits for the student, and one of the slopes of its cap, one for a live teacher.
    private static long ChunkBytes(TransformerConfig student, TransformerConfig? teacher)
    {
        long columns = student.VocabSize * (student.FinalLogitSoftcapping is null ? 1L : 2L);
        return Float * LossHead.RowsOfChunk(student.VocabSize) * (columns + (teacher?.VocabSize ?? 0));
    }

    private static string PerParameter(long bytes, long parameters) =>
        string.Create(CultureInfo.InvariantCulture, $"{(double)bytes / parameters:0.00} bytes x {parameters:#,0}");

    /// <summary>Gradients that there are at once, bytes: all, or those of one layer and of what is in none, and of the other layers a rank's share.</summary>
    internal static long GradientBytes(OptimizerConfig optimizer, TransformerConfig c, int ranks)
    {
        long all = ModelFlops.Parameters(c);
        bool isShared = optimizer.ShardGradients && ranks > 1;
        if (optimizer.Gradients == OptimizerGradients.Kept && !isShared)
        {
            return all * Float;
        }

        long inLayers = new DecoderLayout(c)
            .Parameters.Slices.Where(slice => slice.Name.Contains(".layers.", StringComparison.Ordinal))
            .Sum(slice => slice.Count);
        long kept = isShared ? inLayers / ranks : 0;
        return Float * (all - inLayers + (inLayers / c.NumHiddenLayers) + kept);
    }

    /// <summary>Weights of a student, bytes.</summary>
    internal static long WeightBytes(OptimizerWeightType type, TransformerConfig c)
    {
        int ofMatrices = type switch
        {
            OptimizerWeightType.Split24 => 3,
            OptimizerWeightType.Bf16 => 2,
            _ => Float,
        };
        return new DecoderLayout(c).Parameters.Slices.Sum(slice =>
            slice.Count * (slice.Shape.Length == 2 ? ofMatrices : Float)
        );
    }

    /// <summary>State of the optimizer, bytes.</summary>
    internal static long OptimizerBytes(OptimizerConfig optimizer, TransformerConfig c)
    {
        long parameters = ModelFlops.Parameters(c);
        if (optimizer.State != OptimizerStateType.Full)
        {
            MuonRule? muon = null;
            if (optimizer.Kind == OptimizerKind.Muon)
            {
                muon = MuonRule.Of(optimizer, ScalarType.Float32);
            }

            return new StateSpecs(optimizer.State, muon).Bytes(new DecoderLayout(c).Parameters.Slices);
        }

        switch (optimizer.Kind)
        {
            case OptimizerKind.Muon:
                var rule = MuonRule.Of(optimizer, ScalarType.Float32);
                return Float
                    * new DecoderLayout(c)
                        .Parameters.Slices.SelectMany(slice => Muon.StateOf(rule, slice))
                        .Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size));
            case OptimizerKind.Adafactor:
                return (parameters / 20) + (optimizer.Beta1 is null ? 0 : Float * parameters);
            default:
                return 2 * Float * parameters;
        }
    }
}
