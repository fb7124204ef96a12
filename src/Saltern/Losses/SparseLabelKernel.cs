// One row whose soft labels are a few token ids (docs/method.md, "Soft labels on disk"). z = student logits, 𝒦 = the ids, q̂ = their shares;
// tail = everything outside 𝒦: p_tail = Σ of p there, q_tail = 1 − Σ q̂.
namespace Saltern.Losses;

/// <summary>Loss and gradient of one position against sparse soft labels; the label's own part of the gradient is left to the caller.</summary>
internal static unsafe class SparseLabelKernel
{
    /// <summary>Fills the row's losses and, where asked for, replaces z by scale·(p − ω·q̂), the tail spread as the student spreads it.</summary>
    /// <param name="row">Row of the micro-batch.</param>
    /// <param name="top">Maximum of z and where it is.</param>
    /// <param name="scale">1/n; 0 without gradients.</param>
    public static void Run(
        LossRequest request,
        SparseSoftLabels sparse,
        PositionLosses losses,
        int row,
        float* z,
        int vocabulary,
        RowSums top,
        float scale
    )
    {
        int first = sparse.Starts[row];
        int count = sparse.Starts[row + 1] - first;
        ReadOnlySpan<int> ids = sparse.Ids.AsSpan(first, count);
        ReadOnlySpan<float> shares = sparse.Probabilities.AsSpan(first, count);
        float[]? rented = count > 256 ? new float[count] : null;
        Span<float> scores = rented ?? stackalloc float[count]; // z_i of 𝒦, before the exponentials overwrite them
        for (int i = 0; i < count; i++)
        {
            scores[i] = z[ids[i]];
        }

        double crossEntropy;
        double lse;
        float labelLogit = z[(int)request.Labels[row]];
        double gate = request.Gate.Factor(sparse.TopProbability?[row] ?? 0, sparse.Entropy[row], sparse.Nll[row]);
        double omega = request.OmegaOf(row, gate);
        if (sparse.HasTail)
        {
            lse = RunWithTail(z, vocabulary, ids, shares, scores, top.Maximum, omega, scale, out crossEntropy);
        }
        else
        {
            float sum = SoftLabelKernel.Exponentials(z, vocabulary, top.Maximum, store: scale != 0);
            lse = top.Maximum + Math.Log(sum);
            double inner = 0;
            double mass = 0;
            for (int i = 0; i < count; i++)
            {
                inner += (double)shares[i] * scores[i];
                mass += shares[i];
            }

            crossEntropy = (mass * lse) - inner;
            if (scale != 0)
            {
                SoftLabelKernel.Scale(z, vocabulary, scale / sum);
                if (omega != 0)
                {
                    Subtract(z, ids, shares, (float)(scale * omega));
                }
            }
        }

        double nll = lse - labelLogit;
        losses.Omega[row] = (float)omega;
        losses.Gate[row] = (float)gate;
        losses.StudentNll[row] = (float)nll;
        losses.Confidence[row] = (float)Math.Exp(top.Maximum - lse);
        losses.CrossEntropyToTeacher[row] = (float)crossEntropy;
        losses.Loss[row] = (float)(((1.0 - omega) * nll) + (omega * crossEntropy));
        losses.TeacherNll[row] = sparse.Nll[row];
        losses.TeacherNllTempered[row] = sparse.NllTempered[row];
        losses.TeacherEntropy[row] = sparse.Entropy[row];
        losses.Agrees[row] = count > 0 && top.MaximumIndex == ids[0];
    }

    // KD loss −Σ_𝒦 q̂_v ln p_v − q_tail·ln p_tail with p_tail by its own log-sum-exp, since 1 − Σ_𝒦 p_v would cancel. Returns the log-sum-exp of all logits.
    private static double RunWithTail(
        float* z,
        int vocabulary,
        ReadOnlySpan<int> ids,
        ReadOnlySpan<float> shares,
        ReadOnlySpan<float> scores,
        float maximum,
        double omega,
        float scale,
        out double crossEntropy
    )
    {
        double kept = 0;
        double inner = 0;
        double mass = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            z[ids[i]] = float.NegativeInfinity; // out of the passes below, and 0 after them
            kept += Math.Exp((double)scores[i] - maximum);
            inner += (double)shares[i] * scores[i];
            mass += shares[i];
        }

        float restMaximum = SoftLabelKernel.Maximum(z, vocabulary).Maximum;
        bool hasRest = ids.Length < vocabulary && !float.IsNegativeInfinity(restMaximum);
        float restSum = 0;
        if (hasRest)
        {
            restSum = SoftLabelKernel.Exponentials(z, vocabulary, restMaximum, store: scale != 0);
        }

        double tail = Math.Max(0.0, 1.0 - mass);
        double lse = maximum + Math.Log(kept + (restSum * Math.Exp((double)restMaximum - maximum)));
        double restLse = restMaximum + Math.Log(restSum);
        crossEntropy = (mass * lse) - inner + (hasRest ? tail * (lse - restLse) : 0.0);
        if (scale != 0)
        {
            // Outside 𝒦: p_v − ω·q_tail·p_v/p_tail, one factor for all of them.
            SoftLabelKernel.Scale(
                z,
                vocabulary,
                hasRest ? (float)(scale * (Math.Exp(restMaximum - lse) - (omega * tail / restSum))) : 0f
            );
            for (int i = 0; i < ids.Length; i++)
            {
                z[ids[i]] = (float)(scale * Math.Exp(scores[i] - lse));
            }

            if (omega != 0)
            {
                Subtract(z, ids, shares, (float)(scale * omega));
            }
        }

        return lse;
    }

    private static void Subtract(float* z, ReadOnlySpan<int> ids, ReadOnlySpan<float> shares, float factor)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            z[ids[i]] -= factor * shares[i];
        }
    }
}
