// Attention (AttentionKernel.cs has the scheme) with products of bfloat16 operands and float32 sums. Rotation, softmax and sums are float32; what a product reads is rounded once.
//
// Forward, blocks of 64 queries go over the keys they see. Backward, blocks of 64 keys go over the queries that see them: shares then lie as the keys' and values' gradients read
// them, and only the queries' gradients need them turned. Blocks are 64 by 64 throughout: what a query does not see has a share of zero, what lies beyond the last token is zero,
// and every product has one of few shapes.
using System.Numerics;

namespace Saltern.Numerics;

/// <summary>Rotary positions, attention and their gradients over bfloat16 activations.</summary>
internal static unsafe class BFloat16Attention
{
    private const int Side = BFloat16Pairs.PanelWidth;

    /// <summary>Turns queries and keys by their positions' angles and attends.</summary>
    /// <param name="qkv">[B·T, (H + 2G)·A], before rotation; not changed.</param>
    /// <param name="cosines">[T, A_r], from the first position on.</param>
    /// <param name="first">First key of each query, [B·T]; null for 0.</param>
    /// <param name="end">One past its last key, [B·T]; null for causal attention.</param>
    /// <param name="mixed">[B·T, H·A].</param>
    /// <param name="logSums">Log-sum-exp of each query's scores, [B·T, H]; null where no backward pass follows.</param>
    public static void Forward(
        AttentionShape shape,
        BFloat16* qkv,
        float* cosines,
        float* sines,
        int* first,
        int* end,
        BFloat16* mixed,
        float* logSums,
        ParallelOptions parallel
    ) =>
        Run(
            shape,
            parallel,
            (batch, group) =>
            {
                var room = new ForwardRoom(shape);
                int size = shape.Size;
                int outStride = shape.Heads * size;
                long origin = (long)batch * shape.Length;
                BFloat16* rows = qkv + (origin * shape.RowStride);
                room.Turn(rows + ((shape.Heads + group) * size), cosines, sines);
                room.PackKeys();
                room.PackValues(rows + ((shape.Heads + shape.Groups + group) * size));
                for (int head = shape.FirstHead(group); head < shape.FirstHead(group + 1); head++)
                {
                    room.Turn(rows + (head * size), cosines, sines);
                    for (int row = 0; row < shape.Length; row += Side)
                    {
                        KeySpan span = KeySpan.At(shape, origin, row, first, end);
                        room.Score(row, span);
                        for (int i = 0; i < span.Rows; i++)
                        {
                            (int from, int to) = span.Keys(origin, row + i, first, end);
                            float logSum = room.Softmax(i, span.Width, from, to);
                            if (logSums is not null)
                            {
                                logSums[((origin + row + i) * shape.Heads) + head] = logSum;
                            }
                        }

                        room.Mix(span, mixed + ((origin + row) * outStride) + (head * size), outStride);
                    }
                }
            }
        );

    /// <summary>∂ℒ/∂qkv from ∂ℒ/∂mixed.</summary>
    /// <param name="qkv">As <see cref="Forward"/> read it.</param>
    /// <param name="mixed">[B·T, H·A], as <see cref="Forward"/> made it.</param>
    /// <param name="gradient">∂ℒ/∂qkv, [B·T, (H + 2G)·A], overwritten.</param>
    public static void Backward(
        AttentionShape shape,
        BFloat16* qkv,
        float* cosines,
        float* sines,
        int* first,
        int* end,
        BFloat16* mixed,
        float* logSums,
        BFloat16* mixedGradient,
        BFloat16* gradient,
        ParallelOptions parallel
    ) =>
        Run(
            shape,
            parallel,
            (batch, group) =>
            {
                var room = new BackwardRoom(shape);
                int size = shape.Size;
                int outStride = shape.Heads * size;
                long origin = (long)batch * shape.Length;
                BFloat16* rows = qkv + (origin * shape.RowStride);
                BFloat16* gradients = gradient + (origin * shape.RowStride);
                int keyAt = (shape.Heads + group) * size;
                int valueAt = keyAt + (shape.Groups * size);
                room.TakeKeysAndValues(rows + keyAt, rows + valueAt, cosines, sines);
                room.TakeVisibility(first is null ? null : first + origin, end is null ? null : end + origin);
                for (int head = shape.FirstHead(group); head < shape.FirstHead(group + 1); head++)
                {
                    long outAt = (origin * outStride) + (head * size);
                    room.TakeQueries(rows + (head * size), cosines, sines);
                    room.TakeOutputs(mixed + outAt, mixedGradient + outAt, logSums + (origin * shape.Heads) + head);
                    for (int block = 0; block < room.Length; block += Side)
                    {
                        room.AddBlock(block);
                    }

                    room.GiveQueries(gradients + (head * size), cosines, sines);
                }

                room.GiveKeysAndValues(gradients + keyAt, gradients + valueAt, cosines, sines);
            }
        );

