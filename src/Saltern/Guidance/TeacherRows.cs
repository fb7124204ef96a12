// The arithmetic of a teacher pass: hidden states → logits, chunk by chunk → one record a position.
// N = positions, M = rows of a chunk, V = vocabulary; s = the teacher's logits, e′_i = exp((s_i − max s)/τ).
using System.Runtime.Intrinsics;
using Saltern.Batches;
using Saltern.Losses;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>Turns the teacher's hidden states into records; its buffers are made once and reused.</summary>
internal sealed unsafe class TeacherRows : IDisposable
{
    private const int ChunkElements = 4 << 20; // as in the loss head
    private readonly TeachPlan _plan;
    private readonly int _columns;
    private readonly Tensor _logits;
    private readonly Tensor? _deviceLogits;
    private readonly ParallelOptions _parallel;
    private readonly int _recordBytes;
    private readonly HeadProducts? _products;
    private byte[] _slots = [];

    /// <summary>Reserves the buffer of a chunk.</summary>
    /// <param name="teacher">Whose head and device they are.</param>
    /// <param name="threads">Threads for the passes over the logits.</param>
    /// <param name="onDevice">Whether logits have a buffer on the teacher's device and come from there; as the device asks by default.</param>
    public TeacherRows(TeachPlan plan, LiveTeacher teacher, int threads, bool? onDevice = null)
    {
        (_plan, _columns) = (plan, teacher.Config.VocabSize);
        long[] shape = [Math.Clamp(ChunkElements / _columns, 64, 512), _columns];
        _logits = zeros(shape).DetachFromDisposeScope();
        _deviceLogits =
            onDevice ?? teacher.Device.type != DeviceType.CPU
                ? zeros(shape, device: teacher.Device).DetachFromDisposeScope()
                : null;
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
        _recordBytes = CacheRecord.LargestBytes(plan);
        if (teacher.ProductType == ScalarType.BFloat16 && _deviceLogits is null && BFloat16Product.IsThere)
        {
            _products = HeadProducts.Create(teacher.ProductType, teacher.Config.HiddenSize, _parallel);
        }
    }

    /// <summary>The records of some samples.</summary>
    /// <param name="labels">The teacher on these samples.</param>
    /// <returns>One byte array a sample.</returns>
    public byte[][] Records(LiveSoftLabels labels, Batch batch)
    {
        int length = batch.SequenceLength;
        int rows = batch.Samples.Count * length;
        long[] targets = batch.Labels([.. Enumerable.Range(0, batch.Samples.Count)]);
        int[] bytes = new int[rows];
        if (_slots.Length < (long)rows * _recordBytes)
        {
            if ((long)rows * _recordBytes > Array.MaxLength)
            {
                throw new ConfigurationException(
                    $"Records of {rows} positions with up to {_recordBytes} bytes do not fit. "
                        + "Use fewer --draws or a smaller --keep."
                );
            }

            _slots = new byte[rows * _recordBytes];
        }

        if (_plan.Mode == CacheMode.Scores && _deviceLogits is not null)
        {
            WriteScores(labels, targets, bytes);
        }
        else
        {
            Visit(labels, WriteOne);
        }

        void WriteOne(int row, float* logits)
        {
            if (targets[row] >= 0)
            {
                SampleKey sample = batch.Samples[row / length];
                bytes[row] = WriteRecord(
                    logits,
                    (int)targets[row],
                    new SampleRandom(_plan.DrawSeed, sample.Domain, sample.Index),
                    row % length,
                    _slots.AsSpan(row * _recordBytes, _recordBytes)
                );
            }
        }

        return
        [
            .. Enumerable
                .Range(0, batch.Samples.Count)
                .Select(sample =>
                {
                    byte[] record = new byte[bytes.AsSpan(sample * length, length).ToArray().Sum()];
                    int at = 0;
                    for (int row = sample * length; row < (sample + 1) * length; row++)
                    {
                        _slots.AsSpan(row * _recordBytes, bytes[row]).CopyTo(record.AsSpan(at));
                        at += bytes[row];
                    }

                    return record;
                }),
        ];
    }

