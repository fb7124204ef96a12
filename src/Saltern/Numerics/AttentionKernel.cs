// Softmax attention over one contiguous range of keys a query, without a [T, T] matrix: scores exist for one block of queries of one head at a time, stay in the
// cache, and are made again in the backward pass from the log-sum-exp (FlashAttention's recomputation, arXiv:2205.14135; blocks over queries only).
//
// qkv holds, a row for each token, H query heads, then G key heads, then G value heads, of A elements each. Blocks read and write it in place through row strides: nothing
// is transposed or copied, and the part of the keys that no query of a block sees is not computed.
namespace Saltern.Numerics;

/// <summary>Sizes of one attention call.</summary>
/// <param name="Length">T, tokens of each.</param>
/// <param name="Groups">G, key/value heads; a divisor of H.</param>
/// <param name="Size">A, elements of a head.</param>
/// <param name="Turned">A_r, elements of a head, from the first on, that rotary positions turn; 0 for none.</param>
internal readonly record struct AttentionShape(int Batch, int Length, int Heads, int Groups, int Size, int Turned)
{
    /// <summary>Factor and cap of the scores; none of both stands for 1/√A.</summary>
    public ScoreForm? Form { get; init; }

    /// <summary>Factor and cap of the scores.</summary>
    public ScoreForm Scores => Form ?? new ScoreForm(1f / MathF.Sqrt(Size));

    /// <summary>Elements of a row of qkv.</summary>
    public int RowStride => (Heads + (2 * Groups)) * Size;

    /// <summary>First query head that reads the keys and values of a group.</summary>
    public int FirstHead(int group) => group * (Heads / Groups);
}

/// <summary>Rotary positions, attention and their gradients, float32.</summary>
internal static unsafe class AttentionKernel
{
    /// <summary>Queries of one block: 64 × T scores stay in the second-level cache up to T = 2,048.</summary>
    public const int BlockRows = 64;

    /// <summary>Turns the query and key heads of qkv by their positions' angles, in place, and attends.</summary>
    /// <param name="qkv">[B·T, (H + 2G)·A]; queries and keys are turned afterwards.</param>
    /// <param name="cosines">[T, A_r], from the first position on.</param>
    /// <param name="first">First key of each query, [B·T]; null for 0.</param>
    /// <param name="end">One past its last key, [B·T]; null for causal attention.</param>
    /// <param name="logSums">Log-sum-exp of each query's scores, [B·T, H]; null where no backward pass follows.</param>
    public static void Forward(
        AttentionShape shape,
        float* qkv,
        float* cosines,
        float* sines,
        int* first,
        int* end,
        float* mixed,
        float* logSums,
        ParallelOptions parallel
    ) =>
        Run(
            shape,
            parallel,
            (batch, group, scratch) =>
            {
                int stride = shape.RowStride;
                int outStride = shape.Heads * shape.Size;
                int perGroup = shape.Heads / shape.Groups;
                long origin = (long)batch * shape.Length;
                float* keys = qkv + (origin * stride) + ((shape.Heads + group) * shape.Size);
                float* values = keys + (shape.Groups * shape.Size);
                Turn(shape, keys, cosines, sines, 1f);
                BlockProducts products = new(shape, scratch);
                products.Transpose(keys, scratch.KeysTransposed);
                for (int head = group * perGroup; head < (group + 1) * perGroup; head++)
                {
                    float* queries = qkv + (origin * stride) + (head * shape.Size);
                    Turn(shape, queries, cosines, sines, 1f);
                    for (int row = 0; row < shape.Length; row += BlockRows)
                    {
                        Block block = Block.At(shape, origin, row, first, end);
                        products.Scores(block, queries, stride, keys, scratch.KeysTransposed, scratch.Scores);
                        for (int i = 0; i < block.Rows; i++)
                        {
                            (int from, int to) = block.Keys(row + i, first, end);
                            float* scores = scratch.Scores + ((long)i * scratch.Stride);
                            float logSum = AttentionRows.Softmax(
                                scores,
                                (Float32*)scores,
                                block.Width,
                                from - block.First,
                                to - block.First,
                                shape.Scores
                            );
                            if (logSums is not null)
                            {
                                logSums[((origin + row + i) * shape.Heads) + head] = logSum;
                            }
                        }

                        products.Mix(
                            block,
                            scratch.Scores,
                            values,
                            mixed + ((origin + row) * outStride) + (head * shape.Size),
                            outStride
                        );
                    }
                }
            }
        );

