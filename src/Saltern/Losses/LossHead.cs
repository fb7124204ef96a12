// From hidden states to loss and gradients without ever holding [N, V]: logits are made, used and overwritten chunk by chunk.
// N = positions, D = hidden size, V = vocabulary, M = rows of a chunk; p − m is the gradient at the logits (docs/method.md).
using Saltern.Engine;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>The soft labels of a live teacher: its hidden states and output head make its logits, chunk by chunk.</summary>
/// <param name="HiddenStates">[rows, D of the teacher]; the first rows of the micro-batch, where the teacher ran.</param>
/// <param name="Head">[V or more, D of the teacher].</param>
/// <param name="Temperature">τ, divides the teacher's logits; the student's are never divided, and no τ² follows.</param>
public sealed record SoftLabels(Tensor HiddenStates, Tensor Head, double Temperature);

/// <summary>What one micro-batch asks of the loss head.</summary>
public sealed record LossRequest
{
    /// <summary>Student's final hidden states, [N, D], float32, contiguous.</summary>
    public required Tensor HiddenStates { get; init; }

    /// <summary>Student's output head, [V or more, D].</summary>
    public required Tensor Head { get; init; }

    /// <summary>y: next-token id of each position, [N]; negative where the position is not counted.</summary>
    public required long[] Labels { get; init; }

    /// <summary>Soft labels for the first rows; null for plain next-token training.</summary>
    public SoftLabels? Teacher { get; init; }

    /// <summary>ω_j of each position before the gate, [N]; not read without a teacher.</summary>
    public float[] Weights { get; init; } = [];

    /// <summary>h_t.</summary>
    public Gate Gate { get; init; } = Gate.Open;

    /// <summary>Factor on h_t before the limit of 0.95, or null for no scaling (renormalise).</summary>
    public double? GateScale { get; init; }
}

/// <summary>Fused output head and soft-label cross-entropy: L = (1/n) Σ CE(m, p), m = (1 − ω)·onehot(y) + ω·q_τ.</summary>
/// <remarks>
/// One path serves plain training (ω = 0), SALT and RKD (arXiv:2410.18779); the gradient p − m is made in the forward pass and turned into
/// ∂hidden and ∂head with libtorch's products. Buffers are reused; memory is two chunks of [M, V], whatever N. CPU, float32.
/// The plain twin that it is tested against is <see cref="SoftLabelLoss"/>.
/// </remarks>
public sealed class LossHead : IDisposable
{
    /// <summary>Largest ω_t that a scaled gate may give.</summary>
    public const double HighestGatedWeight = 0.95;

    // About 16 MiB of logits: large enough for the products, small enough to stay near the cache. Measured flat from 256 to 1,024 rows at V = 8,192.
    private const int ChunkElements = 4 << 20;
    private readonly int _vocabulary;
    private readonly int _rows;
    private readonly int _columns;
    private readonly ParallelOptions _parallel;
    private readonly Tensor _studentLogits;
    private Tensor? _teacherLogits;

    /// <summary>Reserves the chunk buffers.</summary>
    /// <param name="vocabulary">Real token ids; rows of a head beyond them get neither probability nor gradient.</param>
    /// <param name="headRows">Rows of the student's head, V or more.</param>
    /// <param name="threads">Threads for the passes over the logits.</param>
    public LossHead(int vocabulary, int headRows, int threads)
    {
        if (vocabulary > headRows)
        {
            throw new ArgumentOutOfRangeException(nameof(vocabulary), vocabulary, $"The head has {headRows} rows only.");
        }

        _vocabulary = vocabulary;
        _columns = headRows;
        _rows = Math.Clamp(ChunkElements / headRows, 64, 512);
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
        _studentLogits = zeros(_rows, headRows).DetachFromDisposeScope();
    }

    /// <summary>Losses at every position, without gradients.</summary>
    public void Evaluate(LossRequest request, PositionLosses losses) => Run(request, losses, 0, null, null);