    /// <summary>Hands some positions' distributions to a planner of draws.</summary>
    /// <param name="labels">The teacher on some samples.</param>
    public void Probe(LiveSoftLabels labels, Func<int, bool> isProbe, DrawPlanner planner)
    {
        var order = new Lock();
        Visit(
            labels,
            (row, logits) =>
            {
                if (isProbe(row))
                {
                    Temper(logits, SoftLabelKernel.Maximum(logits, _plan.VocabularySize).Maximum, out _);
                    var weights = new ReadOnlySpan<float>(logits, _plan.VocabularySize);
                    lock (order)
                    {
                        planner.Add(weights, TargetDraws.Total(weights));
                    }
                }
            }
        );
    }

    public void Dispose()
    {
        _logits.Dispose();
        _deviceLogits?.Dispose();
        _products?.Dispose();
    }

    private delegate void RowVisitor(int row, float* logits);

    private void Visit(LiveSoftLabels labels, RowVisitor visit)
    {
        using IDisposable _ = no_grad();
        int chunk = (int)_logits.shape[0];
        int rows = labels.Rows;
        _products?.Begin(labels.HiddenStates.detach(), labels.Head.detach(), backward: false);
        for (int first = 0; first < rows; first += chunk)
        {
            using DisposeScope scope = NewDisposeScope();
            int count = Math.Min(chunk, rows - first);
            int start = first;
            Tensor logits = _logits.narrow(0, 0, count); // [M, V]
            Tensor product = Multiply(labels, first, count);
            if (_deviceLogits is not null)
            {
                logits.copy_(product);
            }

            nint address = TensorAddress.Of(logits);
            var form = new HeadRowForm(_products is null ? null : labels.Form);
            int ranges = Math.Min(count, _parallel.MaxDegreeOfParallelism * 4);
            ParallelRanges.Run(
                ranges,
                _parallel,
                range =>
                {
                    for (
                        int row = (int)((long)count * range / ranges);
                        row < (int)((long)count * (range + 1) / ranges);
                        row++
                    )
                    {
                        float* values = (float*)address + ((long)row * _columns);
                        form.Apply(values, _columns);
                        visit(start + row, values);
                    }
                }
            );
        }
    }

    // [M, V]; of own products without the form, which Visit gives each row.
    private Tensor Multiply(LiveSoftLabels labels, int first, int count)
    {
        Tensor logits = (_deviceLogits ?? _logits).narrow(0, 0, count);
        if (_products is null)
        {
            // Where there are no products of ours the teacher's type is libtorch's to compute in.
            Tensor hidden = labels.HiddenStates.detach().narrow(0, first, count).to(labels.ProductType);
            Tensor head = labels.Head.detach().to(labels.ProductType).t();
            logits =
                labels.ProductType == ScalarType.Float32
                    ? logits.addmm_(hidden, head, 0, 1)
                    : logits.copy_(hidden.mm(head));
            labels.Form?.ApplyTo(logits);
        }
        else
        {
            _products.Logits(first, logits);
        }

        return logits;
    }

    // Scores need two numbers a position, so the logits stay on the device.
    private void WriteScores(LiveSoftLabels labels, long[] targets, int[] bytes)
    {
        using IDisposable _ = no_grad();
        int chunk = (int)_logits.shape[0];
        for (int first = 0; first < targets.Length; first += chunk)
        {
            using DisposeScope scope = NewDisposeScope();
            int count = Math.Min(chunk, targets.Length - first);
            Tensor logits = Multiply(labels, first, count).narrow(1, 0, _plan.VocabularySize);
            Tensor label = logits.gather(
                1,
                tensor(targets.AsSpan(first, count).ToArray()).clamp_min(0).to(logits.device).unsqueeze(1)
            ); // [M, 1]
            float[] nll = (logits.logsumexp(1) - label.squeeze(1)).cpu().data<float>().ToArray();
            long[] larger = logits.gt(label).sum(1).cpu().data<long>().ToArray();
            for (int row = 0; row < count; row++)
            {
                if (targets[first + row] >= 0)
                {
                    byte rank = (byte)Math.Min(larger[row] + 1, CacheRecord.LowestRank);
                    bytes[first + row] = CacheRecord.WriteScore(
                        _slots.AsSpan((first + row) * _recordBytes, _recordBytes),
                        new PositionSummary(nll[row], 0, 0, rank)
                    );
                }
            }
        }
    }

