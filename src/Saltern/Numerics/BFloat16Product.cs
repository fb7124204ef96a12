// Products of bfloat16 matrices with float32 sums. The block kernels are oneDNN's, through libtorch: 64 × 64 of the result, the whole depth in one call; what is packed when,
// and who computes which block, is here, because oneDNN's own large products round their result to bfloat16 and would round gradients that add up over micro-batches.
//
// Every element of a result is summed by one thread in one order: the bits do not depend on the number of threads.
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Saltern.Numerics;

/// <summary>C = A·B and C += A·B with A, B in bfloat16 and C summed in float32, on the CPU.</summary>
internal static unsafe partial class BFloat16Product
{
    // A block of A, 64 rows, and a panel of B stay in the second-level cache; measured on a Zen 5 core 64 × 64 reaches the most over depths from 128 to 2,048.
    private const int BlockRows = 64;
    private const string Torch = "torch_cpu";
    private const string Kernels = "_ZN2at6native7cpublas6brgemmEllllllbPKN3c108BFloat16ES5_Pfb";
    private const string Ending = "_ZN2at6native7cpublas14brgemm_releaseEb";
    private const int PanelWidth = BFloat16Pairs.PanelWidth;

    // Rows and panels of one piece of work.
    private const int PieceRows = 256;
    private const int PiecePanels = 8;

    // Pieces for each thread where there are few: one that begins late, or is the shorter, then leaves nobody waiting for long.
    private const int PiecesOfAThread = 2;

    // Depth that is gone through at once: a block of 64 × 512 of each operand takes 64 KiB.
    private const int SliceDepth = 512;

    /// <summary>Whether processor and oneDNN have bfloat16 products worth having. Needs no libtorch.</summary>
    public static bool IsThere { get; } = Find();

    /// <summary>Whether the libtorch in use offers the kernels: another one may have been put in its place (docs/cuda.md).</summary>
    public static bool IsExported => Exported.Value;

    private static readonly Lazy<bool> Exported = new(() =>
        NativeLibrary.TryLoad(Torch, typeof(BFloat16Product).Assembly, null, out nint library)
        && NativeLibrary.TryGetExport(library, Kernels, out _)
        && NativeLibrary.TryGetExport(library, Ending, out _)
    );

    /// <summary>Y = A·B, or added to what is there.</summary>
    /// <param name="a">[rows, depth].</param>
    /// <param name="strideA">From one row of A to the next; where the depth is odd, a zero follows each row.</param>
    /// <param name="packed">B of [depth, columns], from <see cref="BFloat16Pairs"/>.</param>
    /// <param name="bias">Added to every row, [columns]; null for none.</param>
    /// <param name="y">[rows, columns].</param>
    public static void Multiply(
        BFloat16* a,
        int strideA,
        int rows,
        int depth,
        BFloat16* packed,
        int columns,
        float* bias,
        float* y,
        bool add,
        ParallelOptions parallel
    ) =>
        Run(
            rows,
            columns,
            parallel,
            piece =>
            {
                // A deep product in slices, so that slices of A and B stay in the cache while all of the piece's blocks use them.
                int whole = BFloat16Pairs.Even(depth);
                for (int at = 0; at < whole; at += SliceDepth)
                {
                    for (int panel = piece.FirstPanel; panel < piece.EndPanel; panel++)
                    {
                        int width = Math.Min(PanelWidth, columns - (panel * PanelWidth));
                        BFloat16* b = packed + (panel * BFloat16Pairs.PanelLength(depth)) + ((long)at * PanelWidth);
                        for (int row = piece.FirstRow; row < piece.EndRow; row += BlockRows)
                        {
                            Block(
                                Math.Min(BlockRows, piece.EndRow - row),
                                width,
                                Math.Min(SliceDepth, whole - at),
                                a + ((long)row * strideA) + at,
                                strideA,
                                b,
                                y + ((long)row * columns) + (panel * PanelWidth),
                                columns,
                                add || at > 0
                            );
                        }
                    }
                }

                for (int row = piece.FirstRow; bias is not null && row < piece.EndRow; row++)
                {
                    int first = piece.FirstPanel * PanelWidth;
                    int end = Math.Min(columns, piece.EndPanel * PanelWidth);
                    AddRow(y + ((long)row * columns) + first, bias + first, end - first);
                }
            }
        );

