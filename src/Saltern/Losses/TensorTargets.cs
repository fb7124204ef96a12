using System.Diagnostics;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>Soft labels of one chunk as tensors: the target that is subtracted from p, and what is logged of the teacher.</summary>
/// <param name="Target">q_τ or its estimate, [rows, V]; for a tail outcome already spread as the student spreads it.</param>
/// <param name="CrossEntropy">−Σ target·ln p, [rows].</param>
/// <param name="Nll">−ln q(y) at τ = 1, [rows].</param>
/// <param name="Agrees">Whether the student's most likely token is the teacher's: not 0, [rows].</param>
/// <param name="Shares">ω_t and h_t of each row.</param>
internal sealed record TensorTargets(
    Tensor Target,
    float[] CrossEntropy,
    float[] Nll,
    float[] NllTempered,
    float[] Entropy,
    float[] Agrees,
    (float Omega, float Gate)[] Shares
)
{
    /// <summary>Soft labels of the chunk's taught rows.</summary>
    /// <param name="student">What the student says of the taught rows.</param>
    /// <param name="products">Type of the student's products.</param>
    public static TensorTargets Of(
        LossRequest request,
        SoftLabels teacher,
        LossChunk chunk,
        StudentRows student,
        ScalarType products
    ) =>
        teacher switch
        {
            SparseSoftLabels sparse => OfSparse(request, sparse, chunk, student),
            LiveSoftLabels live => OfLogits(request, chunk, student, LogitsOf(live, chunk, TypeOf(live, products))),
            DenseSoftLabels dense => OfLogits(
                request,
                chunk,
                student,
                dense.Logits.detach().narrow(0, chunk.First, chunk.Taught)
            ),
            _ => throw new UnreachableException(
                $"{teacher.GetType()} is no kind of soft labels that this loss head knows."
            ),
        };

    // A teacher's products have its own type, unless all is exact.
    private static ScalarType TypeOf(LiveSoftLabels teacher, ScalarType products) =>
        products == ScalarType.Float64 ? products : teacher.ProductType;

    private static Tensor LogitsOf(LiveSoftLabels live, LossChunk chunk, ScalarType type)
    {
        Tensor hidden = live.HiddenStates.detach().narrow(0, chunk.First, chunk.Taught).to(type);
        Tensor logits = hidden.mm(live.Head.detach().to(type).t());
        live.Form?.ApplyTo(logits);
        return logits;
    }

    // From the teacher's logits of the taught rows, [rows, V or more].
    private static TensorTargets OfLogits(LossRequest request, LossChunk chunk, StudentRows student, Tensor logits)
    {
        (Tensor logProbs, Tensor targets, Tensor studentBest) = student;
        logits = logits.narrow(1, 0, student.Vocabulary).to(logProbs.dtype).to(logProbs.device);
        Tensor plain = nn.functional.log_softmax(logits, 1);
        Tensor tempered = nn.functional.log_softmax(logits / request.Temperature, 1); // [rows, V]
        Tensor q = tempered.exp();
        float[][] known = HostRows.Read(
            (q * logProbs).sum(1L).neg(),
            plain.gather(1, targets).squeeze(1).neg(),
            tempered.gather(1, targets).squeeze(1).neg(),
            (q * tempered).sum(1L).neg(),
            plain.argmax(1).eq(studentBest),
            plain.amax([1L]).exp(),
            (plain.exp() * plain).sum(1L).neg()
        );
        return new TensorTargets(
            q,
            known[0],
            known[1],
            known[2],
            known[3],
            known[4],
            Weigh(request, chunk, i => request.Gate.Factor(known[5][i], known[6][i], known[1][i]))
        );
    }

    /// <summary>Writes what is known of the rows.</summary>
    /// <param name="losses">Receives the losses; holds −ln p(y) already.</param>
    public void Record(PositionLosses losses, LossChunk chunk)
    {
        for (int i = 0; i < chunk.Taught; i++)
        {
            int row = chunk.First + i;
            if (!losses.Counted[row])
            {
                continue;
            }

            (float omega, losses.Gate[row]) = Shares[i];
            losses.Omega[row] = omega;
            losses.HasTeacher[row] = true;
            losses.CrossEntropyToTeacher[row] = CrossEntropy[i];
            losses.TeacherNll[row] = Nll[i];
            losses.TeacherNllTempered[row] = NllTempered[i];
            losses.TeacherEntropy[row] = Entropy[i];
            losses.Agrees[row] = Agrees[i] != 0;
            losses.Loss[row] = ((1f - omega) * losses.StudentNll[row]) + (omega * CrossEntropy[i]);
        }
    }

    private static TensorTargets OfSparse(
        LossRequest request,
        SparseSoftLabels sparse,
        LossChunk chunk,
        StudentRows student
    )
    {
        (Tensor logProbs, _, Tensor studentBest) = student;
        int vocabulary = student.Vocabulary;
        Device device = logProbs.device;
        int rows = chunk.Taught;
        int start = sparse.Starts[chunk.First];
        int count = sparse.Starts[chunk.First + rows] - start;
        long[] at = new long[count];
        long[] best = new long[rows];
        for (int i = 0; i < rows; i++)
        {
            int from = sparse.Starts[chunk.First + i];
            int to = sparse.Starts[chunk.First + i + 1];
            best[i] = to > from ? sparse.Ids[from] : -1;
            for (int entry = from; entry < to; entry++)
            {
                at[entry - start] = ((long)i * vocabulary) + sparse.Ids[entry];
            }
        }

        Tensor places = tensor(at).to(device);
        Tensor shares = tensor(sparse.Probabilities.AsSpan(start, count).ToArray()).to(logProbs.dtype).to(device);
        Tensor target = zeros(rows, vocabulary, logProbs.dtype, device);
        target.view(-1).scatter_(0, places, shares);
        Tensor crossEntropy = (target * logProbs).sum(1L).neg(); // [rows]
        if (sparse.HasTail)
        {
            Tensor kept = zeros(rows, vocabulary, ScalarType.Bool, device);
            kept.view(-1).scatter_(0, places, ones_like(places).to(ScalarType.Bool));
            Tensor tail = (1 - target.sum(1L, keepdim: true)).clamp_min(0); // [rows, 1]
            Tensor rest = logProbs.masked_fill(kept, double.NegativeInfinity);
            Tensor logMass = rest.logsumexp(1, keepdim: true); // ln p_tail, [rows, 1]
            Tensor spread = (rest - logMass).exp().nan_to_num(0); // all kept: no rest to spread over
            target = target + (tail * spread);
            crossEntropy = crossEntropy - (tail * logMass.masked_fill(logMass.isinf(), 0)).squeeze(1);
        }

        float[][] known = HostRows.Read(crossEntropy, tensor(best).to(device).eq(studentBest));
        float[] Slice(float[] values) => values.AsSpan(chunk.First, rows).ToArray();
        return new TensorTargets(
            target,
            known[0],
            Slice(sparse.Nll),
            Slice(sparse.NllTempered),
            Slice(sparse.Entropy),
            known[1],
            Weigh(
                request,
                chunk,
                i =>
                    request.Gate.Factor(
                        sparse.TopProbability?[chunk.First + i] ?? 0,
                        sparse.Entropy[chunk.First + i],
                        sparse.Nll[chunk.First + i]
                    )
            )
        );
    }

    private static (float Omega, float Gate)[] Weigh(LossRequest request, LossChunk chunk, Func<int, double> gate) =>
        [
            .. Enumerable
                .Range(0, chunk.Taught)
                .Select(i =>
                {
                    double h = gate(i);
                    return ((float)request.OmegaOf(chunk.First + i, h), (float)h);
                }),
        ];
}

/// <summary>What the student says of some rows.</summary>
/// <param name="LogProbs">ln p, [rows, V].</param>
/// <param name="Targets">y, [rows, 1]; 0 where not counted.</param>
internal readonly record struct StudentRows(Tensor LogProbs, Tensor Targets, Tensor Best)
{
    /// <summary>V.</summary>
    public int Vocabulary => (int)LogProbs.shape[1];
}
