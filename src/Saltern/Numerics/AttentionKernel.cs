// Softmax attention over one contiguous range of keys a query, without a [T, T] matrix: scores exist for one block of queries of one head at a time, stay in the
// cache, and are made again in the backward pass from the log-sum-exp (FlashAttention's recomputation, arXiv:2205.14135; blocks over queries only).
//
// qkv holds, a row for each token, H query heads, then G key heads, then G value heads, of A elements each. Blocks read and write it in place through row strides: nothing
// is transposed or copied, and the part of the keys that no query of a block sees is not computed.
using System.Runtime.CompilerServices;

namespace Saltern.Numerics;

/// <summary>Sizes of one attention call.</summary>
/// <param name="Length">T, tokens of each.</param>
/// <param name="Groups">G, key/value heads; a divisor of H.</param>
/// <param name="Size">A, elements of a head.</param>
internal readonly record struct AttentionShape(int Batch, int Length, int Heads, int Groups, int Size)
{
    /// <summary>Elements of a row of qkv.</summary>
    public int RowStride => (Heads + (2 * Groups)) * Size;
}

/// <summary>Rotary positions, attention and their gradients, float32.</summary>
internal static unsafe class AttentionKernel
{
    /// <summary>Queries of one block: 64 × T scores stay in the second-level cache up to T = 2,048.</summary>
    public const int BlockRows = 64;