    // Overwrites the logits.
    private int WriteRecord(float* logits, int label, SampleRandom random, int position, Span<byte> to)
    {
        int vocabulary = _plan.VocabularySize;
        RowSums top = SoftLabelKernel.Maximum(logits, vocabulary);
        float labelScore = logits[label] - top.Maximum;
        double lse = Math.Log(SoftLabelKernel.Exponentials(logits, vocabulary, top.Maximum, store: false));
        int larger = CountAbove(logits, vocabulary, logits[label]);
        byte rank = (byte)Math.Min(larger + 1, CacheRecord.LowestRank);
        if (_plan.Mode == CacheMode.Scores)
        {
            return CacheRecord.WriteScore(to, new PositionSummary((float)(lse - labelScore), 0, 0, rank));
        }

        int[] best =
            _plan.Mode == CacheMode.TopK ? Largest(new ReadOnlySpan<float>(logits, vocabulary), _plan.Kept) : [];
        Temper(logits, top.Maximum, out double logSum);
        var weights = new ReadOnlySpan<float>(logits, vocabulary);
        double total = TargetDraws.Total(weights);
        double temperedLse = Math.Log(total);
        var summary = new PositionSummary(
            (float)(lse - labelScore),
            (float)(temperedLse - (labelScore / _plan.Temperature)),
            (float)(temperedLse - (logSum / total)),
            rank
        );
        if (_plan.Mode == CacheMode.TopK)
        {
            Span<float> kept = best.Length <= 512 ? stackalloc float[best.Length] : new float[best.Length];
            for (int i = 0; i < best.Length; i++)
            {
                kept[i] = (float)(weights[best[i]] / total);
            }

            return CacheRecord.WriteTopK(to, _plan, summary, best, kept);
        }

        Span<double> points = stackalloc double[_plan.Draws];
        Span<int> ids = stackalloc int[_plan.Draws];
        Span<byte> counts = stackalloc byte[_plan.Draws];
        TargetDraws.Points(_plan.Sampling, random, position, points);
        int distinct = TargetDraws.Draw(weights, total, points, ids, counts);
        return CacheRecord.WriteSampled(to, _plan, summary, top.MaximumIndex, ids[..distinct], counts[..distinct]);
    }

    // Replaces s_i by e′_i; Σ e′_i·ln e′_i for the entropy.
    private void Temper(float* logits, float maximum, out double logSum)
    {
        int i = 0;
        int count = _plan.VocabularySize;
        int lanes = Vector256<float>.Count;
        float sharpness = (float)(1 / _plan.Temperature);
        Vector256<float> shift = Vector256.Create(maximum);
        Vector256<float> factor = Vector256.Create(sharpness);
        Vector256<float> logs = Vector256<float>.Zero;
        for (; i <= count - lanes; i += lanes)
        {
            Vector256<float> u = (Vector256.Load(logits + i) - shift) * factor;
            Vector256<float> t = Vector256.Exp(u);
            t.Store(logits + i);
            logs += t * u;
        }

        logSum = Vector256.Sum(logs);
        for (; i < count; i++)
        {
            float u = (logits[i] - maximum) * sharpness;
            logits[i] = MathF.Exp(u);
            logSum += logits[i] * u;
        }
    }

    private static int CountAbove(float* logits, int count, float value)
    {
        int i = 0;
        int above = 0;
        int lanes = Vector256<float>.Count;
        Vector256<float> bound = Vector256.Create(value);
        for (; i <= count - lanes; i += lanes)
        {
            above += System.Numerics.BitOperations.PopCount(
                Vector256.GreaterThan(Vector256.Load(logits + i), bound).ExtractMostSignificantBits()
            );
        }

        for (; i < count; i++)
        {
            above += logits[i] > value ? 1 : 0;
        }

        return above;
    }

    // Ids of the k largest, largest first, ties to the lower id.
    private static int[] Largest(ReadOnlySpan<float> logits, int kept)
    {
        var smallest = new PriorityQueue<int, (float Logit, int Order)>(kept + 1);
        for (int id = 0; id < logits.Length; id++)
        {
            if (smallest.Count < kept)
            {
                smallest.Enqueue(id, (logits[id], -id));
            }
            else if (smallest.TryPeek(out _, out (float Logit, int Order) least) && logits[id] > least.Logit)
            {
                smallest.DequeueEnqueue(id, (logits[id], -id));
            }
        }

        int[] ids = new int[smallest.Count];
        for (int i = ids.Length - 1; i >= 0; i--)
        {
            ids[i] = smallest.Dequeue();
        }

        return ids;
    }
}
