// The layout in which processors multiply bfloat16: the right operand's rows 2k and 2k + 1 side by side, so that one 32-bit element holds two numbers of the depth.
//
// Panels of 64 columns, one after the other: [columns / 64][depth / 2][64][2]. A panel is what one block kernel reads from end to end; the last one is filled up with zeros, as is
// an odd depth.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Saltern.Numerics;

/// <summary>Puts matrices into pairs and panels.</summary>
internal static unsafe class BFloat16Pairs
{
    /// <summary>Columns of a panel.</summary>
    public const int PanelWidth = 64;

    private const int PieceRows = 64;

    // Rows ahead, and elements of a cache line.
    private const int PrefetchDistance = 16;
    private const int LineLength = 32;

    /// <summary>Elements of a packed matrix.</summary>
    public static long Length(int depth, int columns) => (long)Panels(columns) * PanelLength(depth);

    /// <summary>Elements of one panel.</summary>
    public static long PanelLength(int depth) => (long)Even(depth) * PanelWidth;

    /// <summary>Panels of a matrix.</summary>
    public static int Panels(int columns) => (columns + PanelWidth - 1) / PanelWidth;

    /// <summary>The next even number: an odd depth is filled up with a zero.</summary>
    public static int Even(int depth) => depth + (depth & 1);

    /// <summary>Packs B = W of [depth, columns].</summary>
    /// <param name="rows">W, float32, rounded on the way, or bfloat16.</param>
    public static void Pack<TElement>(TElement* rows, int depth, int columns, BFloat16* to, ParallelOptions parallel)
        where TElement : unmanaged =>
        ParallelRanges.Run(
            (depth + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                int end = Math.Min(depth, (piece + 1) * PieceRows);
                for (int row = piece * PieceRows; row < end; row += 2)
                {
                    TElement* even = rows + ((long)row * columns);
                    TElement* odd = row + 1 < depth ? even + columns : null;
                    for (int panel = 0; panel < Panels(columns); panel++)
                    {
                        BFloat16* pair = to + (panel * PanelLength(depth)) + ((long)row * PanelWidth);
                        int first = panel * PanelWidth;
                        int count = Math.Min(PanelWidth, columns - first);
                        RoundAndZip(even + first, odd is null ? null : odd + first, count, pair);
                    }
                }
            }
        );

    /// <summary>Packs B = Wᵀ of [depth, columns].</summary>
    /// <param name="rows">W, [columns, depth], float32, rounded on the way, or bfloat16.</param>
    public static void PackTransposed<TElement>(
        TElement* rows,
        int depth,
        int columns,
        BFloat16* to,
        ParallelOptions parallel
    )
        where TElement : unmanaged =>
        ParallelRanges.Run(
            Panels(columns),
            parallel,
            panel =>
            {
                int first = panel * PanelWidth;
                int count = Math.Min(PanelWidth, columns - first);
                BFloat16* scratch = WorkerScratch.Take((long)PanelWidth * Even(depth));
                for (int row = 0; row < count; row++)
                {
                    BFloat16* rounded = scratch + ((long)row * Even(depth));
                    RoundRow(rows + ((long)(first + row) * depth), rounded, depth);
                    new Span<BFloat16>(rounded + depth, depth & 1).Clear();
                }

                PackColumns(scratch, Even(depth), count, Even(depth), to + (panel * PanelLength(depth)));
            }
        );

    /// <summary>Fills one panel with rows.</summary>
    /// <param name="rows">First row, at the panel's first column.</param>
    /// <param name="stride">From one row to the next.</param>
    /// <param name="count">Rows there are.</param>
    /// <param name="depth">Rows of the panel, even; those beyond the count are zero, as are columns beyond theirs.</param>
    public static void PackRows(BFloat16* rows, int stride, int count, int depth, int columns, BFloat16* panel)
    {
        for (int row = 0; row < count; row += 2)
        {
            BFloat16* even = rows + ((long)row * stride);
            BFloat16* pair = panel + ((long)row * PanelWidth);
            PrefetchRows(even + ((long)PrefetchDistance * stride), stride, columns);
            Zip(even, row + 1 < count ? even + stride : null, columns, pair);
            new Span<BFloat16>(pair + (2 * columns), 2 * (PanelWidth - columns)).Clear();
        }

        int written = Even(count);
        new Span<BFloat16>(panel + ((long)written * PanelWidth), (depth - written) * PanelWidth).Clear();
    }

    /// <summary>Fills all panels with rows, on the calling thread.</summary>
    /// <inheritdoc cref="PackRows"/>
    public static void PackPanels(BFloat16* rows, int stride, int count, int depth, int columns, BFloat16* to)
    {
        for (int column = 0; column < columns; column += PanelWidth)
        {
            int width = Math.Min(PanelWidth, columns - column);
            PackRows(rows + column, stride, count, depth, width, to + (column / PanelWidth * PanelLength(depth)));
        }
    }

    /// <summary>Fills one panel with columns, which are rows in memory.</summary>
    /// <param name="columns">First column, [count, depth].</param>
    /// <param name="stride">From one column to the next, even.</param>
    /// <param name="count">Columns, 64 at most; those beyond are zero.</param>
    /// <param name="depth">Elements of a column, even.</param>
    public static void PackColumns(BFloat16* columns, int stride, int count, int depth, BFloat16* panel)
    {
        Transposition.Run(count, depth / 2, (float*)columns, stride / 2, (float*)panel, PanelWidth);
        for (int pair = 0; pair < depth / 2 && count < PanelWidth; pair++)
        {
            new Span<uint>((uint*)panel + ((long)pair * PanelWidth) + count, PanelWidth - count).Clear();
        }
    }

