using Saltern.Batches;
using Saltern.Models;
using Saltern.Numerics;

namespace Saltern.Guidance;

/// <summary>The samples of one step in the teacher's tokens, and which positions of the student have one of them to align with.</summary>
internal sealed class AlignedBatch
{
    private readonly AlignedSample[] _samples;
    private readonly int _endOfText;
    private readonly bool _masksDocuments;

    /// <summary>Aligns all samples of a batch, shared out over threads.</summary>
    /// <param name="endOfText">The teacher's end-of-text id, which fills shorter rows up.</param>
    /// <param name="masksDocuments">Whether the teacher sees one document at a time.</param>
    public AlignedBatch(
        Batch batch,
        TextAlignment alignment,
        int endOfText,
        bool masksDocuments,
        ParallelOptions workers
    )
    {
        (_samples, _endOfText, _masksDocuments) = (new AlignedSample[batch.Samples.Count], endOfText, masksDocuments);
        ParallelRanges.Run(
            _samples.Length,
            workers,
            row =>
            {
                AlignedSample sample = alignment.Align(batch.InputIds(row));
                long[] labels = batch.Labels([row]);
                for (int t = 0; t < labels.Length; t++)
                {
                    sample.TeacherIndex[t] = labels[t] < 0 ? AlignedSample.None : sample.TeacherIndex[t];
                }

                _samples[row] = sample;
            }
        );
        Positions = _samples.Sum(sample => (long)sample.TeacherIndex.Count(index => index != AlignedSample.None));
    }

    /// <summary>n′_j: positions of the whole batch that count and have a teacher token.</summary>
    public long Positions { get; }

    /// <summary>Some samples as the teacher is given them, and the pairs of positions to align.</summary>
    public AlignedRows Rows(IReadOnlyList<int> rows)
    {
        int length = rows.Max(row => Math.Max(1, _samples[row].TeacherIds.Length));
        long[] ids = new long[rows.Count * length];
        int[] first = new int[ids.Length];
        int[] end = new int[ids.Length];
        List<long> student = [];
        List<long> teacher = [];
        for (int i = 0; i < rows.Count; i++)
        {
            AlignedSample sample = _samples[rows[i]];
            for (int position = 0; position < length; position++)
            {
                bool isText = position < sample.TeacherIds.Length;
                ids[(i * length) + position] = isText ? sample.TeacherIds[position] : _endOfText;
                first[(i * length) + position] = isText ? sample.DocumentStarts[position] : position;
                end[(i * length) + position] = position + 1;
            }

            for (int t = 0; t < sample.TeacherIndex.Length; t++)
            {
                if (sample.TeacherIndex[t] != AlignedSample.None)
                {
                    student.Add(((long)i * sample.TeacherIndex.Length) + t);
                    teacher.Add(((long)i * length) + sample.TeacherIndex[t]);
                }
            }
        }

        return new AlignedRows(
            ids,
            length,
            _masksDocuments ? new AttentionRanges(first, end, length) : null,
            [.. student],
            [.. teacher]
        );
    }
}

/// <summary>Some samples as the teacher is given them.</summary>
/// <param name="TeacherIds">[rows · length], filled up behind shorter samples.</param>
/// <param name="Length">Tokens of a row.</param>
/// <param name="Ranges">What each position sees; null for causal attention.</param>
/// <param name="StudentRows">Aligned positions as rows of the student's hidden states, ascending.</param>
/// <param name="TeacherRows">For each of them the row of the teacher's hidden states.</param>
internal sealed record AlignedRows(
    long[] TeacherIds,
    int Length,
    AttentionRanges? Ranges,
    long[] StudentRows,
    long[] TeacherRows
);
