// The loss head on the CPU: products (HeadProducts.cs) around vectorised passes over float32 logits in place (SoftLabelKernel.cs).
using System.Diagnostics;
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>Loss head with own vectorised passes: CPU, float32, products in float32 or bfloat16. The chunks' buffers are made once and reused.</summary>
/// <remarks>Its twins are <see cref="TensorLossHead"/>, made of libtorch's operations, and <see cref="SoftLabelLoss"/>, the equation itself. The bits do not depend on the number of threads, but for libtorch's products.</remarks>
internal sealed class FusedLossHead : LossHead
{
    private readonly ParallelOptions _parallel;
    private readonly ScalarType _products;
    private readonly Tensor _studentLogits;
    private HeadProducts? _student;
    private (HeadProducts Products, ScalarType Type)? _teacher;
    private Tensor? _teacherLogits;

    /// <summary>Reserves the student's buffer; a live teacher's follows when there is one.</summary>
    /// <param name="vocabulary">Real token ids; rows of an output head beyond them get neither probability nor gradient.</param>
    /// <param name="headRows">Rows of the student's output head, V or more.</param>
    /// <param name="threads">Threads for the passes over the logits.</param>
    /// <param name="products">Type of the products with the student's head; a live teacher's says its own.</param>
    public FusedLossHead(int vocabulary, int headRows, int threads, ScalarType products = ScalarType.Float32)
        : base(vocabulary, headRows)
    {
        _products = products;
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
        _studentLogits = zeros(ChunkRows, headRows).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _studentLogits.Dispose();
        _teacherLogits?.Dispose();
        _student?.Dispose();
        _teacher?.Products.Dispose();
    }

    /// <inheritdoc/>
    protected override void Begin(LossRequest request, bool backward)
    {
        _student ??= HeadProducts.Create(_products, (int)request.Head.shape[1], _parallel);
        _student.Begin(request.HiddenStates.detach(), request.Head.detach(), backward);
        if (request.Teacher is LiveSoftLabels live)
        {
            if (_teacher is null || _teacher.Value.Type != live.ProductType)
            {
                _teacher?.Products.Dispose();
                var products = HeadProducts.Create(live.ProductType, (int)live.Head.shape[1], _parallel);
                _teacher = (products, live.ProductType);
            }

            _teacher.Value.Products.Begin(live.HiddenStates, live.Head.detach(), backward: false);
        }
    }

    private bool IsQuick => _products == ScalarType.BFloat16;

    /// <inheritdoc/>
    protected override void RunChunk(
        LossRequest request,
        PositionLosses losses,
        LossChunk chunk,
        LossGradients? gradients
    )
    {
        Tensor logits = _studentLogits.narrow(0, 0, chunk.Rows); // [M, V]
        Tensor? teacherLogits = null;
        using (StepProfile.Of(StepPart.HeadProducts))
        {
            _student!.Logits(chunk.First, logits);
            if (chunk.Taught > 0 && request.Teacher is SoftLabels teacher)
            {
                teacherLogits = TeacherLogits(teacher, chunk);
            }
        }

        using (StepProfile.Of(StepPart.Loss))
        {
            RunRows(request, losses, chunk, logits, teacherLogits, gradients);
            if (gradients?.Bias is Tensor biasGradient)
            {
                GiveRows(logits, biasGradient);
            }
        }

        if (gradients is LossGradients wanted)
        {
            using StepProfile.Mark mark = StepProfile.Of(StepPart.HeadProducts);
            _student!.Gradients(chunk.First, logits, wanted.Hidden, wanted.Head);
        }
    }

    // s of the chunk's taught rows, before biases and cap, in a buffer that the passes may overwrite; null where the soft labels are sparse.
    private Tensor? TeacherLogits(SoftLabels teacher, LossChunk chunk)
    {
        switch (teacher)
        {
            case LiveSoftLabels live:
                Tensor logits = TeacherBuffer(live.Head.shape[0], chunk.Taught);
                _teacher!.Value.Products.Logits(chunk.First, logits);
                return logits;
            case DenseSoftLabels dense:
                return TeacherBuffer(dense.Logits.shape[1], chunk.Taught)
                    .copy_(dense.Logits.narrow(0, chunk.First, chunk.Taught));
            case SparseSoftLabels:
                return null;
            default:
                throw new UnreachableException(
                    $"{teacher.GetType()} is no kind of soft labels that this loss head knows."
                );
        }
    }

    private Tensor TeacherBuffer(long columns, int rows) =>
        (_teacherLogits ??= zeros(ChunkRows, columns).DetachFromDisposeScope()).narrow(0, 0, rows);

    // The gradient of the biases is the sum of the rows, so these are taken when all of them are there.
    private unsafe void GiveRows(Tensor logits, Tensor biasGradient)
    {
        biasGradient.add_(logits.sum(0L));
        nint start = TensorAddress.Of(logits);
        ParallelRanges.Run(
            (int)logits.shape[0],
            _parallel,
            row => _student!.TakeGradientRow((float*)start + ((long)row * Columns))
        );
    }

