using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Saltern.Data;

/// <summary>A document that goes into the data set.</summary>
internal readonly record struct SplitDocument(ReadOnlyMemory<byte> Utf8, string Domain, bool IsValid);

/// <summary>Decides for each document whether it is kept and on which side, by the SHA-256 of its bytes.</summary>
/// <remarks>
/// A document is validation text when the first 53 bits of the SHA-256 of its SHA-256, as a fraction of 2⁵³, lie below the percent: so the choice
/// depends on nothing but its bytes, and stays the same when documents are added or reordered. The hash is hashed once more because corpora are
/// themselves sampled in the order of that hash (of one such corpus, 7 % instead of 1 % became validation text). Duplicates are told by the
/// first 128 bits; memory is about 40 bytes for each distinct document.
/// </remarks>
internal sealed class DocumentSplit(double validPercent)
{
    private const double TwoToMinus53 = 1.0 / (1L << 53);

    private readonly HashSet<UInt128> _valid = [];
    private readonly HashSet<UInt128> _train = [];

    public long Duplicates { get; private set; }

    public long TrainInValid { get; private set; }

    public long Empty { get; private set; }

    /// <summary>The documents that are kept, validation text given apart first.</summary>
    public IEnumerable<SplitDocument> Apply(IEnumerable<TextDocument> train, IEnumerable<TextDocument>? valid)
    {
        foreach (TextDocument document in valid ?? [])
        {
            if (Keep(document, (_, hash) => IsNew(_valid, hash)))
            {
                yield return new SplitDocument(document.Utf8, document.Domain, IsValid: true);
            }
        }

        foreach (TextDocument document in train)
        {
            bool isValid = false;
            bool kept = Keep(document, (sha, hash) =>
            {
                if (valid is not null && _valid.Contains(hash))
                {
                    TrainInValid++;
                    return false;
                }

                isValid = valid is null && IsBelowPercent(SHA256.HashData(sha), validPercent);
                return IsNew(_train, hash);
            });
            if (kept)
            {
                yield return new SplitDocument(document.Utf8, document.Domain, isValid);
            }
        }
    }

    /// <summary>Whether the first 53 bits of a hash, as a fraction, lie below a percent.</summary>
    internal static bool IsBelowPercent(ReadOnlySpan<byte> hash, double percent) =>
        (BinaryPrimitives.ReadUInt64BigEndian(hash) >> 11) * TwoToMinus53 < percent / 100;

    private bool Keep(TextDocument document, Func<ReadOnlySpan<byte>, UInt128, bool> decide)
    {
        if (document.Utf8.IsEmpty)
        {
            Empty++;
            return false;
        }

        Span<byte> sha = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(document.Utf8.Span, sha);
        return decide(sha, BinaryPrimitives.ReadUInt128BigEndian(sha));
    }

    private bool IsNew(HashSet<UInt128> seen, UInt128 hash)
    {
        bool isNew = seen.Add(hash);
        Duplicates += isNew ? 0 : 1;
        return isNew;
    }
}
