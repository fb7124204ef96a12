using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>Soft labels of one chunk as tensors: the target that is subtracted from p, and what is logged of the teacher.</summary>
/// <param name="Target">q_τ or its estimate, [rows, V]; for a tail outcome already spread as the student spreads it.</param>
/// <param name="CrossEntropy">−Σ target·ln p, [rows].</param>
/// <param name="Nll">−ln q(y) at τ = 1, [rows].</param>
/// <param name="NllTempered">−ln q_τ(y), [rows].</param>
/// <param name="Entropy">H(q_τ), [rows].</param>
/// <param name="Best">argmax q, [rows], int64.</param>
/// <param name="Weights">ω_t and h_t of each row.</param>
internal sealed record TensorTargets(Tensor Target, Tensor CrossEntropy, Tensor Nll, Tensor NllTempered, Tensor Entropy, Tensor Best, (float Weight, float Gate)[] Weights)
{
    /// <summary>Soft labels of the chunk's taught rows.</summary>
    /// <param name="request">The micro-batch.</param>
    /// <param name="chunk">Which rows.</param>
    /// <param name="logProbs">ln p of the taught rows, [rows, V].</param>
    /// <param name="targets">y, [rows, 1]; 0 where not counted.</param>
    /// <param name="vocabulary">V.</param>
    /// <param name="products">Type of the product with a live teacher's head.</param>
    public static TensorTargets Of(LossRequest request, LossChunk chunk, Tensor logProbs, Tensor targets, int vocabulary, ScalarType products)
    {
        if (request.Teacher is SparseSoftLabels sparse)
        {
            return OfSparse(request, sparse, chunk, logProbs, vocabulary);
        }

        Tensor logits = request.Teacher is LiveSoftLabels live
            ? live.HiddenStates.detach().narrow(0, chunk.First, chunk.Taught).to(products).mm(live.Head.detach().to(products).t())
            : ((DenseSoftLabels)request.Teacher!).Logits.detach().narrow(0, chunk.First, chunk.Taught);
        logits = logits.narrow(1, 0, vocabulary).to(logProbs.dtype).to(logProbs.device);
        Tensor plain = nn.functional.log_softmax(logits, 1), tempered = nn.functional.log_softmax(logits / request.Teacher.Temperature, 1); // [rows, V]
        Tensor q = tempered.exp(), nll = plain.gather(1, targets).squeeze(1).neg();
        float[] top = Floats(plain.amax([1L]).exp()), plainEntropy = Floats((plain.exp() * plain).sum(1L).neg()), plainNll = Floats(nll);
        return new TensorTargets(q, (q * logProbs).sum(1L).neg(), nll, tempered.gather(1, targets).squeeze(1).neg(), (q * tempered).sum(1L).neg(), plain.argmax(1),
            Weigh(request, chunk, i => request.Gate.Factor(top[i], plainEntropy[i], plainNll[i])));
    }

    /// <summary>Writes what is known of the rows.</summary>
    /// <param name="losses">Receives the losses; holds −ln p(y) already.</param>
    /// <param name="chunk">Which rows.</param>
    /// <param name="studentBest">argmax p, [rows].</param>
    public void Record(PositionLosses losses, LossChunk chunk, Tensor studentBest)
    {
        float[] crossEntropy = Floats(CrossEntropy), nll = Floats(Nll), tempered = Floats(NllTempered), entropy = Floats(Entropy);
        bool[] agrees = studentBest.eq(Best).cpu().data<bool>().ToArray();
        for (int i = 0, row = chunk.First; i < chunk.Taught; i++, row++)
        {
            if (!losses.Counted[row])
            {
                continue;
            }

            (losses.Weight[row], losses.Gate[row]) = Weights[i];
            losses.HasTeacher[row] = true;
            losses.CrossEntropyToTeacher[row] = crossEntropy[i];
            losses.TeacherNll[row] = nll[i];
            losses.TeacherNllTempered[row] = tempered[i];
            losses.TeacherEntropy[row] = entropy[i];
            losses.Agrees[row] = agrees[i];
            losses.Loss[row] = ((1f - Weights[i].Weight) * losses.StudentNll[row]) + (Weights[i].Weight * crossEntropy[i]);
        }
    }

    private static TensorTargets OfSparse(LossRequest request, SparseSoftLabels sparse, LossChunk chunk, Tensor logProbs, int vocabulary)
    {
        Device device = logProbs.device;
        int rows = chunk.Taught, start = sparse.Starts[chunk.First], count = sparse.Starts[chunk.First + rows] - start;
        long[] at = new long[count], best = new long[rows];
        for (int i = 0; i < rows; i++)
        {
            int from = sparse.Starts[chunk.First + i], to = sparse.Starts[chunk.First + i + 1];
            best[i] = to > from ? sparse.Ids[from] : -1;
            for (int entry = from; entry < to; entry++)
            {
                at[entry - start] = ((long)i * vocabulary) + sparse.Ids[entry];
            }
        }

        Tensor places = tensor(at).to(device), shares = tensor(sparse.Probabilities.AsSpan(start, count).ToArray()).to(logProbs.dtype).to(device);
        Tensor target = zeros(rows, vocabulary, logProbs.dtype, device);
        target.view(-1).scatter_(0, places, shares);
        Tensor crossEntropy = (target * logProbs).sum(1L).neg();                                         // [rows]
        if (sparse.HasTail)
        {
            Tensor kept = zeros(rows, vocabulary, ScalarType.Bool, device);
            kept.view(-1).scatter_(0, places, ones_like(places).to(ScalarType.Bool));
            Tensor tail = (1 - target.sum(1L, keepdim: true)).clamp_min(0);                               // [rows, 1]
            Tensor rest = logProbs.masked_fill(kept, double.NegativeInfinity);
            Tensor logMass = rest.logsumexp(1, keepdim: true);                                            // ln P, [rows, 1]
            Tensor spread = (rest - logMass).exp().nan_to_num(0);                                         // all kept: no rest to spread over
            target = target + (tail * spread);
            crossEntropy = crossEntropy - (tail * logMass.masked_fill(logMass.isinf(), 0)).squeeze(1);
        }

        Tensor Slice(float[] values) => tensor(values.AsSpan(chunk.First, rows).ToArray()).to(logProbs.dtype).to(device);
        return new TensorTargets(target, crossEntropy, Slice(sparse.Nll), Slice(sparse.NllTempered), Slice(sparse.Entropy), tensor(best).to(device),
            Weigh(request, chunk, i => request.Gate.Factor(sparse.TopProbability?[chunk.First + i] ?? 0, sparse.Entropy[chunk.First + i], sparse.Nll[chunk.First + i])));
    }

    private static (float Weight, float Gate)[] Weigh(LossRequest request, LossChunk chunk, Func<int, double> gate) => [.. Enumerable.Range(0, chunk.Taught).Select(i =>
    {
        double h = gate(i);
        return ((float)request.WeightOf(chunk.First + i, h), (float)h);
    })];

    private static float[] Floats(Tensor values) => values.to(ScalarType.Float32).cpu().data<float>().ToArray();
}