    /// <summary>Y = A·B, rounded to bfloat16.</summary>
    /// <inheritdoc cref="Multiply(BFloat16*, int, int, int, BFloat16*, int, float*, float*, bool, ParallelOptions)"/>
    public static void Multiply(
        BFloat16* a,
        int strideA,
        int rows,
        int depth,
        BFloat16* packed,
        int columns,
        float* bias,
        BFloat16* y,
        ParallelOptions parallel
    ) =>
        Run(
            rows,
            columns,
            parallel,
            piece =>
            {
                var sums = (float*)WorkerScratch.Take(2 * BlockRows * PanelWidth);
                int whole = BFloat16Pairs.Even(depth);
                for (int panel = piece.FirstPanel; panel < piece.EndPanel; panel++)
                {
                    int width = Math.Min(PanelWidth, columns - (panel * PanelWidth));
                    BFloat16* b = packed + (panel * BFloat16Pairs.PanelLength(depth));
                    for (int row = piece.FirstRow; row < piece.EndRow; row += BlockRows)
                    {
                        int count = Math.Min(BlockRows, piece.EndRow - row);
                        Block(count, width, whole, a + ((long)row * strideA), strideA, b, sums, PanelWidth, add: false);
                        for (int i = 0; i < count && bias is not null; i++)
                        {
                            AddRow(sums + (i * PanelWidth), bias + (panel * PanelWidth), width);
                        }

                        BFloat16* to = y + ((long)row * columns) + (panel * PanelWidth);
                        BFloat16Pairs.Round(sums, PanelWidth, to, columns, count, width);
                    }
                }
            }
        );

    /// <summary>Elements of room that <see cref="AddTransposed"/> asks for.</summary>
    public static long RoomOfTransposed(int rows, int m, int columns) =>
        (long)WholeBlocks(rows) * WholeBlocks(Math.Min(m, columns));

