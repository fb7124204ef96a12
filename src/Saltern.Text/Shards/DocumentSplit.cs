using System.Buffers.Binary;
using System.Security.Cryptography;
using Saltern.Corpora;

namespace Saltern.Shards;

/// <summary>A document that goes into the data set.</summary>
internal readonly record struct SplitDocument(ReadOnlyMemory<byte> Utf8, string Domain, bool IsValid);

/// <summary>What a <see cref="DocumentSplit"/> has counted.</summary>
/// <param name="Duplicates">Documents dropped because the same bytes had come before.</param>
/// <param name="TrainInValid">Training documents dropped because they are validation text.</param>
/// <param name="Empty">Documents dropped because they had no bytes.</param>
/// <param name="Overlapping">Training documents dropped because they share text with an evaluation, by evaluation; null in journals of earlier versions.</param>
/// <param name="NearDuplicates">Documents dropped because they say nearly the same as one before them.</param>
/// <param name="NearAcrossSplit">Of them, those of which one was to be training and one validation text.</param>
/// <param name="NearSeen">Documents that later ones are compared with.</param>
/// <param name="NearExamples">The first near-duplicates, with what they resemble.</param>
internal sealed record SplitCounts(
    long Duplicates,
    long TrainInValid,
    long Empty,
    long ValidSeen,
    long TrainSeen,
    IReadOnlyList<long>? Overlapping = null,
    long NearDuplicates = 0,
    long NearAcrossSplit = 0,
    long NearSeen = 0,
    IReadOnlyList<string>? NearExamples = null
);

/// <summary>Decides for each document whether it is kept and on which side, by the SHA-256 of its bytes.</summary>
/// <remarks>
/// A document is validation text when the first 53 bits of the SHA-256 of its SHA-256, as a fraction of 2⁵³, lie below the percent: so the choice
/// depends on nothing but its bytes, and stays the same when documents are added or reordered. The hash is hashed once more because corpora are
/// themselves sampled in the order of that hash (of one such corpus, 7 % instead of 1 % became validation text). Duplicates are told by the
/// first 128 bits.
/// </remarks>
/// <param name="validPercent">Percent of the documents that become validation text where none is given apart.</param>
/// <param name="remember">Receives the hash of each new document, so that an interrupted run can be resumed.</param>
/// <param name="overlap">Text that no training document may share; null for none.</param>
/// <param name="near">Finds documents that say nearly the same; null to keep them.</param>
internal sealed class DocumentSplit(
    double validPercent,
    Action<UInt128>? remember = null,
    EvaluationOverlap? overlap = null,
    NearFilter? near = null
)
{
    private const double TwoToMinus53 = 1.0 / (1L << 53);

    private readonly SeenDocuments _valid = new();
    private readonly SeenDocuments _train = new();
    private long _duplicates;
    private long _trainInValid;
    private long _empty;
    private readonly long[] _overlapping = new long[overlap?.Names.Count ?? 0];

    /// <summary>What was counted up to the document given out last.</summary>
    public SplitCounts Counts
    {
        get
        {
            var counts = new SplitCounts(
                _duplicates,
                _trainInValid,
                _empty,
                _valid.Added,
                _train.Added,
                [.. _overlapping]
            );
            return near?.AddTo(counts) ?? counts;
        }
    }

    /// <summary>Whether documents were too many to compare all with all.</summary>
    public bool HasForgottenNear => near?.HasForgotten ?? false;

    /// <summary>Goes on from what an earlier run had seen.</summary>
    /// <param name="hashes">The hashes it gave to <c>remember</c>, in their order.</param>
    /// <param name="records">What its <see cref="NearFilter"/> gave to be remembered, in its order.</param>
    public void Restore(SplitCounts counts, IEnumerable<UInt128> hashes, IEnumerable<ulong[]> records)
    {
        near?.Restore(counts, records);
        (_duplicates, _trainInValid, _empty) = (counts.Duplicates, counts.TrainInValid, counts.Empty);
        counts.Overlapping?.ToArray().CopyTo(_overlapping, 0);
        foreach (UInt128 hash in hashes)
        {
            SeenDocuments seen = _valid.Added < counts.ValidSeen ? _valid : _train;
            seen.Add(hash);
        }
    }

    /// <summary>The documents that are kept, validation text given apart first.</summary>
    public IEnumerable<SplitDocument> Apply(IEnumerable<TextDocument> train, IEnumerable<TextDocument>? valid)
    {
        foreach (TextDocument document in valid ?? [])
        {
            if (Keep(document, (_, hash) => IsNew(_valid, hash)))
            {
                near?.Keep(document);
                yield return new SplitDocument(document.Utf8, document.Domain, IsValid: true);
            }
        }

        foreach (TextDocument document in train)
        {
            bool isValid = false;
            bool kept = Keep(
                document,
                (sha, hash) =>
                {
                    if (valid is not null && _valid.Contains(hash))
                    {
                        _trainInValid++;
                        return false;
                    }

                    isValid = valid is null && IsBelowPercent(SHA256.HashData(sha), validPercent);
                    return IsNew(_train, hash);
                }
            );
            if (kept && !isValid && overlap?.Find(document.Utf8.Span) is int evaluation)
            {
                _overlapping[evaluation]++;
                kept = false;
            }

            if (kept && near?.Admits(document, isValid) != false)
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
            _empty++;
            return false;
        }

        Span<byte> sha = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(document.Utf8.Span, sha);
        return decide(sha, BinaryPrimitives.ReadUInt128BigEndian(sha));
    }

    private bool IsNew(SeenDocuments seen, UInt128 hash)
    {
        if (!seen.Add(hash))
        {
            _duplicates++;
            return false;
        }

        remember?.Invoke(hash);
        return true;
    }
}
