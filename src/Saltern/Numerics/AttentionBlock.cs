using System.Runtime.InteropServices;

namespace Saltern.Numerics;

/// <summary>Memory of one piece of attention, all of it from one allocation.</summary>
internal readonly unsafe struct BlockScratch
{
    private const int Alignment = 32;

    private BlockScratch(AttentionShape shape, float* memory)
    {
        Stride = StrideOf(shape);
        Scores = memory;
        ScoreGradients = Scores + ((long)AttentionKernel.BlockRows * Stride);
        KeysTransposed = ScoreGradients + ((long)AttentionKernel.BlockRows * Stride);
        ValuesTransposed = KeysTransposed + ((long)shape.Size * Stride);
    }

    /// <summary>From one row of scores, or of a transposed matrix, to the next: T and at least one vector more, since a row may be begun anywhere and is read in whole vectors.</summary>
    public int Stride { get; }

    /// <summary>[64, stride].</summary>
    public float* Scores { get; }

    /// <summary>[64, stride].</summary>
    public float* ScoreGradients { get; }

    /// <summary>[A, stride].</summary>
    public float* KeysTransposed { get; }

    /// <summary>[A, stride].</summary>
    public float* ValuesTransposed { get; }

    /// <summary>Reserves the memory; <see cref="Free"/> gives it back.</summary>
    public static BlockScratch Reserve(AttentionShape shape) =>
        new(
            shape,
            (float*)
                NativeMemory.AlignedAlloc(
                    (nuint)(2L * (AttentionKernel.BlockRows + shape.Size) * StrideOf(shape) * sizeof(float)),
                    64
                )
        );

    /// <summary>Gives the memory back.</summary>
    public void Free() => NativeMemory.AlignedFree(Scores);

    private static int StrideOf(AttentionShape shape) =>
        (shape.Length + SmallProduct.ColumnStep + Alignment - 1) / Alignment * Alignment;
}

/// <summary>Some queries and the keys that any of them sees.</summary>
/// <param name="Row">First query, counted within its sequence.</param>
/// <param name="Origin">Row of the sequence's first token.</param>
/// <param name="IsCausal">Whether query i sees exactly the keys up to itself, so that the upper triangle need not be computed.</param>
internal readonly unsafe record struct Block(int Row, int Rows, int First, int Width, long Origin, bool IsCausal)
{
    /// <summary>The block that begins at a query.</summary>
    public static Block At(AttentionShape shape, long origin, int row, int* first, int* end)
    {
        int rows = Math.Min(AttentionKernel.BlockRows, shape.Length - row);
        if (end is null)
        {
            return new Block(row, rows, 0, row + rows, origin, true);
        }

        int from = int.MaxValue;
        int to = 0;
        for (int i = row; i < row + rows; i++)
        {
            from = Math.Min(from, first[origin + i]);
            to = Math.Max(to, end[origin + i]);
        }

        return new Block(row, rows, from, to - from, origin, false);
    }

    /// <summary>Keys of one query: [From, To), counted within the sequence.</summary>
    public (int From, int To) Keys(int row, int* first, int* end) =>
        end is null ? (0, row + 1) : (first[Origin + row], end[Origin + row]);
}

