using Saltern.Data;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Evaluation;

/// <summary>A model's loss, perplexity, accuracy and bits per byte on fixed text.</summary>
public static class ModelEvaluation
{
    // Positions of one forward pass: enough for full speed, little enough to stay below a training step's memory.
    private const int PositionsPerBatch = 4_096;

    /// <summary>UTF-8 bytes that each token id stands for; 0 for special tokens.</summary>
    public static int[] TokenBytes(BpeTokenizer tokenizer) => [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.ByteLength)];

    /// <summary>Runs the model over every window of a set.</summary>
    /// <param name="model">Any decoder whose vocabulary is the set's.</param>
    /// <param name="head">Loss head made for the model's vocabulary.</param>
    /// <param name="set">Windows, the same for every model that is compared.</param>
    /// <param name="tokenBytes">UTF-8 bytes that each token id stands for; 0 for special tokens, which are left out of bits per byte.</param>
    /// <param name="domainCount">Domains of the data set.</param>
    public static EvaluationResult Run(Transformer model, LossHead head, ValidationSet set, ReadOnlySpan<int> tokenBytes, int domainCount)
    {
        using IDisposable _ = no_grad();
        int length = set.SequenceLength, windows = set.WindowDomains.Count, perBatch = Math.Max(1, PositionsPerBatch / length);
        var total = new EvaluationPart();
        var domains = new EvaluationPart?[domainCount];
        float[] nll = new float[set.Labels.Length];
        var losses = new PositionLosses(perBatch * length);
        for (int first = 0; first < windows; first += perBatch)
        {
            using DisposeScope scope = NewDisposeScope();
            int count = Math.Min(perBatch, windows - first);
            Tensor tokens = tensor(set.Inputs.AsSpan(first * length, count * length).ToArray(), count, length).to(model.Parameters.Device);
            long[] labels = set.Labels[(first * length)..((first + count) * length)];
            head.Evaluate(new LossRequest { HiddenStates = model.HiddenStates(tokens, Ranges(set, first, count)), Head = model.Head, Labels = labels }, losses);
            for (int window = 0; window < count; window++)
            {
                EvaluationPart domain = domains[set.WindowDomains[first + window]] ??= new EvaluationPart();
                Add(domain, losses, labels, tokenBytes, window * length, length);
                Add(total, losses, labels, tokenBytes, window * length, length);
            }

            for (int i = 0; i < count * length; i++)
            {
                nll[(first * length) + i] = losses.Counted[i] ? losses.StudentNll[i] : 0;
            }
        }

        return new EvaluationResult(total, domains, [.. set.Documents.Select(document => (document, DocumentNll(document, nll)))], nll);
    }

    private static AttentionRanges? Ranges(ValidationSet set, int first, int count)
    {
        int from = first * set.SequenceLength, to = (first + count) * set.SequenceLength;
        return set.Ranges is ({ } start, { } end) ? new AttentionRanges(start[from..to], end[from..to], set.SequenceLength) : null;
    }

    private static void Add(EvaluationPart part, PositionLosses losses, long[] labels, ReadOnlySpan<int> tokenBytes, int firstRow, int rowCount)
    {
        part.Sums.Add(losses, firstRow, rowCount);
        for (int row = firstRow; row < firstRow + rowCount; row++)
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
}