    // One piece of work is one group of heads of one sequence: no two of them write to the same memory.
    private static void Run(AttentionShape shape, ParallelOptions parallel, Action<int, int> work) =>
        ParallelRanges.Run(
            shape.Batch * shape.Groups,
            parallel,
            piece =>
            {
                work(piece / shape.Groups, piece % shape.Groups);
                BFloat16Product.EndBlocks();
            }
        );

    // Turned and rounded rows of one head, side by side.
    private static void Turn(AttentionShape shape, BFloat16* rows, BFloat16* to, float* cosines, float* sines) =>
        AttentionRows.Turn(
            new Rows<BFloat16>(rows, shape.RowStride),
            new Rows<BFloat16>(to, shape.Size),
            new RotaryAngles(cosines, sines, shape.Size, shape.Turned),
            shape.Length,
            1f
        );

    private static int Whole(int count) => (count + Side - 1) / Side * Side;

    // From one row of scores to the next. Kernels are made for each stride, and kept: there are few of these, whatever lengths come.
    private static int StrideOf(int length) => (int)BitOperations.RoundUpToPowerOf2((uint)length);

    // Zeros for the rows that stand for no token.
    private static void ClearBelow(BFloat16* rows, int size, int count, int whole) =>
        new Span<BFloat16>(rows + ((long)count * size), (whole - count) * size).Clear();

    // Some queries and the keys that any of them sees, in whole blocks.
    private readonly record struct KeySpan(int Rows, int First, int Width)
    {
        public static KeySpan At(AttentionShape shape, long origin, int row, int* first, int* end)
        {
            int rows = Math.Min(Side, shape.Length - row);
            if (end is null)
            {
                return new KeySpan(rows, 0, row + Side);
            }

            int from = int.MaxValue;
            int to = 0;
            for (int i = row; i < row + rows; i++)
            {
                from = Math.Min(from, first[origin + i]);
                to = Math.Max(to, end[origin + i]);
            }

            from -= from % Side;
            return new KeySpan(rows, from, Whole(to - from));
        }

        // Keys of one query, counted from the span's first.
        public (int From, int To) Keys(long origin, int row, int* first, int* end) =>
            end is null ? (0, row + 1) : (first[origin + row] - First, end[origin + row] - First);
    }

    // Hands out parts of one thread's memory, in bfloat16 elements; asked twice, first for how many.
    private struct Parts(BFloat16* start)
    {
        private const int Alignment = 32; // 64 bytes

        public long Count { get; private set; }

        public BFloat16* BFloat16s(long count)
        {
            BFloat16* at = start + Count;
            Count += (count + Alignment - 1) / Alignment * Alignment;
            return at;
        }

        public float* Floats(long count) => (float*)BFloat16s(2 * count);
    }