    /// <summary>C += Gᵀ·X: what a batch adds to the gradient of a weight.</summary>
    /// <remarks>The narrower of the two is transposed whole, the other packed panel by panel where it is used; where that makes Xᵀ·G, blocks are turned as they are added.</remarks>
    /// <param name="g">[rows, m].</param>
    /// <param name="strideG">From one row of G to the next.</param>
    /// <param name="x">[rows, columns].</param>
    /// <param name="room">See <see cref="RoomOfTransposed"/>.</param>
    /// <param name="c">[m, columns].</param>
    public static void AddTransposed(
        BFloat16* g,
        int strideG,
        int rows,
        int m,
        BFloat16* x,
        int columns,
        BFloat16* room,
        float* c,
        ParallelOptions parallel
    )
    {
        if (rows == 0)
        {
            return;
        }

        bool turned = columns < m;
        BFloat16* left = turned ? x : g;
        BFloat16* right = turned ? g : x;
        (int leftStride, int height) = turned ? (columns, columns) : (strideG, m);
        (int rightStride, int width) = turned ? (strideG, m) : (columns, columns);
        int depth = WholeBlocks(rows);
        int blocks = (height + BlockRows - 1) / BlockRows;
        int slices = (depth + SliceDepth - 1) / SliceDepth;
        ParallelRanges.Run(
            blocks * slices,
            parallel,
            piece =>
            {
                int column = piece / slices * BlockRows;
                int at = piece % slices * SliceDepth;
                int length = Math.Min(SliceDepth, depth - at);
                BFloat16Pairs.Transpose(
                    left + ((long)at * leftStride) + column,
                    leftStride,
                    Math.Clamp(rows - at, 0, length),
                    length,
                    Math.Min(BlockRows, height - column),
                    WorkerScratch.Take((long)BlockRows * SliceDepth),
                    room + ((long)column * depth) + ((long)at * BlockRows)
                );
            }
        );
        int panels = BFloat16Pairs.Panels(width);
        int parts = Math.Clamp(PiecesOfAThread * Threads(parallel) / panels, 1, blocks);
        ParallelRanges.Run(
            panels * parts,
            parallel,
            piece =>
            {
                int panel = piece / parts;
                int firstBlock = blocks * (piece % parts) / parts;
                int endBlock = blocks * ((piece % parts) + 1) / parts;
                int column = panel * PanelWidth;
                int count = Math.Min(PanelWidth, width - column);
                BFloat16* packed = WorkerScratch.Take((SliceDepth + (2L * blocks * BlockRows)) * PanelWidth);
                var sums = (float*)(packed + (SliceDepth * PanelWidth));
                for (int at = 0; at < depth; at += SliceDepth)
                {
                    int length = Math.Min(SliceDepth, depth - at);
                    BFloat16Pairs.PackRows(
                        right + ((long)at * rightStride) + column,
                        rightStride,
                        Math.Clamp(rows - at, 0, length),
                        length,
                        count,
                        packed
                    );
                    for (int block = firstBlock; block < endBlock; block++)
                    {
                        Kernel(
                            Math.Min(BlockRows, height - (block * BlockRows)),
                            count,
                            length,
                            room + ((long)block * BlockRows * depth) + ((long)at * BlockRows),
                            length,
                            packed,
                            sums + (block * BlockRows * PanelWidth),
                            PanelWidth,
                            add: at > 0
                        );
                    }
                }

                EndBlocks();
                for (int block = firstBlock; block < endBlock; block++)
                {
                    int row = block * BlockRows;
                    float* from = sums + (row * PanelWidth);
                    int high = Math.Min(BlockRows, height - row);
                    if (turned)
                    {
                        AddTurned(from, high, count, c + ((long)column * columns) + row, columns);
                    }
                    else
                    {
                        for (int i = 0; i < high; i++)
                        {
                            AddRow(c + ((long)(row + i) * columns) + column, from + (i * PanelWidth), count);
                        }
                    }
                }
            }
        );
    }

    /// <summary>sums += Σ over rows, in float32 and in the order of the rows.</summary>
    /// <param name="g">[rows, columns].</param>
    public static void AddColumnSums(BFloat16* g, int rows, int columns, float* sums, ParallelOptions parallel) =>
        ParallelRanges.Run(
            BFloat16Pairs.Panels(columns),
            parallel,
            panel =>
            {
                int end = Math.Min(columns, (panel + 1) * PanelWidth);
                int column = panel * PanelWidth;
                for (; column <= end - Lanes256.Count; column += Lanes256.Count)
                {
                    Lanes256 sum = Lanes256.Load(sums + column);
                    for (int row = 0; row < rows; row++)
                    {
                        sum += BFloat16.Load<Lanes256>(g + ((long)row * columns) + column);
                    }

                    sum.Store(sums + column);
                }

                for (; column < end; column++)
                {
                    for (int row = 0; row < rows; row++)
                    {
                        sums[column] += g[((long)row * columns) + column].Value;
                    }
                }
            }
        );

    /// <summary>Tells oneDNN that the calling thread has no more blocks for now: on processors with tiles their configuration is the thread's own.</summary>
    public static void EndBlocks() => Release(1);

    /// <summary>One block of a result on the calling thread: C = A·B or C += A·B.</summary>
    /// <param name="m">Rows, 64 at most.</param>
    /// <param name="n">Columns, 64 at most.</param>
    /// <param name="k">Depth, even.</param>
    /// <param name="b">One panel.</param>
    public static void Block(
        int m,
        int n,
        int k,
        BFloat16* a,
        int strideA,
        BFloat16* b,
        float* c,
        int strideC,
        bool add
    )
    {
        // Kernels are made for each shape: slices of the depth, and a few powers of two for the rows, serve them all.
        for (int at = 0; at < k; at += SliceDepth)
        {
            int depth = Math.Min(SliceDepth, k - at);
            int row = 0;
            for (int size = BlockRows; size > 0; size /= 2)
            {
                if ((m & size) != 0)
                {
                    Kernel(
                        size,
                        n,
                        depth,
                        a + ((long)row * strideA) + at,
                        strideA,
                        b + ((long)at * PanelWidth),
                        c + ((long)row * strideC),
                        strideC,
                        add || at > 0
                    );
                    row += size;
                }
            }
        }
    }