    /// <summary>Losses at every position, ∂L/∂hidden and, added to what is there, ∂L/∂head.</summary>
    /// <param name="request">The micro-batch.</param>
    /// <param name="divisor">n, counted positions of the global batch.</param>
    /// <param name="losses">Receives the losses, before any division.</param>
    /// <param name="hiddenGradient">[N, D], overwritten.</param>
    /// <param name="headGradient">[V or more, D], added to.</param>
    public void Train(LossRequest request, long divisor, PositionLosses losses, Tensor hiddenGradient, Tensor headGradient)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(divisor);
        Run(request, losses, (float)(1.0 / divisor), hiddenGradient, headGradient);
    }

    /// <summary>Frees the chunk buffers.</summary>
    public void Dispose()
    {
        _studentLogits.Dispose();
        _teacherLogits?.Dispose();
    }

    private void Run(LossRequest request, PositionLosses losses, float scale, Tensor? hiddenGradient, Tensor? headGradient)
    {
        CheckShapes(request);
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = request.HiddenStates.detach(), head = request.Head.detach();
        Tensor headColumns = head.t();
        int count = request.Labels.Length;
        int teacherRows = request.Teacher is null ? 0 : (int)request.Teacher.HiddenStates.shape[0];
        for (int first = 0; first < count; first += _rows)
        {
            using DisposeScope chunkScope = NewDisposeScope();
            int rows = Math.Min(_rows, count - first);
            Tensor logits = _studentLogits.narrow(0, 0, rows); // [M, V]
            Tensor chunk = hidden.narrow(0, first, rows);      // [M, D]
            logits.addmm_(chunk, headColumns, 0, 1);
            int withTeacher = Math.Clamp(teacherRows - first, 0, rows);
            Tensor? teacherLogits = withTeacher > 0 ? TeacherLogits(request.Teacher!, first, withTeacher) : null;
            RunRows(request, losses, first, rows, withTeacher, logits, teacherLogits, scale);
            if (hiddenGradient is not null)
            {
                hiddenGradient.narrow(0, first, rows).addmm_(logits, head, 0, 1); // [M, D]
                headGradient!.addmm_(logits.t(), chunk, 1, 1);                    // [V, D]
            }
        }
    }

    private Tensor TeacherLogits(SoftLabels teacher, int first, int rows)
    {
        _teacherLogits ??= zeros(_rows, teacher.Head.shape[0]).DetachFromDisposeScope();
        Tensor logits = _teacherLogits.narrow(0, 0, rows);
        logits.addmm_(teacher.HiddenStates.narrow(0, first, rows), teacher.Head.detach().t(), 0, 1);
        return logits;
    }

    private unsafe void RunRows(LossRequest request, PositionLosses losses, int first, int rows, int withTeacher, Tensor logits, Tensor? teacherLogits, float scale)
    {
        nint student = TensorAddress.Of(logits), teacher = teacherLogits is null ? 0 : TensorAddress.Of(teacherLogits);
        int teacherColumns = teacherLogits is null ? 0 : (int)teacherLogits.shape[1];

        // A few ranges per thread: rows cost the same, but a thread may start late.
        int ranges = Math.Min(rows, _parallel.MaxDegreeOfParallelism * 4);
        void RunRange(int range)
        {
            for (int row = (int)((long)rows * range / ranges); row < (int)((long)rows * (range + 1) / ranges); row++)
            {
                float* z = (float*)student + ((long)row * _columns);
                float* s = row < withTeacher ? (float*)teacher + ((long)row * teacherColumns) : null;
                RunRow(request, losses, first + row, z, s, scale);
            }
        }

        if (_parallel.MaxDegreeOfParallelism == 1)
        {
            for (int range = 0; range < ranges; range++)
            {
                RunRange(range);
            }
        }
        else
        {
            Parallel.For(0, ranges, _parallel, RunRange);
        }
    }

    private unsafe void RunRow(LossRequest request, PositionLosses losses, int row, float* z, float* s, float scale)
    {
        int label = (int)request.Labels[row];
        losses.Counted[row] = label >= 0;
        losses.HasTeacher[row] = label >= 0 && s is not null;
        losses.Weight[row] = 0f;
        if (label < 0)
        {
            new Span<float>(z, _columns).Clear();
            return;
        }

        RowSums p = SoftLabelKernel.Maximum(z, _vocabulary);
        losses.Correct[row] = p.MaximumIndex == label;
        double labelScore = (double)z[label] - p.Maximum;
        if (s is null)
        {
            p.ExpSum = scale == 0 ? SoftLabelKernel.ExponentialSum(z, _vocabulary, p.Maximum) : SoftLabelKernel.Exponentials(z, _vocabulary, p.Maximum);
            losses.StudentNll[row] = losses.Loss[row] = (float)(Math.Log(p.ExpSum) - labelScore);
            if (scale != 0)
            {
                SoftLabelKernel.Scale(z, _vocabulary, scale / p.ExpSum);
            }
        }
        else
        {
            RunTeacherRow(request, losses, row, label, z, s, p, labelScore, scale);
        }

        if (scale != 0)
        {
            z[label] -= scale * (1f - losses.Weight[row]);
            new Span<float>(z + _vocabulary, _columns - _vocabulary).Clear();
        }
    }

    private unsafe void RunTeacherRow(LossRequest request, PositionLosses losses, int row, int label, float* z, float* s, RowSums p, double labelScore, float scale)
    {
        RowSums q = SoftLabelKernel.Maximum(s, _vocabulary);
        double temperature = request.Teacher!.Temperature, teacherScore = (double)s[label] - q.Maximum;
        TeacherSums sums = SoftLabelKernel.ExponentialsOfBoth(z, s, _vocabulary, p.Maximum, q.Maximum, (float)temperature, out p.ExpSum);
        double lse = Math.Log(p.ExpSum), teacherLse = Math.Log(sums.ExpSum), plainLse = Math.Log(sums.PlainExpSum);
        double nll = lse - labelScore, teacherNll = plainLse - teacherScore;
        double crossEntropy = lse - (sums.StudentSum / (double)sums.ExpSum);
        double gate = request.Gate.Factor(1.0 / sums.PlainExpSum, plainLse - (sums.PlainLogSum / (double)sums.PlainExpSum), teacherNll);
        double weight = request.Weights[row] * gate;
        if (request.GateScale is double factor)
        {
            weight = Math.Min(HighestGatedWeight, weight * factor);
        }

        losses.Weight[row] = (float)weight;
        losses.Gate[row] = (float)gate;
        losses.StudentNll[row] = (float)nll;
        losses.CrossEntropyToTeacher[row] = (float)crossEntropy;
        losses.Loss[row] = (float)(((1.0 - weight) * nll) + (weight * crossEntropy));
        losses.TeacherNll[row] = (float)teacherNll;
        losses.TeacherNllTempered[row] = (float)(teacherLse - (teacherScore / temperature));
        losses.TeacherEntropy[row] = (float)(teacherLse - (sums.LogSum / (double)sums.ExpSum));
        losses.Agrees[row] = p.MaximumIndex == q.MaximumIndex;
        if (scale == 0)
        {
            return;
        }

        if (weight == 0)
        {
            // The same operations as without a teacher, so that ω = 0 is plain training to the last bit.
            SoftLabelKernel.Scale(z, _vocabulary, scale / p.ExpSum);
        }
        else
        {
            SoftLabelKernel.Difference(z, s, _vocabulary, scale / p.ExpSum, (float)(scale * weight / sums.ExpSum));
        }
    }

    private void CheckShapes(LossRequest request)
    {
        long rows = request.HiddenStates.shape[0];
        if (rows != request.Labels.Length)
        {
            throw new ArgumentException($"There are {rows} hidden states but {request.Labels.Length} labels.", nameof(request));
        }

        if (request.Labels.AsSpan().ContainsAnyInRange(_vocabulary, long.MaxValue))
        {
            throw new ArgumentException($"A label is outside the vocabulary of {_vocabulary}.", nameof(request));
        }

        if (request.Head.shape[0] != _columns)
        {
            throw new ArgumentException($"The head has {request.Head.shape[0]} rows; this loss head was made for {_columns}.", nameof(request));
        }

        if (request.Teacher is SoftLabels teacher)
        {
            if (teacher.Head.shape[0] < _vocabulary || teacher.HiddenStates.shape[0] > rows)
            {
                throw new ArgumentException($"The teacher has {teacher.HiddenStates.shape[0]} rows and {teacher.Head.shape[0]} logits for {rows} rows and a vocabulary of {_vocabulary}.", nameof(request));
            }

            if (request.Weights.Length != rows)
            {
                throw new ArgumentException($"There are {request.Weights.Length} weights for {rows} positions.", nameof(request));
            }
        }
    }
}
