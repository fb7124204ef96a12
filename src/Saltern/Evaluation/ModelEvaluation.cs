using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Evaluation;

/// <summary>A model's loss, perplexity, accuracy and bits per byte on fixed text.</summary>
internal static class ModelEvaluation
{
    // Positions of one forward pass: enough for full speed, little enough to stay below a training step's memory.
    private const int PositionsPerBatch = 4_096;

    /// <summary>UTF-8 bytes that each token id stands for; 0 for special tokens.</summary>
    public static int[] TokenBytes(BpeTokenizer tokenizer) =>
        [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.ByteLength)];

    /// <summary>Runs the model over every window of a set.</summary>
    /// <param name="model">Any decoder whose vocabulary is the set's.</param>
    /// <param name="head">Loss head made for the model's vocabulary.</param>
    /// <param name="set">Windows, the same for every model that is compared.</param>
    /// <param name="tokenBytes">UTF-8 bytes that each token id stands for; 0 for special tokens, which are left out of bits per byte.</param>
    /// <param name="domainCount">Domains of the data set.</param>
    /// <param name="ranks">Ranks with the same model, which share the batches out; null for one process. All get the whole result, the same bits as one process with as many threads.</param>
    public static EvaluationResult Run(
        Transformer model,
        LossHead head,
        ValidationSet set,
        ReadOnlySpan<int> tokenBytes,
        int domainCount,
        ICommunicator? ranks = null
    )
    {
        PositionScore[] scores = Score(model, head, set, ranks ?? new SingleProcess());
        var total = new EvaluationPart();
        var domains = new EvaluationPart?[domainCount];
        float[] nll = new float[scores.Length];
        var losses = new PositionLosses(set.SequenceLength);
        for (int window = 0; window < set.WindowDomains.Count; window++)
        {
            int first = window * set.SequenceLength;
            for (int i = 0; i < set.SequenceLength; i++)
            {
                PositionScore score = scores[first + i];
                (losses.Counted[i], losses.Correct[i], losses.Loss[i], losses.StudentNll[i], losses.Confidence[i]) = (
                    score.IsCounted,
                    score.IsCorrect,
                    score.Nll,
                    score.Nll,
                    score.Confidence
                );
                nll[first + i] = score.Nll;
            }

            ReadOnlySpan<long> labels = set.Labels.AsSpan(first, set.SequenceLength);
            EvaluationPart domain = domains[set.WindowDomains[window]] ??= new EvaluationPart();
            Add(domain, losses, labels, tokenBytes);
            Add(total, losses, labels, tokenBytes);
        }

        return new EvaluationResult(
            total,
            domains,
            [.. set.Documents.Select(document => (document, DocumentNll(document, nll)))],
            nll
        );
    }

    // Each of R ranks takes every R-th batch. Batches are the same for any R, and sums are made afterwards, in the order of the set.
    private static PositionScore[] Score(Transformer model, LossHead head, ValidationSet set, ICommunicator ranks)
    {
        using IDisposable _ = no_grad();
        int length = set.SequenceLength;
        int windows = set.WindowDomains.Count;
        int perBatch = Math.Max(1, PositionsPerBatch / length);
        var scores = new PositionScore[set.Labels.Length];
        var losses = new PositionLosses(perBatch * length);
        for (int first = perBatch * ranks.Rank; first < windows; first += perBatch * ranks.Size)
        {
            using DisposeScope scope = NewDisposeScope();
            int count = Math.Min(perBatch, windows - first);
            Tensor tokens = tensor(set.Inputs.AsSpan(first * length, count * length).ToArray(), count, length)
                .to(model.Parameters.Device);
            long[] labels = set.Labels[(first * length)..((first + count) * length)];
            head.Evaluate(
                new LossRequest
                {
                    HiddenStates = model.HiddenStates(tokens, Ranges(set, first, count)),
                    Head = model.Head,
                    Form = model.HeadForm,
                    Labels = labels,
                },
                losses
            );
            for (int i = 0; i < count * length; i++)
            {
                scores[(first * length) + i] = losses.Counted[i]
                    ? new PositionScore(losses.StudentNll[i], losses.Confidence[i], IsCounted: true, losses.Correct[i])
                    : default;
            }
        }

        ranks.Exchange<PositionScore>(
            scores,
            [.. Enumerable.Range(0, windows).Select(window => window / perBatch % ranks.Size)],
            length
        );
        return scores;
    }

    private static AttentionRanges? Ranges(ValidationSet set, int first, int count)
    {
        int from = first * set.SequenceLength;
        int to = (first + count) * set.SequenceLength;
        if (set.Ranges is ({ } start, { } end))
        {
            return new AttentionRanges(start[from..to], end[from..to], set.SequenceLength);
        }

        return null;
    }

    private static void Add(
        EvaluationPart part,
        PositionLosses losses,
        ReadOnlySpan<long> labels,
        ReadOnlySpan<int> tokenBytes
    )
    {
        part.Sums.Add(losses, 0, labels.Length);
        for (int row = 0; row < labels.Length; row++)
        {
            if (!losses.Counted[row])
            {
                continue;
            }

            part.Calibration.Add(losses.Confidence[row], losses.Correct[row]);
            if (tokenBytes[(int)labels[row]] is > 0 and int bytes)
            {
                part.TextNll += losses.StudentNll[row];
                part.TextBytes += bytes;
            }
        }
    }

    private static double DocumentNll(ValidationDocument document, float[] nll)
    {
        double sum = 0;
        foreach (float value in nll.AsSpan((int)document.FirstTarget, document.Positions))
        {
            sum += value;
        }

        return sum;
    }

    private readonly record struct PositionScore(float Nll, float Confidence, bool IsCounted, bool IsCorrect);
}