    private unsafe void RunRows(
        LossRequest request,
        PositionLosses losses,
        LossChunk chunk,
        Tensor logits,
        Tensor? teacherLogits,
        LossGradients? gradients
    )
    {
        float scale = gradients?.Scale ?? 0f;
        bool isTaken = gradients is not null && gradients.Value.Bias is null;
        var form = new HeadRowForm(request.Form);
        var teacherForm = new HeadRowForm((request.Teacher as LiveSoftLabels)?.Form);
        nint student = TensorAddress.Of(logits);
        nint teacher = 0;
        int teacherColumns = 0;
        if (teacherLogits is not null)
        {
            teacher = TensorAddress.Of(teacherLogits);
            teacherColumns = (int)teacherLogits.shape[1];
        }

        // A few ranges per thread: rows cost the same, but a thread may start late.
        int ranges = Math.Min(chunk.Rows, _parallel.MaxDegreeOfParallelism * 4);
        ParallelRanges.Run(
            ranges,
            _parallel,
            range =>
            {
                int end = (int)((long)chunk.Rows * (range + 1) / ranges);
                for (int row = (int)((long)chunk.Rows * range / ranges); row < end; row++)
                {
                    float* z = (float*)student + ((long)row * Columns);
                    float* s = null;
                    SparseSoftLabels? sparse = null;
                    if (row < chunk.Taught)
                    {
                        s = teacher == 0 ? null : (float*)teacher + ((long)row * teacherColumns);
                        sparse = request.Teacher as SparseSoftLabels;
                    }

                    // Slopes are used before the thread's next piece of work, which may want the room.
                    bool isCounted = request.Labels[chunk.First + row] >= 0;
                    float* slopes = null;
                    if (isCounted && scale != 0 && form.HasSlopes)
                    {
                        slopes = (float*)WorkerScratch.Take(2L * Vocabulary); // as bfloat16, two to a float
                    }

                    if (isCounted)
                    {
                        form.Apply(z, Vocabulary, slopes);
                    }

                    if (isCounted && s is not null)
                    {
                        teacherForm.Apply(s, Vocabulary);
                    }

                    RunRow(request, losses, chunk.First + row, z, s, sparse, scale);
                    if (slopes is not null)
                    {
                        HeadRowForm.MultiplySlopes(z, Vocabulary, slopes);
                    }

                    if (isTaken)
                    {
                        _student!.TakeGradientRow(z);
                    }
                }
            }
        );
    }

    private unsafe void RunRow(
        LossRequest request,
        PositionLosses losses,
        int row,
        float* z,
        float* s,
        SparseSoftLabels? sparse,
        float scale
    )
    {
        int label = (int)request.Labels[row];
        losses.Counted[row] = label >= 0;
        losses.HasTeacher[row] = label >= 0 && (s is not null || sparse is not null);
        losses.Omega[row] = 0f;
        if (label < 0)
        {
            new Span<float>(z, Columns).Clear();
            return;
        }

        RowSums p = SoftLabelKernel.Maximum(z, Vocabulary);
        losses.Correct[row] = p.MaximumIndex == label;
        if (s is not null)
        {
            RunTeacherRow(request, losses, row, label, z, s, p, scale);
        }
        else if (sparse is not null)
        {
            SparseLabelKernel.Run(request, sparse, losses, row, z, Vocabulary, p, scale);
        }
        else
        {
            double labelScore = (double)z[label] - p.Maximum;
            p.ExpSum = SoftLabelKernel.Exponentials(z, Vocabulary, p.Maximum, store: scale != 0, IsQuick);
            losses.StudentNll[row] = losses.Loss[row] = (float)(Math.Log(p.ExpSum) - labelScore);
            losses.Confidence[row] = 1f / p.ExpSum;
            if (scale != 0)
            {
                SoftLabelKernel.Scale(z, Vocabulary, scale / p.ExpSum);
            }
        }

        if (scale != 0)
        {
            z[label] -= scale * (1f - losses.Omega[row]);
            new Span<float>(z + Vocabulary, Columns - Vocabulary).Clear();
        }
    }

    private unsafe void RunTeacherRow(
        LossRequest request,
        PositionLosses losses,
        int row,
        int label,
        float* z,
        float* s,
        RowSums p,
        float scale
    )
    {
        double labelScore = (double)z[label] - p.Maximum;
        RowSums q = SoftLabelKernel.Maximum(s, Vocabulary);
        double temperature = request.Temperature;
        double teacherScore = (double)s[label] - q.Maximum;
        TeacherSums sums = SoftLabelKernel.ExponentialsOfBoth(
            z,
            s,
            Vocabulary,
            p.Maximum,
            q.Maximum,
            (float)temperature,
            IsQuick,
            out p.ExpSum
        );
        double lse = Math.Log(p.ExpSum);
        double teacherLse = Math.Log(sums.ExpSum);
        double plainLse = Math.Log(sums.PlainExpSum);
        double nll = lse - labelScore;
        double teacherNll = plainLse - teacherScore;
        double crossEntropy = lse - (sums.StudentSum / (double)sums.ExpSum);
        double gate = request.Gate.Factor(
            1.0 / sums.PlainExpSum,
            plainLse - (sums.PlainLogSum / (double)sums.PlainExpSum),
            teacherNll
        );
        double omega = request.OmegaOf(row, gate);
        losses.Omega[row] = (float)omega;
        losses.Gate[row] = (float)gate;
        losses.StudentNll[row] = (float)nll;
        losses.Confidence[row] = 1f / p.ExpSum;
        losses.CrossEntropyToTeacher[row] = (float)crossEntropy;
        losses.Loss[row] = (float)(((1.0 - omega) * nll) + (omega * crossEntropy));
        losses.TeacherNll[row] = (float)teacherNll;
        losses.TeacherNllTempered[row] = (float)(teacherLse - (teacherScore / temperature));
        losses.TeacherEntropy[row] = (float)(teacherLse - (sums.LogSum / (double)sums.ExpSum));
        losses.Agrees[row] = p.MaximumIndex == q.MaximumIndex;
        if (scale == 0)
        {
            return;
        }

        if (omega == 0)
        {
            // The same operations as without a teacher, so that ω = 0 is plain training to the last bit.
            SoftLabelKernel.Scale(z, Vocabulary, scale / p.ExpSum);
        }
        else
        {
            SoftLabelKernel.Difference(z, s, Vocabulary, scale / p.ExpSum, (float)(scale * omega / sums.ExpSum));
        }
    }
}