    // Memory and products of one group's forward pass. L = T up to whole blocks.
    private readonly struct ForwardRoom
    {
        private readonly AttentionShape _shape;
        private readonly int _length;
        private readonly int _stride;
        private readonly ScoreForm _form;

        // Keys, then one head's queries after the other, turned, [L, A].
        private readonly BFloat16* _turned;

        // Turned keys as columns, values as rows, packed.
        private readonly BFloat16* _keys;
        private readonly BFloat16* _values;

        // [64, stride].
        private readonly float* _scores;
        private readonly BFloat16* _shares;

        // [64, A].
        private readonly float* _sums;

        public ForwardRoom(AttentionShape shape)
        {
            (_shape, _length, _form) = (shape, Whole(shape.Length), shape.Scores);
            _stride = StrideOf(_length);
            BFloat16* start = null;
            for (int turn = 0; turn < 2; turn++)
            {
                var parts = new Parts(start);
                _turned = parts.BFloat16s((long)_length * shape.Size);
                _keys = parts.BFloat16s(BFloat16Pairs.Length(shape.Size, _length));
                _values = parts.BFloat16s(BFloat16Pairs.Length(_length, shape.Size));
                _scores = parts.Floats((long)Side * _stride);
                _shares = parts.BFloat16s((long)Side * _stride);
                _sums = parts.Floats((long)Side * shape.Size);
                start = WorkerScratch.Take(parts.Count);
            }
        }

        public void Turn(BFloat16* rows, float* cosines, float* sines)
        {
            (int size, int length) = (_shape.Size, _shape.Length);
            BFloat16Attention.Turn(_shape, rows, _turned, cosines, sines);
            ClearBelow(_turned, size, length, _length);
        }

        public void PackKeys()
        {
            for (int key = 0; key < _length; key += Side)
            {
                BFloat16Pairs.PackColumns(
                    _turned + ((long)key * _shape.Size),
                    _shape.Size,
                    Side,
                    _shape.Size,
                    _keys + (key / Side * BFloat16Pairs.PanelLength(_shape.Size))
                );
            }
        }

        public void PackValues(BFloat16* values) =>
            BFloat16Pairs.PackPanels(values, _shape.RowStride, _shape.Length, _length, _shape.Size, _values);

        // Scores of the queries row … row + 63 with the span's keys.
        public void Score(int row, KeySpan span)
        {
            int size = _shape.Size;
            BFloat16* queries = _turned + ((long)row * size);
            for (int at = 0; at < span.Width; at += Side)
            {
                BFloat16* panel = _keys + ((span.First + at) / Side * BFloat16Pairs.PanelLength(size));
                BFloat16Product.Block(Side, Side, size, queries, size, panel, _scores + at, _stride, add: false);
            }
        }

        public float Softmax(int row, int width, int from, int to) =>
            AttentionRows.Softmax(
                _scores + ((long)row * _stride),
                _shares + ((long)row * _stride),
                width,
                from,
                to,
                _form
            );

        // Σ_j shares[i, j]·value_(First + j), rounded.
        public void Mix(KeySpan span, BFloat16* to, int stride)
        {
            int size = _shape.Size;
            for (int column = 0; column < size; column += Side)
            {
                int width = Math.Min(Side, size - column);
                BFloat16* panel =
                    _values + (column / Side * BFloat16Pairs.PanelLength(_length)) + ((long)span.First * Side);
                BFloat16Product.Block(
                    Side,
                    width,
                    span.Width,
                    _shares,
                    _stride,
                    panel,
                    _sums + column,
                    size,
                    add: false
                );
            }

            BFloat16Pairs.Round(_sums, size, to, stride, span.Rows, size);
        }
    }