/// <summary>The products of one block: with <see cref="SmallProduct"/> where head sizes and processor allow, else with libtorch's BLAS.</summary>
internal readonly unsafe struct BlockProducts
{
    private const int Group = 8; // queries that share how far their products reach: the rows of SmallProduct's block
    private readonly AttentionShape _shape;
    private readonly int _scoreStride;
    private readonly bool _own;

    /// <summary>Products for one shape.</summary>
    public BlockProducts(AttentionShape shape, BlockScratch scratch)
    {
        (_shape, _scoreStride) = (shape, scratch.Stride);
        _own = CanOwn(shape);
    }

    /// <summary>Whether a shape's products are our own.</summary>
    public static bool CanOwn(AttentionShape shape) =>
        SmallProduct.IsThere && shape.Size % (2 * SmallProduct.ColumnStep) == 0 && shape.Length % Group == 0;

    /// <summary>Keys or values, [T, A] → [A, T], where own products need them so.</summary>
    public void Transpose(float* rows, float* to)
    {
        if (_own)
        {
            Transposition.Run(_shape.Length, _shape.Size, rows, _shape.RowStride, to, _scoreStride);

            // The last vector may reach beyond T: what is read there must be numbers, nothing more.
            for (int i = 0; i < _shape.Size; i++)
            {
                new Span<float>(to + ((long)i * _scoreStride) + _shape.Length, _scoreStride - _shape.Length).Clear();
            }
        }
    }

    /// <summary>scores[i, j] = left_i · right_(First + j), [Rows, Width]; above the diagonal of a causal block anything may stand.</summary>
    /// <param name="left">Row 0 of the sequence's queries (or, for a block at row 0, of the block's output gradients).</param>
    /// <param name="leftStride">From one of its rows to the next.</param>
    /// <param name="right">Row 0 of the sequence's keys or values.</param>
    public void Scores(Block block, float* left, int leftStride, float* right, float* transposed, float* scores)
    {
        float* rows = left + ((long)block.Row * leftStride);
        if (!_own)
        {
            Blas.MultiplyTransposed(
                block.Rows,
                block.Width,
                _shape.Size,
                1f,
                rows,
                leftStride,
                right + ((long)block.First * _shape.RowStride),
                _shape.RowStride,
                0f,
                scores,
                _scoreStride
            );
            return;
        }

        for (int i = 0; i < block.Rows; i += Group)
        {
            SmallProduct.Multiply(
                Math.Min(Group, block.Rows - i),
                Whole(Reach(block, i)),
                _shape.Size,
                rows + ((long)i * leftStride),
                leftStride,
                1,
                transposed + block.First,
                _scoreStride,
                scores + ((long)i * _scoreStride),
                _scoreStride,
                add: false
            );
        }
    }

    /// <summary>to_i = Σ_j shares[i, j]·right_(First + j), [Rows, A].</summary>
    public void Mix(Block block, float* shares, float* right, float* to, int toStride)
    {
        float* rows = right + ((long)block.First * _shape.RowStride);
        if (!_own)
        {
            Blas.Multiply(
                block.Rows,
                _shape.Size,
                block.Width,
                1f,
                shares,
                _scoreStride,
                rows,
                _shape.RowStride,
                0f,
                to,
                toStride
            );
            return;
        }

        for (int i = 0; i < block.Rows; i += Group)
        {
            SmallProduct.Multiply(
                Math.Min(Group, block.Rows - i),
                _shape.Size,
                Reach(block, i),
                shares + ((long)i * _scoreStride),
                _scoreStride,
                1,
                rows,
                _shape.RowStride,
                to + ((long)i * toStride),
                toStride,
                add: false
            );
        }
    }

    /// <summary>to_(First + j) += Σ_i shares[i, j]·left_i, [Width, A].</summary>
    public void AddToKeys(Block block, float* shares, float* left, int leftStride, float* to)
    {
        float* rows = to + ((long)block.First * _shape.RowStride);
        if (!_own)
        {
            Blas.TransposedMultiply(
                block.Width,
                _shape.Size,
                block.Rows,
                1f,
                shares,
                _scoreStride,
                left,
                leftStride,
                1f,
                rows,
                _shape.RowStride
            );
            return;
        }

        for (int j = 0; j < block.Width; j += Group)
        {
            // Queries before these keys do not see them.
            int skipped = block.IsCausal ? Math.Max(0, j - (block.Width - block.Rows)) : 0;
            SmallProduct.Multiply(
                Math.Min(Group, block.Width - j),
                _shape.Size,
                block.Rows - skipped,
                shares + j + ((long)skipped * _scoreStride),
                1,
                _scoreStride,
                left + ((long)skipped * leftStride),
                leftStride,
                rows + ((long)j * _shape.RowStride),
                _shape.RowStride,
                add: true
            );
        }
    }

    // Keys that the queries i … i + 7 of a block reach.
    private static int Reach(Block block, int i)
    {
        if (block.IsCausal)
        {
            return Math.Min(block.Width, block.Width - block.Rows + i + Group);
        }

        return block.Width;
    }

    private static int Whole(int width) =>
        (width + SmallProduct.ColumnStep - 1) / SmallProduct.ColumnStep * SmallProduct.ColumnStep;
}
