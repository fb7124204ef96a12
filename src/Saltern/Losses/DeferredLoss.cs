// TensorLossHead without reading anything: what it makes of a micro-batch stays on the device, sums included. N = positions, D = hidden size, V = vocabulary, M = rows of a chunk.
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>The loss of a step whose figures are read later: same chunks and same p − m as <see cref="TensorLossHead"/>, ω as a tensor, no gate, no sparse labels.</summary>
/// <param name="vocabulary">Real token ids.</param>
/// <param name="chunkRows">M.</param>
/// <param name="productType">Type of the products with the head.</param>
internal sealed class DeferredLoss(int vocabulary, int chunkRows, ScalarType productType)
{
    /// <summary>Sums that are kept, in the order of <see cref="LossSums.ToValues"/>.</summary>
    public const int SumCount = 13;

    /// <summary>Adds the micro-batch's sums, and makes ∂ℒ/∂hidden and, added to what is there, ∂ℒ/∂head.</summary>
    /// <param name="hidden">[N, D].</param>
    /// <param name="head">[V or more, D], without biases and cap.</param>
    /// <param name="labels">y, [N], int64; negative where a position does not count.</param>
    /// <param name="omega">ω of every position, a float32 scalar; not read without a teacher.</param>
    /// <param name="teacher">Soft labels of every position; null for none.</param>
    /// <param name="divisor">n, counted positions.</param>
    /// <param name="sums">[<see cref="SumCount"/>], float64, added to.</param>
    /// <param name="hiddenGradient">[N, D], overwritten.</param>
    /// <param name="headGradient">[V or more, D], added to.</param>
    public void Train(
        Tensor hidden,
        Tensor head,
        Tensor labels,
        Tensor omega,
        LiveSoftLabels? teacher,
        long divisor,
        Tensor sums,
        Tensor hiddenGradient,
        Tensor headGradient
    )
    {
        using IDisposable _ = no_grad();
        using DisposeScope whole = NewDisposeScope();
        Tensor operand = head.detach().to(productType);
        Tensor? taughtOperand = teacher?.Head.detach().to(teacher.ProductType);
        long count = labels.shape[0];
        for (long first = 0; first < count; first += chunkRows)
        {
            using DisposeScope scope = NewDisposeScope();
            long rows = Math.Min(chunkRows, count - first);
            Tensor read = hidden.detach().narrow(0, first, rows).to(productType); // [M, D]
            Tensor chunkLabels = labels.narrow(0, first, rows); // [M]
            Tensor counted = chunkLabels.ge(0).to(ScalarType.Float32);
            Tensor targets = chunkLabels.clamp_min(0).unsqueeze(1); // [M, 1]
            Tensor logits = read.mm(operand.t()).to(ScalarType.Float32).narrow(1, 0, vocabulary);
            Tensor logProbs = nn.functional.log_softmax(logits, 1); // [M, V]
            Tensor nll = logProbs.gather(1, targets).squeeze(1).neg();
            Tensor best = logProbs.argmax(1);
            Tensor correct = best.eq(chunkLabels).to(ScalarType.Float32);
            Tensor gradient = logProbs.exp();
            Tensor loss = nll;
            Tensor[] figures = [counted, nll, nll, correct];
            if (teacher is not null)
            {
                Tensor s = teacher.HiddenStates.detach().narrow(0, first, rows).to(teacher.ProductType);
                s = s.mm(taughtOperand!.t()).narrow(1, 0, vocabulary).to(ScalarType.Float32);
                Tensor plain = nn.functional.log_softmax(s, 1);
                Tensor tempered = nn.functional.log_softmax(s / teacher.Temperature, 1);
                Tensor q = tempered.exp();
                Tensor crossEntropy = (q * logProbs).sum(1L).neg();
                Tensor teacherNll = plain.gather(1, targets).squeeze(1).neg();
                Tensor temperedNll = tempered.gather(1, targets).squeeze(1).neg();
                Tensor left = 1 - omega;
                loss = (left * nll) + (omega * crossEntropy);

                // −ln((1 − ω)·q(y) + ω·q_τ(y)), as LossSums.Reference has it.
                Tensor least = minimum(teacherNll, temperedNll);
                Tensor mixed = (left * (least - teacherNll).exp()) + (omega * (least - temperedNll).exp());
                figures =
                [
                    counted,
                    loss,
                    nll,
                    correct,
                    omega.expand(rows),
                    teacherNll,
                    temperedNll,
                    crossEntropy,
                    (q * tempered).sum(1L).neg(),
                    plain.argmax(1).eq(best).to(ScalarType.Float32),
                    nll - (least - mixed.log()),
                ];
                gradient.scatter_add_(1, targets, omega.expand(rows, 1) - 1);
                gradient.sub_(omega * q);
            }
            else
            {
                gradient.scatter_add_(1, targets, full(rows, 1, -1f, device: hidden.device));
            }

            AddSums(sums, figures, counted);
            gradient = (gradient * (counted.unsqueeze(1) * (1f / divisor))).to(productType);
            hiddenGradient.narrow(0, first, rows).copy_(gradient.mm(operand.narrow(0, 0, vocabulary)));
            headGradient.narrow(0, 0, vocabulary).add_(gradient.t().mm(read));
        }
    }

    // figures: counted, loss, nll, correct and, with a teacher, ω and what is known of it; [M] each.
    private static void AddSums(Tensor sums, Tensor[] figures, Tensor counted)
    {
        // Filled, not multiplied: a position that does not count may hold what is no number.
        Tensor wide = stack(figures).to(ScalarType.Float64); // [figures, M]
        Tensor found = wide.masked_fill_(counted.eq(0), 0).sum(1L);
        if (figures.Length == 4)
        {
            // Positions; none with a teacher; loss, nll, correct; nothing of a teacher.
            sums.narrow(0, 0, 1).add_(found.narrow(0, 0, 1));
            sums.narrow(0, 2, 3).add_(found.narrow(0, 1, 3));
            return;
        }

        Tensor positions = found.narrow(0, 0, 1);
        sums.add_(cat([positions, positions, found.narrow(0, 1, figures.Length - 1), positions])); // the gate is open: Σ h_t = n
    }
}