    /// <summary>A matrix transposed: to[c, r] = from[r, c].</summary>
    /// <param name="rows">First row.</param>
    /// <param name="stride">From one row to the next.</param>
    /// <param name="count">Rows there are.</param>
    /// <param name="depth">Columns of the result, even; those beyond the count are zero.</param>
    /// <param name="columns">Rows of the result.</param>
    /// <param name="pairs">Room for depth × columns.</param>
    /// <param name="to">[columns, depth].</param>
    public static void Transpose(
        BFloat16* rows,
        int stride,
        int count,
        int depth,
        int columns,
        BFloat16* pairs,
        BFloat16* to
    )
    {
        for (int row = 0; row < count; row += 2)
        {
            BFloat16* even = rows + ((long)row * stride);
            Zip(even, row + 1 < count ? even + stride : null, columns, pairs + ((long)row * columns));
        }

        int written = Even(count);
        new Span<BFloat16>(pairs + ((long)written * columns), (depth - written) * columns).Clear();
        Transposition.Run(depth / 2, columns, (float*)pairs, columns, (float*)to, depth / 2);
    }

    /// <summary>Rounds a row; in place too, whose first half it then takes.</summary>
    public static void Round(float* from, BFloat16* to, int count)
    {
        if (Lanes512.AreFast)
        {
            Round<Lanes512>(from, to, count);
        }
        else
        {
            Round<Lanes256>(from, to, count);
        }
    }

    /// <summary>Rounds a block.</summary>
    /// <param name="fromStride">From one row to the next.</param>
    /// <param name="toStride">From one rounded row to the next.</param>
    public static void Round(float* from, int fromStride, BFloat16* to, int toStride, int rows, int width)
    {
        if (Lanes512.AreFast)
        {
            Round<Lanes512>(from, fromStride, to, toStride, rows, width);
        }
        else
        {
            Round<Lanes256>(from, fromStride, to, toStride, rows, width);
        }
    }

    /// <summary>Rounds many rows.</summary>
    public static void Round(float* from, BFloat16* to, int rows, int width, ParallelOptions parallel) =>
        ParallelRanges.Run(
            (rows + PieceRows - 1) / PieceRows,
            parallel,
            piece =>
            {
                long first = (long)piece * PieceRows;
                long end = Math.Min(rows, first + PieceRows);
                Round(from + (first * width), to + (first * width), (int)((end - first) * width));
            }
        );

    // The processor does not foresee rows that lie kilobytes apart. What is beyond the matrix is asked for in vain, and does no harm.
    private static void PrefetchRows(BFloat16* row, int stride, int columns)
    {
        if (Sse.IsSupported)
        {
            for (int i = 0; i < columns; i += LineLength)
            {
                Sse.Prefetch0(row + i);
                Sse.Prefetch0(row + stride + i);
            }
        }
    }

    // Rows 2k and 2k + 1 of one panel, side by side, and zeros up to its end.
    // A row of bfloat16 numbers is copied.
    private static void RoundRow<TElement>(TElement* from, BFloat16* to, int count)
        where TElement : unmanaged
    {
        if (typeof(TElement) == typeof(BFloat16))
        {
            new ReadOnlySpan<BFloat16>(from, count).CopyTo(new Span<BFloat16>(to, count));
        }
        else
        {
            Round((float*)from, to, count);
        }
    }

    private static void RoundAndZip<TElement>(TElement* even, TElement* odd, int count, BFloat16* to)
        where TElement : unmanaged
    {
        BFloat16* rounded = stackalloc BFloat16[2 * PanelWidth];
        RoundRow(even, rounded, count);
        if (odd is not null)
        {
            RoundRow(odd, rounded + PanelWidth, count);
        }

        Zip(rounded, odd is null ? null : rounded + PanelWidth, count, to);
        new Span<BFloat16>(to + (2 * count), 2 * (PanelWidth - count)).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Round<TLanes>(float* from, int fromStride, BFloat16* to, int toStride, int rows, int width)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        for (int row = 0; row < rows; row++, from += fromStride, to += toStride)
        {
            int i = 0;
            for (; i <= width - TLanes.Count; i += TLanes.Count)
            {
                BFloat16.Store(TLanes.Load(from + i), to + i);
            }

            for (; i < width; i++)
            {
                to[i] = BFloat16.Round(from[i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Round<TLanes>(float* from, BFloat16* to, int count)
        where TLanes : struct, IFloatLanes<TLanes>
    {
        int i = 0;
        for (; i <= count - TLanes.Count; i += TLanes.Count)
        {
            BFloat16.Store(TLanes.Load(from + i), to + i);
        }

        for (; i < count; i++)
        {
            to[i] = BFloat16.Round(from[i]);
        }
    }

    // to = even₀ odd₀ even₁ odd₁ …; zeros where there is no odd row.
    private static void Zip(BFloat16* even, BFloat16* odd, int count, BFloat16* to)
    {
        var low = (ushort*)even;
        var high = (ushort*)odd;
        var pairs = (uint*)to;
        int i = 0;
        if (Vector512.IsHardwareAccelerated && odd is not null)
        {
            for (; i <= count - Vector512<uint>.Count; i += Vector512<uint>.Count)
            {
                Vector512<uint> first = Avx512F.ConvertToVector512UInt32(Vector256.Load(low + i));
                Vector512<uint> second = Avx512F.ConvertToVector512UInt32(Vector256.Load(high + i));
                (first | Vector512.ShiftLeft(second, 16)).Store(pairs + i);
            }
        }

        for (; i < count; i++)
        {
            pairs[i] = low[i] | ((high is null ? 0u : high[i]) << 16);
        }
    }
}