    // Memory and products of one group's backward pass. L = T up to whole blocks.
    private readonly struct BackwardRoom
    {
        private readonly AttentionShape _shape;
        private readonly int _stride;
        private readonly ScoreForm _form;

        // Turned keys and values as they are, [L, A]; keys packed as rows, block by block.
        private readonly BFloat16* _keys;
        private readonly BFloat16* _values;
        private readonly BFloat16* _keyRows;

        // One head's turned queries, [L, A]; queries and output gradients packed as columns and as rows.
        private readonly BFloat16* _queries;
        private readonly BFloat16* _queryColumns;
        private readonly BFloat16* _queryRows;
        private readonly BFloat16* _outputColumns;
        private readonly BFloat16* _outputRows;

        // Of each query, [L]: log-sum-exp, Σ share·∂ℒ/∂share, first key and one past the last.
        private readonly float* _logSums;
        private readonly float* _inner;
        private readonly float* _first;
        private readonly float* _end;

        // Of 64 keys with the queries, [64, stride].
        private readonly float* _scores;
        private readonly float* _shareGradients;
        private readonly BFloat16* _shares;
        private readonly BFloat16* _scoreGradients;
        private readonly BFloat16* _pairs;
        private readonly BFloat16* _turnedGradients;

        // [L, A].
        private readonly float* _querySums;
        private readonly float* _keySums;
        private readonly float* _valueSums;

        public BackwardRoom(AttentionShape shape)
        {
            (_shape, Length, _form) = (shape, Whole(shape.Length), shape.Scores);
            _stride = StrideOf(Length);
            long square = (long)Length * shape.Size;
            long scores = (long)Side * _stride;
            long columns = BFloat16Pairs.Length(shape.Size, Length);
            long rows = BFloat16Pairs.Length(Length, shape.Size);
            BFloat16* start = null;
            for (int turn = 0; turn < 2; turn++)
            {
                var parts = new Parts(start);
                _keys = parts.BFloat16s(square);
                _values = parts.BFloat16s(square);
                _queries = parts.BFloat16s(square);
                _keyRows = parts.BFloat16s(rows);
                _queryColumns = parts.BFloat16s(columns);
                _queryRows = parts.BFloat16s(rows);
                _outputColumns = parts.BFloat16s(columns);
                _outputRows = parts.BFloat16s(rows);
                _logSums = parts.Floats(Length);
                _inner = parts.Floats(Length);
                _first = parts.Floats(Length);
                _end = parts.Floats(Length);
                _scores = parts.Floats(scores);
                _shareGradients = parts.Floats(scores);
                _shares = parts.BFloat16s(scores);
                _scoreGradients = parts.BFloat16s(scores);
                _pairs = parts.BFloat16s(scores);
                _turnedGradients = parts.BFloat16s(scores);
                _querySums = parts.Floats(square);
                _keySums = parts.Floats(square);
                _valueSums = parts.Floats(square);
                start = WorkerScratch.Take(parts.Count);
            }

            new Span<float>(_keySums, (int)square).Clear();
            new Span<float>(_valueSums, (int)square).Clear();
        }

        public int Length { get; }

        public void TakeKeysAndValues(BFloat16* keys, BFloat16* values, float* cosines, float* sines)
        {
            (int size, int length, int stride) = (_shape.Size, _shape.Length, _shape.RowStride);
            Turn(_shape, keys, _keys, cosines, sines);
            ClearBelow(_keys, size, length, Length);
            for (int row = 0; row < length; row++)
            {
                new Span<BFloat16>(values + ((long)row * stride), size).CopyTo(
                    new Span<BFloat16>(_values + ((long)row * size), size)
                );
            }

            ClearBelow(_values, size, length, Length);
            BFloat16Pairs.PackPanels(_keys, size, Length, Length, size, _keyRows);
        }

        // Which keys each query sees; what stands for no query sees none.
        public void TakeVisibility(int* first, int* end)
        {
            for (int i = 0; i < _shape.Length; i++)
            {
                (_first[i], _end[i]) = end is null ? (0, i + 1) : (first[i], end[i]);
            }

            for (int i = _shape.Length; i < Length; i++)
            {
                (_first[i], _end[i]) = (0, 0);
            }
        }

        public void TakeQueries(BFloat16* queries, float* cosines, float* sines)
        {
            (int size, int length) = (_shape.Size, _shape.Length);
            Turn(_shape, queries, _queries, cosines, sines);
            ClearBelow(_queries, size, length, Length);
            for (int row = 0; row < Length; row += Side)
            {
                BFloat16Pairs.PackColumns(
                    _queries + ((long)row * size),
                    size,
                    Side,
                    size,
                    _queryColumns + (row / Side * BFloat16Pairs.PanelLength(size))
                );
            }

            BFloat16Pairs.PackPanels(_queries, size, Length, Length, size, _queryRows);
            new Span<float>(_querySums, Length * size).Clear();
        }

        public void TakeOutputs(BFloat16* outputs, BFloat16* gradients, float* logSums)
        {
            (int size, int length) = (_shape.Size, _shape.Length);
            int stride = _shape.Heads * size;
            for (int row = 0; row < Length; row += Side)
            {
                BFloat16Pairs.PackColumns(
                    gradients + ((long)row * stride),
                    stride,
                    Math.Min(Side, length - row),
                    size,
                    _outputColumns + (row / Side * BFloat16Pairs.PanelLength(size))
                );
            }

            BFloat16Pairs.PackPanels(gradients, stride, length, Length, size, _outputRows);
            for (int i = 0; i < length; i++)
            {
                _logSums[i] = logSums[(long)i * _shape.Heads];
                _inner[i] = AttentionRows.Dot(outputs + ((long)i * stride), gradients + ((long)i * stride), size);
            }

            new Span<float>(_logSums + length, Length - length).Clear();
            new Span<float>(_inner + length, Length - length).Clear();
        }

        // What the keys key … key + 63 and all queries add to each other's gradients.
        public void AddBlock(int key)
        {
            int size = _shape.Size;
            (int from, int to) = QueriesOf(key);
            int width = to - from;
            for (int at = 0; at < width; at += Side)
            {
                long panel = (from + at) / Side * BFloat16Pairs.PanelLength(size);
                Square(_keys + ((long)key * size), _queryColumns + panel, _scores + at);
                Square(_values + ((long)key * size), _outputColumns + panel, _shareGradients + at);
            }

            for (int i = 0; i < Side; i++)
            {
                long at = (long)i * _stride;
                AttentionRows.KeyGradient(
                    _scores + at,
                    _shareGradients + at,
                    _shares + at,
                    _scoreGradients + at,
                    width,
                    key + i,
                    _first + from,
                    _end + from,
                    _logSums + from,
                    _inner + from,
                    _form
                );
            }

            BFloat16Pairs.Transpose(_scoreGradients, _stride, Side, Side, width, _pairs, _turnedGradients);
            for (int column = 0; column < size; column += Side)
            {
                int count = Math.Min(Side, size - column);
                long panel = column / Side * BFloat16Pairs.PanelLength(Length);
                long at = ((long)key * size) + column;
                AddDeep(width, count, _shares, _outputRows + panel + ((long)from * Side), _valueSums + at);
                AddDeep(width, count, _scoreGradients, _queryRows + panel + ((long)from * Side), _keySums + at);
                for (int row = 0; row < width; row += Side)
                {
                    BFloat16Product.Block(
                        Side,
                        count,
                        Side,
                        _turnedGradients + ((long)row * Side),
                        Side,
                        _keyRows + panel + ((long)key * Side),
                        _querySums + ((long)(from + row) * size) + column,
                        size,
                        add: true
                    );
                }
            }
        }

        public void GiveQueries(BFloat16* to, float* cosines, float* sines) => TurnBack(_querySums, to, cosines, sines);

        public void GiveKeysAndValues(BFloat16* keys, BFloat16* values, float* cosines, float* sines)
        {
            TurnBack(_keySums, keys, cosines, sines);
            BFloat16Pairs.Round(_valueSums, _shape.Size, values, _shape.RowStride, _shape.Length, _shape.Size);
        }

        // Whole blocks of queries between the first and the last that sees any of 64 keys.
        private (int From, int To) QueriesOf(int key)
        {
            int from = Length;
            int to = 0;
            for (int i = 0; i < _shape.Length; i++)
            {
                if (_first[i] < key + Side && _end[i] > key)
                {
                    from = Math.Min(from, i / Side * Side);
                    to = (i / Side * Side) + Side;
                }
            }

            return (Math.Min(from, to), to);
        }

        private void Square(BFloat16* left, BFloat16* panel, float* to) =>
            BFloat16Product.Block(Side, Side, _shape.Size, left, _shape.Size, panel, to, _stride, add: false);

        private void AddDeep(int depth, int count, BFloat16* left, BFloat16* panel, float* to) =>
            BFloat16Product.Block(Side, count, depth, left, _stride, panel, to, _shape.Size, add: true);

        private void TurnBack(float* sums, BFloat16* to, float* cosines, float* sines) =>
            AttentionRows.Turn(
                new Rows<Float32>((Float32*)sums, _shape.Size),
                new Rows<BFloat16>(to, _shape.RowStride),
                new RotaryAngles(cosines, sines, _shape.Size, _shape.Turned),
                _shape.Length,
                -1f
            );
    }
}