    private static int Threads(ParallelOptions parallel) =>
        parallel.MaxDegreeOfParallelism > 0 ? parallel.MaxDegreeOfParallelism : Environment.ProcessorCount;

    private static void Run(int rows, int columns, ParallelOptions parallel, Action<Piece> work)
    {
        int panels = BFloat16Pairs.Panels(columns);
        int rowPieces = (rows + PieceRows - 1) / PieceRows;
        int panelPieces = Math.Clamp(
            PiecesOfAThread * Threads(parallel) / rowPieces,
            (panels + PiecePanels - 1) / PiecePanels,
            panels
        );
        ParallelRanges.Run(
            rowPieces * panelPieces,
            parallel,
            index =>
            {
                int firstRow = index / panelPieces * PieceRows;
                int part = index % panelPieces;
                work(
                    new Piece(
                        firstRow,
                        Math.Min(rows, firstRow + PieceRows),
                        panels * part / panelPieces,
                        panels * (part + 1) / panelPieces
                    )
                );
                EndBlocks();
            }
        );
    }

    // to += from, in lanes where there are enough numbers.
    private static void AddRow(float* to, float* from, int count)
    {
        int i = 0;
        for (; i <= count - Lanes256.Count; i += Lanes256.Count)
        {
            (Lanes256.Load(to + i) + Lanes256.Load(from + i)).Store(to + i);
        }

        for (; i < count; i++)
        {
            to[i] += from[i];
        }
    }

    // to[j, i] += from[i, j] for a block of [rows, columns].
    private static void AddTurned(float* from, int rows, int columns, float* to, int stride)
    {
        float* turned = stackalloc float[BlockRows * PanelWidth];
        Transposition.Run(rows, columns, from, PanelWidth, turned, BlockRows);
        for (int j = 0; j < columns; j++)
        {
            AddRow(to + ((long)j * stride), turned + (j * BlockRows), rows);
        }
    }

    private static int WholeBlocks(int rows) => (rows + BlockRows - 1) / BlockRows * BlockRows;

    private static void Kernel(
        int m,
        int n,
        int k,
        BFloat16* a,
        int strideA,
        BFloat16* b,
        float* c,
        int strideC,
        bool add
    ) => BlockProduct(m, n, k, strideA, PanelWidth, strideC, add ? (byte)1 : (byte)0, a, b, c, 1);

    // AVX512_BF16 is bit 5 of leaf 7.1's EAX. Without it, or where it is switched off, oneDNN's kernels are made of float32's instructions, and slower.
    private static bool Find()
    {
        bool isOff = Environment.GetEnvironmentVariable("DOTNET_EnableAVX512BF16") == "0";
        if (isOff || !OneDnnLimit.AllowsBFloat16 || !Avx512BW.IsSupported || !Avx512BW.VL.IsSupported)
        {
            return false;
        }

        (int most, _, _, _) = X86Base.CpuId(7, 0);
        return most >= 1 && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;
    }

    // Rows and panels of a result that one thread computes.
    private readonly record struct Piece(int FirstRow, int EndRow, int FirstPanel, int EndPanel);

    // at::native::cpublas::brgemm(M, N, K, ld_a, ld_b, ld_c, add_C, A, B, C, is_vnni): exported with TORCH_API, but not a stable interface: NativeLibraryTests holds the name
    // and the arithmetic. It makes a kernel for each shape and thread at first sight, and keeps it with the thread.
    [LibraryImport(Torch, EntryPoint = Kernels)]
    private static partial void BlockProduct(
        long m,
        long n,
        long k,
        long strideA,
        long strideB,
        long strideC,
        byte add,
        BFloat16* a,
        BFloat16* b,
        float* c,
        byte inPairs
    );

    [LibraryImport(Torch, EntryPoint = Ending)]
    private static partial void Release(byte inPairs);
}