    /// <summary>∂ℒ/∂qkv from ∂ℒ/∂mixed; queries and keys of <paramref name="qkv"/> are turned, their gradients are turned back.</summary>
    /// <param name="qkv">As <see cref="Forward"/> left it.</param>
    /// <param name="mixed">[B·T, H·A], as <see cref="Forward"/> made it.</param>
    /// <param name="gradient">∂ℒ/∂qkv, [B·T, (H + 2G)·A], overwritten.</param>
    public static void Backward(
        AttentionShape shape,
        float* qkv,
        float* cosines,
        float* sines,
        int* first,
        int* end,
        float* mixed,
        float* logSums,
        float* mixedGradient,
        float* gradient,
        ParallelOptions parallel
    ) =>
        Run(
            shape,
            parallel,
            (batch, group, scratch) =>
            {
                int size = shape.Size;
                int stride = shape.RowStride;
                int outStride = shape.Heads * size;
                int perGroup = shape.Heads / shape.Groups;
                long origin = (long)batch * shape.Length;
                long keyAt = (origin * stride) + ((shape.Heads + group) * size);
                long valueAt = keyAt + (shape.Groups * size);
                float* keys = qkv + keyAt;
                float* values = qkv + valueAt;
                float* keyGradients = gradient + keyAt;
                float* valueGradients = gradient + valueAt;
                for (int row = 0; row < shape.Length; row++)
                {
                    new Span<float>(keyGradients + ((long)row * stride), size).Clear();
                    new Span<float>(valueGradients + ((long)row * stride), size).Clear();
                }

                BlockProducts products = new(shape, scratch);
                products.Transpose(keys, scratch.KeysTransposed);
                products.Transpose(values, scratch.ValuesTransposed);
                for (int head = group * perGroup; head < (group + 1) * perGroup; head++)
                {
                    float* queries = qkv + (origin * stride) + (head * size);
                    float* queryGradients = gradient + (origin * stride) + (head * size);
                    for (int row = 0; row < shape.Length; row += BlockRows)
                    {
                        Block block = Block.At(shape, origin, row, first, end);
                        float* outputs = mixed + ((origin + row) * outStride) + (head * size);
                        float* outputGradients = mixedGradient + ((origin + row) * outStride) + (head * size);
                        products.Scores(block, queries, stride, keys, scratch.KeysTransposed, scratch.Scores);
                        Block atItsStart = block with { Row = 0 };
                        products.Scores(
                            atItsStart,
                            outputGradients,
                            outStride,
                            values,
                            scratch.ValuesTransposed,
                            scratch.ScoreGradients
                        );
                        for (int i = 0; i < block.Rows; i++)
                        {
                            (int from, int to) = block.Keys(row + i, first, end);
                            float inner = AttentionRows.Dot(
                                (Float32*)outputs + ((long)i * outStride),
                                (Float32*)outputGradients + ((long)i * outStride),
                                size
                            ); // Σ share·∂ℒ/∂share
                            float* scores = scratch.Scores + ((long)i * scratch.Stride);
                            float* scoreGradients = scratch.ScoreGradients + ((long)i * scratch.Stride);
                            AttentionRows.Gradient(
                                scores,
                                scoreGradients,
                                (Float32*)scores,
                                (Float32*)scoreGradients,
                                block.Width,
                                from - block.First,
                                to - block.First,
                                logSums[((origin + row + i) * shape.Heads) + head],
                                inner,
                                shape.Scores
                            );
                        }

                        products.AddToKeys(block, scratch.Scores, outputGradients, outStride, valueGradients);
                        products.AddToKeys(
                            block,
                            scratch.ScoreGradients,
                            queries + ((long)row * stride),
                            stride,
                            keyGradients
                        );
                        products.Mix(
                            block,
                            scratch.ScoreGradients,
                            keys,
                            queryGradients + ((long)row * stride),
                            stride
                        );
                    }

                    Turn(shape, queryGradients, cosines, sines, -1f);
                }

                Turn(shape, keyGradients, cosines, sines, -1f);
            }
        );

    // One piece of work is one group of heads of one sequence: no two of them write to the same memory.
    private static void Run(AttentionShape shape, ParallelOptions parallel, HeadGroup work) =>
        ParallelRanges.Run(
            shape.Batch * shape.Groups,
            parallel,
            piece =>
                Blas.OneThread(() =>
                {
                    BlockScratch scratch = BlockScratch.Reserve(shape);
                    try
                    {
                        work(piece / shape.Groups, piece % shape.Groups, scratch);
                    }
                    finally
                    {
                        scratch.Free();
                    }
                })
        );

    // Every row of one head by its position's angle, in place; direction −1 turns back.
    private static void Turn(AttentionShape shape, float* rows, float* cosines, float* sines, float direction) =>
        AttentionRows.Turn(
            new Rows<Float32>((Float32*)rows, shape.RowStride),
            new Rows<Float32>((Float32*)rows, shape.RowStride),
            new RotaryAngles(cosines, sines, shape.Size, shape.Turned),
            shape.Length,
            direction
        );

    private delegate void HeadGroup(int batch, int group, BlockScratch scratch);
}