    /// <summary>Turns the query and key heads of qkv by their positions' angles, in place, and attends.</summary>
    /// <param name="qkv">[B·T, (H + 2G)·A]; queries and keys are turned afterwards.</param>
    /// <param name="cosines">[T, A], from the first position on.</param>
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
                            float logSum = SoftmaxRow(
                                scratch.Scores + ((long)i * scratch.Stride),
                                block.Width,
                                from - block.First,
                                to - block.First,
                                products.Scale
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
                            float inner = Dot(
                                outputs + ((long)i * outStride),
                                outputGradients + ((long)i * outStride),
                                size
                            ); // Σ share·∂ℒ/∂share
                            float* scores = scratch.Scores + ((long)i * scratch.Stride);
                            float* scoreGradients = scratch.ScoreGradients + ((long)i * scratch.Stride);
                            GradientRow(
                                scores,
                                scoreGradients,
                                block.Width,
                                from - block.First,
                                to - block.First,
                                logSums[((origin + row + i) * shape.Heads) + head],
                                inner,
                                products.Scale
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

    // Each pair (i, i + A/2) of every row of one head by its position's angle; direction −1 turns back.
    private static void Turn(AttentionShape shape, float* rows, float* cosines, float* sines, float direction)
    {
        for (int t = 0; t < shape.Length; t++)
        {
            float* x = rows + ((long)t * shape.RowStride);
            float* c = cosines + ((long)t * shape.Size);
            float* s = sines + ((long)t * shape.Size);
            if (Lanes512.AreFast && shape.Size >= 2 * Lanes512.Count)
            {
                TurnRow<Lanes512>(x, c, s, shape.Size / 2, direction);
            }
            else
            {
                TurnRow<Lanes256>(x, c, s, shape.Size / 2, direction);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TurnRow<TLanes>(float* x, float* cosines, float* sines, int half, float direction)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes sign = TLanes.Create(direction);
        int i = 0;
        for (; i <= half - TLanes.Count; i += TLanes.Count)
        {
            TLanes a = TLanes.Load(x + i);
            TLanes b = TLanes.Load(x + half + i);
            TLanes c = TLanes.Load(cosines + i);
            TLanes s = TLanes.Load(sines + i) * sign;
            ((a * c) - (b * s)).Store(x + i);
            ((b * c) + (a * s)).Store(x + half + i);
        }

        for (; i < half; i++)
        {
            float a = x[i];
            float b = x[half + i];
            float s = sines[i] * direction;
            x[i] = (a * cosines[i]) - (b * s);
            x[half + i] = (b * cosines[i]) + (a * s);
        }
    }

    private static float SoftmaxRow(float* row, int width, int from, int to, float scale)
    {
        if (Lanes512.AreFast)
        {
            return SoftmaxRow<Lanes512>(row, width, from, to, scale);
        }

        return SoftmaxRow<Lanes256>(row, width, from, to, scale);
    }

    // Shares exp(scale·score) over [from, to), zero elsewhere; returns the log-sum-exp.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SoftmaxRow<TLanes>(float* row, int width, int from, int to, float scale)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        float maximum = row[from];
        int i = from;
        if (to - from >= TLanes.Count)
        {
            TLanes largest = TLanes.Load(row + i);
            for (i += TLanes.Count; i <= to - TLanes.Count; i += TLanes.Count)
            {
                largest = TLanes.Max(largest, TLanes.Load(row + i));
            }

            maximum = TLanes.Max(largest);
        }

        for (; i < to; i++)
        {
            maximum = MathF.Max(maximum, row[i]);
        }

        TLanes shift = TLanes.Create(maximum);
        TLanes sums = TLanes.Create(0);
        TLanes scales = TLanes.Create(scale);
        for (i = from; i <= to - TLanes.Count; i += TLanes.Count)
        {
            TLanes e = TLanes.Exp((TLanes.Load(row + i) - shift) * scales);
            e.Store(row + i);
            sums += e;
        }

        float sum = TLanes.Sum(sums);
        for (; i < to; i++)
        {
            row[i] = LaneMath.Exp((row[i] - maximum) * scale);
            sum += row[i];
        }

        float factor = 1f / sum;
        TLanes factors = TLanes.Create(factor);
        for (i = from; i <= to - TLanes.Count; i += TLanes.Count)
        {
            (TLanes.Load(row + i) * factors).Store(row + i);
        }

        for (; i < to; i++)
        {
            row[i] *= factor;
        }

        new Span<float>(row, from).Clear();
        new Span<float>(row + to, width - to).Clear();
        return (maximum * scale) + MathF.Log(sum);
    }

    private static void GradientRow(
        float* scores,
        float* gradients,
        int width,
        int from,
        int to,
        float logSum,
        float inner,
        float scale
    )
    {
        if (Lanes512.AreFast)
        {
            GradientRow<Lanes512>(scores, gradients, width, from, to, logSum, inner, scale);
        }
        else
        {
            GradientRow<Lanes256>(scores, gradients, width, from, to, logSum, inner, scale);
        }
    }

    // share = exp(scale·score − log-sum-exp) in place of the scores, share·(∂ℒ/∂share − Σ share·∂ℒ/∂share)·scale in place of ∂ℒ/∂share; zero outside [from, to).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GradientRow<TLanes>(
        float* scores,
        float* gradients,
        int width,
        int from,
        int to,
        float logSum,
        float inner,
        float scale
    )
        where TLanes : struct, IFloatLanes<TLanes>
    {
        TLanes shift = TLanes.Create(logSum);
        TLanes mean = TLanes.Create(inner);
        TLanes factor = TLanes.Create(scale);
        int i = from;
        for (; i <= to - TLanes.Count; i += TLanes.Count)
        {
            TLanes p = TLanes.Exp((TLanes.Load(scores + i) * factor) - shift);
            p.Store(scores + i);
            (p * (TLanes.Load(gradients + i) - mean) * factor).Store(gradients + i);
        }

        for (; i < to; i++)
        {
            scores[i] = LaneMath.Exp((scores[i] * scale) - logSum);
            gradients[i] = scores[i] * (gradients[i] - inner) * scale;
        }

        new Span<float>(scores, from).Clear();
        new Span<float>(gradients, from).Clear();
        new Span<float>(scores + to, width - to).Clear();
        new Span<float>(gradients + to, width - to).Clear();
    }

    private static float Dot(float* a, float* b, int count)
    {
        float sum = 0;
        int i = 0;
        if (count >= Lanes256.Count)
        {
            Lanes256 sums = Lanes256.Create(0);
            for (; i <= count - Lanes256.Count; i += Lanes256.Count)
            {
                sums = Lanes256.MultiplyAdd(Lanes256.Load(a + i), Lanes256.Load(b + i), sums);
            }

            sum = Lanes256.Sum(sums);
        }

        for (; i < count; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    private delegate void HeadGroup(int batch, int group, BlockScratch scratch);
}
