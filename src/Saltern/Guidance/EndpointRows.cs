using Saltern.Batches;
using TorchSharp;

namespace Saltern.Guidance;

/// <summary>The records of a teacher pass from a served model's log probabilities, as <see cref="TeacherRows"/> makes them from a model in memory.</summary>
/// <remarks>
/// What k likeliest tokens cannot tell is taken from them: the entropy is that of the k and one outcome for all others, a lower bound; the rank of a token that is none of the k is k + 1.
/// </remarks>
internal sealed class EndpointRows(EndpointTeacher teacher, TeachPlan plan)
{
    /// <summary>The records of some samples.</summary>
    /// <returns>One byte array a sample.</returns>
    /// <exception cref="SalternException">The server does not answer, refuses, or answers otherwise than asked.</exception>
    public byte[][] Records(Batch batch, CancellationToken cancellation)
    {
        int length = batch.SequenceLength;
        int[] all = [.. Enumerable.Range(0, batch.Samples.Count)];
        using torch.Tensor tensor = batch.Inputs(all);
        long[] inputs = tensor.data<long>().ToArray();
        long[] labels = batch.Labels(all);
        ServedScore[][] scores = Score(inputs, labels, length, cancellation);
        byte[] slot = new byte[CacheRecord.LargestBytes(plan)];
        byte[][] records = new byte[all.Length][];
        for (int sample = 0; sample < records.Length; sample++)
        {
            using var record = new MemoryStream();
            for (int position = 0; position < length; position++)
            {
                if (labels[(sample * length) + position] >= 0)
                {
                    record.Write(slot.AsSpan(0, Write(slot, scores[sample][position])));
                }
            }

            records[sample] = record.ToArray();
        }

        return records;
    }

    /// <summary>The served model's losses at every position of a validation set.</summary>
    /// <exception cref="SalternException">As for <see cref="Records"/>.</exception>
    public TeacherLosses Losses(ValidationSet set, CancellationToken cancellation)
    {
        int length = set.SequenceLength;
        int windows = set.WindowDomains.Count;
        int perRequest = Math.Max(1, TeacherPass.PositionsPerForward / length);
        float[] nll = new float[set.Labels.Length];
        for (int first = 0; first < windows; first += perRequest)
        {
            int at = first * length;
            int count = Math.Min(perRequest, windows - first) * length;
            long[] labels = set.Labels[at..(at + count)];
            ServedScore[][] scores = Score(set.Inputs[at..(at + count)], labels, length, cancellation);
            for (int i = 0; i < count; i++)
            {
                if (labels[i] >= 0)
                {
                    nll[at + i] = (float)-scores[i / length][i % length].LogProbability;
                }
            }
        }

        return new TeacherLosses(nll, nll);
    }

    // Of each sequence the inputs and its last label; what stands at position t scores the label of t.
    private ServedScore[][] Score(long[] inputs, long[] labels, int length, CancellationToken cancellation)
    {
        List<int[]> prompts = [];
        for (int start = 0; start < inputs.Length; start += length)
        {
            List<int> prompt = [.. inputs[start..(start + length)].Select(id => (int)id)];
            long last = labels[start + length - 1];
            if (last >= 0)
            {
                prompt.Add((int)last);
            }

            for (int position = 0; position < length - 1; position++)
            {
                long label = labels[start + position];
                if (label >= 0 && label != prompt[position + 1])
                {
                    throw new ConfigurationException(
                        "A sample's targets are not the tokens that follow in it (an objective other than causal): a served model "
                            + "scores those alone. Give --teacher, with the model's folder."
                    );
                }
            }

            prompts.Add([.. prompt]);
        }

        return teacher.Score(prompts, plan.Kept, cancellation);
    }

    private int Write(Span<byte> to, ServedScore score)
    {
        int[] ids = [.. score.Top.Select(one => one.Token)];
        if (ids.Any(id => id >= plan.VocabularySize))
        {
            throw new SalternException(
                $"The served model names the token {ids.Max()}, outside the data set's vocabulary of {plan.VocabularySize}. "
                    + "Prepare the data set with the model's own tokenizer.json."
            );
        }

        float[] probabilities = [.. score.Top.Select(one => (float)Math.Exp(one.LogProbability))];
        double tail = Math.Max(0, 1 - probabilities.Sum(one => (double)one));
        double entropy = score.Top.Sum(one => -Math.Exp(one.LogProbability) * one.LogProbability);
        if (tail > 0)
        {
            entropy -= tail * Math.Log(tail);
        }

        int larger = score.Top.Count(one => one.LogProbability > score.LogProbability);
        float nll = (float)-score.LogProbability;
        var summary = new PositionSummary(nll, nll, (float)entropy, (byte)Math.Min(larger + 1, CacheRecord.LowestRank));
        return CacheRecord.WriteTopK(to, plan, summary, ids, probabilities);
    }
}
