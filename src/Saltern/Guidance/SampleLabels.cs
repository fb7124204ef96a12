using System.Buffers.Binary;

namespace Saltern.Guidance;

/// <summary>What a teacher pass stored of one sample, read and checked: one value for each counted position, in order.</summary>
public sealed class SampleLabels
{
    private SampleLabels(int positions, int entries)
    {
        (Nll, NllTempered, Entropy, Rank) = (
            new float[positions],
            new float[positions],
            new float[positions],
            new byte[positions]
        );
        (Starts, Ids, Probabilities) = (new int[positions + 1], new int[entries], new float[entries]);
    }

    /// <summary>−ln q(y) at τ = 1.</summary>
    public float[] Nll { get; }

    /// <summary>−ln q_τ(y); zeros where only scores were stored.</summary>
    public float[] NllTempered { get; }

    /// <summary>H(q_τ); zeros where only scores were stored.</summary>
    public float[] Entropy { get; }

    /// <summary>1 + number of tokens with strictly larger q; 255 for more.</summary>
    public byte[] Rank { get; }

    /// <summary>Entries of position i are Starts[i] … Starts[i + 1] − 1.</summary>
    public int[] Starts { get; }

    /// <summary>Token ids, the most likely one first.</summary>
    public int[] Ids { get; }

    /// <summary>Count over draws, or q_τ itself.</summary>
    public float[] Probabilities { get; }

    /// <summary>Reads a sample's records; every number in them is checked.</summary>
    /// <param name="records">All bytes of the sample.</param>
    /// <param name="plan">What they were written by.</param>
    /// <param name="place">What to name in an error.</param>
    /// <exception cref="DataFormatException">A record is cut off, or holds what no pass writes.</exception>
    internal static SampleLabels Read(ReadOnlySpan<byte> records, TeachPlan plan, string place)
    {
        (int positions, int entries) = Count(records, plan, place);
        var labels = new SampleLabels(positions, entries);
        int at = 0;
        int entry = 0;
        for (int position = 0; position < positions; position++)
        {
            int count = plan.Mode switch
            {
                CacheMode.Sampled => records[at],
                CacheMode.TopK => BinaryPrimitives.ReadUInt16LittleEndian(records[at..]),
                _ => 0,
            };
            at += plan.Mode switch
            {
                CacheMode.Sampled => 1,
                CacheMode.TopK => 2,
                _ => 0,
            };
            labels.Nll[position] = Half(records, at);
            if (plan.Mode != CacheMode.Scores)
            {
                (labels.NllTempered[position], labels.Entropy[position]) = (
                    Half(records, at + 2),
                    Half(records, at + 4)
                );
                at += 4;
            }

            labels.Rank[position] = records[at + 2];
            at += 3;
            labels.Starts[position] = entry;
            float sum = 0;
            for (int i = 0; i < count; i++, entry++, at += plan.EntryBytes)
            {
                int id =
                    plan.IdBytes == 2
                        ? BinaryPrimitives.ReadUInt16LittleEndian(records[at..])
                        : BinaryPrimitives.ReadInt32LittleEndian(records[at..]);
                float share =
                    plan.Mode == CacheMode.TopK
                        ? Half(records, at + plan.IdBytes)
                        : records[at + plan.IdBytes] / (float)plan.Draws;
                (labels.Ids[entry], labels.Probabilities[entry]) = (id, share);
                sum += share;
                if ((uint)id >= (uint)plan.VocabularySize)
                {
                    throw Damaged(
                        place,
                        position,
                        $"has the token {id}, outside the vocabulary of {plan.VocabularySize}"
                    );
                }
            }

            // Counts add up to the draws; probabilities in half precision to 1 at most, but for their rounding.
            bool adds = plan.Mode switch
            {
                CacheMode.Sampled => Math.Abs(sum - 1) < 1e-4,
                CacheMode.TopK => sum is > 0 and < 1.01f,
                _ => true,
            };
            if (
                !adds
                || !(labels.Nll[position] >= 0)
                || !(labels.NllTempered[position] >= 0)
                || !(labels.Entropy[position] >= 0)
            )
            {
                throw Damaged(
                    place,
                    position,
                    $"has shares that add up to {sum}, losses {labels.Nll[position]} and "
                        + $"{labels.NllTempered[position]}, entropy {labels.Entropy[position]}"
                );
            }
        }

        labels.Starts[positions] = entry;
        return labels;
    }

    // Positions and entries of the records, without trusting one length: each step is checked against what is left.
    private static (int Positions, int Entries) Count(ReadOnlySpan<byte> records, TeachPlan plan, string place)
    {
        int positions = 0;
        int entries = 0;
        int fixedBytes = CacheRecord.FixedBytes(plan.Mode);
        for (int at = 0; at < records.Length; positions++)
        {
            if (records.Length - at < fixedBytes)
            {
                throw Damaged(place, positions, $"is cut off after {records.Length - at} of {fixedBytes} bytes");
            }

            int count = plan.Mode switch
            {
                CacheMode.Sampled => records[at],
                CacheMode.TopK => BinaryPrimitives.ReadUInt16LittleEndian(records[at..]),
                _ => 0,
            };
            if (
                plan.Mode != CacheMode.Scores
                && (count == 0 || records.Length - at - fixedBytes < count * plan.EntryBytes)
            )
            {
                throw Damaged(
                    place,
                    positions,
                    $"has {count} entries of {plan.EntryBytes} bytes, but {records.Length - at - fixedBytes} bytes follow"
                );
            }

            entries += count;
            at += fixedBytes + (count * plan.EntryBytes);
        }

        return (positions, entries);
    }

    private static float Half(ReadOnlySpan<byte> bytes, int at) =>
        (float)BinaryPrimitives.ReadHalfLittleEndian(bytes[at..]);

    private static DataFormatException Damaged(string place, int position, string what) =>
        new(
            $"{place}: position {position} {what}. "
                + "The pass is damaged: remove the file and run the same 'saltern teach' again, "
                + "which makes it anew."
        );
}
