// Records of one sample, position after position, little-endian (docs/cache-format.md):
//   sampled  entries u8,  nll f16, nll_τ f16, H(q_τ) f16, rank u8, entries × (id u16|u32, count u8)
//   top_k    entries u16, nll f16, nll_τ f16, H(q_τ) f16, rank u8, entries × (id u16|u32, q_τ f16)
//   scores   nll f16, rank u8
using System.Buffers.Binary;

namespace Saltern.Guidance;

/// <summary>What a teacher pass finds at one position besides the entries.</summary>
/// <param name="Nll">−ln q(y) at τ = 1.</param>
/// <param name="Rank">1 + number of tokens with strictly larger q; 255 for more.</param>
internal readonly record struct PositionSummary(float Nll, float NllTempered, float Entropy, byte Rank);

/// <summary>Writes the record of one position.</summary>
internal static class CacheRecord
{
    /// <summary>Rank of a token that 254 or more others exceed.</summary>
    public const byte LowestRank = 255;

    /// <summary>Bytes of a record without entries.</summary>
    public static int FixedBytes(CacheMode mode) =>
        mode switch
        {
            CacheMode.Sampled => 8,
            CacheMode.TopK => 9,
            _ => 3,
        };

    /// <summary>Bytes of the largest record.</summary>
    public static int LargestBytes(TeachPlan plan) =>
        FixedBytes(plan.Mode)
        + plan.Mode switch
        {
            CacheMode.Sampled => (plan.Draws + 1) * plan.EntryBytes,
            CacheMode.TopK => plan.Kept * plan.EntryBytes,
            _ => 0,
        };

    /// <summary>Writes score material alone.</summary>
    public static int WriteScore(Span<byte> to, PositionSummary summary)
    {
        WriteHalf(to, summary.Nll);
        to[2] = summary.Rank;
        return 3;
    }

    /// <summary>Writes a sampled record: the most likely token first, also where it was not drawn.</summary>
    public static int WriteSampled(
        Span<byte> to,
        TeachPlan plan,
        PositionSummary summary,
        int best,
        ReadOnlySpan<int> ids,
        ReadOnlySpan<byte> counts
    )
    {
        int drawn = ids.IndexOf(best);
        int at = FixedBytes(CacheMode.Sampled);
        to[0] = (byte)(ids.Length + (drawn < 0 ? 1 : 0));
        WriteSummary(to[1..], summary);
        at = WriteEntry(to, at, plan, best, drawn < 0 ? (byte)0 : counts[drawn]);
        for (int i = 0; i < ids.Length; i++)
        {
            at = i == drawn ? at : WriteEntry(to, at, plan, ids[i], counts[i]);
        }

        return at;
    }

    /// <summary>Writes a top-k record, the most likely token first.</summary>
    public static int WriteTopK(
        Span<byte> to,
        TeachPlan plan,
        PositionSummary summary,
        ReadOnlySpan<int> ids,
        ReadOnlySpan<float> probabilities
    )
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)ids.Length);
        WriteSummary(to[2..], summary);
        int at = FixedBytes(CacheMode.TopK);
        for (int i = 0; i < ids.Length; i++)
        {
            WriteId(to[at..], plan, ids[i]);
            WriteHalf(to[(at + plan.IdBytes)..], probabilities[i]);
            at += plan.EntryBytes;
        }

        return at;
    }

    private static int WriteEntry(Span<byte> to, int at, TeachPlan plan, int id, byte count)
    {
        WriteId(to[at..], plan, id);
        to[at + plan.IdBytes] = count;
        return at + plan.EntryBytes;
    }

    private static void WriteId(Span<byte> to, TeachPlan plan, int id)
    {
        if (plan.IdBytes == 2)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)id);
        }
        else
        {
            BinaryPrimitives.WriteInt32LittleEndian(to, id);
        }
    }

    private static void WriteSummary(Span<byte> to, PositionSummary summary)
    {
        WriteHalf(to, summary.Nll);
        WriteHalf(to[2..], summary.NllTempered);
        WriteHalf(to[4..], summary.Entropy);
        to[6] = summary.Rank;
    }

    // A loss beyond the half's range is one that nothing learns from: its largest value will do.
    private static void WriteHalf(Span<byte> to, float value) =>
        BinaryPrimitives.WriteHalfLittleEndian(to, (Half)Math.Clamp(value, 0f, (float)Half.MaxValue));
}
