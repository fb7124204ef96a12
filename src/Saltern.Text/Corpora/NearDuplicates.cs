// Finds among the documents before it one that says nearly the same: MinHash signatures in locality-sensitive hash tables.
using System.Globalization;
using System.Runtime.InteropServices;

namespace Saltern.Corpora;

/// <summary>A document as it is remembered.</summary>
/// <param name="File">Number of its file, from 1; 0 where it is not known.</param>
/// <param name="Line">Its line or record, from 1; 0 where there is none.</param>
/// <param name="IsValid">Whether it is validation text.</param>
internal readonly record struct NearPlace(int File, long Line, bool IsValid)
{
    /// <summary>Files that can be numbered.</summary>
    public const int MostFiles = (1 << 23) - 1;
}

/// <summary>A document that came before and says nearly the same.</summary>
/// <param name="Similarity">Estimated Jaccard similarity of the shingles.</param>
internal readonly record struct NearMatch(NearPlace Place, double Similarity);

/// <summary>A set of documents that is asked for one that is nearly the same as another: Jaccard similarity of the shingles (<see cref="MinHash"/>) of at least <see cref="Threshold"/>.</summary>
/// <remarks>
/// The signature's bytes are <see cref="BandCount"/> bands of <see cref="MinHash.BandBytes"/>. Documents that have a band in common are compared by the whole signature: a pair of
/// similarity s has one with the probability 1 − (1 − s⁸)¹⁶, which is 0.95 at 0.8 and 0.9999 at 0.9. What is found depends on the documents and their order alone.
/// Memory: 222 to 444 bytes a document, half as much again while it grows. Documents are held in two generations: when the younger has <see cref="MostDocuments"/>, the older is
/// forgotten; so duplicates with more than so many documents between them may both be kept, and memory ends at 0.7 GB.
/// </remarks>
/// <param name="most">Most documents of a generation.</param>
internal sealed class NearDuplicates(int most = NearDuplicates.MostDocuments)
{
    /// <summary>Similarity from which on documents are nearly the same.</summary>
    public const double Threshold = 0.8;

    /// <summary>Bands of a signature.</summary>
    public const int BandCount = MinHash.Permutations / MinHash.BandBytes;

    /// <summary>Documents of a generation: three quarters of 2²¹ slots.</summary>
    public const int MostDocuments = 3 << 19;

    /// <summary>Numbers of 64 bits that a document is remembered by: its bands, then its place.</summary>
    public const int RecordLength = BandCount + 1;

    private const int LineBits = 40;
    private const ulong ValidBit = 1UL << 63;

    private Generation? _older;
    private Generation _younger = new();

    /// <summary>What is looked for, in words: a job is resumed only where it is the same.</summary>
    public static string Description { get; } =
        string.Create(
            CultureInfo.InvariantCulture,
            $"{MinHash.ShingleWords} words, {MinHash.Permutations} permutations, {BandCount} bands, from {Threshold} on"
        );

    /// <summary>Documents added over time, forgotten ones included.</summary>
    public long Added { get; private set; }

    /// <summary>Whether documents were forgotten.</summary>
    public bool HasForgotten => Added > 2L * most;

    /// <summary>The most similar document that was added and is at least as similar as <see cref="Threshold"/>, the earliest of equals; null for none.</summary>
    /// <param name="signature">A signature of <see cref="MinHash"/>.</param>
    public NearMatch? Find(ReadOnlySpan<byte> signature)
    {
        Span<ulong> bands = stackalloc ulong[BandCount];
        MinHash.Bands(signature, bands);
        NearMatch? older = _older?.Find(bands, signature);
        NearMatch? younger = _younger.Find(bands, signature);
        return younger?.Similarity > (older?.Similarity ?? 0) ? younger : older;
    }

    /// <summary>Adds a document.</summary>
    /// <returns>What it is remembered by, for <see cref="Restore"/>.</returns>
    public ulong[] Add(ReadOnlySpan<byte> signature, NearPlace place)
    {
        ulong[] record = new ulong[RecordLength];
        MinHash.Bands(signature, record.AsSpan(0, BandCount));
        record[BandCount] = ((ulong)place.File << LineBits) | (ulong)Math.Min(place.Line, (1L << LineBits) - 1);
        if (place.IsValid)
        {
            record[BandCount] |= ValidBit;
        }

        Restore(record);
        return record;
    }

    /// <summary>Adds what <see cref="Add"/> gave back.</summary>
    public void Restore(ReadOnlySpan<ulong> record)
    {
        if (_younger.Count == most)
        {
            (_older, _younger) = (_younger, new Generation());
        }

        _younger.Add(record);
        Added++;
    }

    private static NearPlace PlaceOf(ulong packed) =>
        new(
            (int)((packed & ~ValidBit) >> LineBits),
            (long)(packed & ((1UL << LineBits) - 1)),
            (packed & ValidBit) != 0
        );

    /// <summary>Open addressing at no more than ¾ full: one table a band, of numbers of documents; the keys are those of the documents.</summary>
    private sealed class Generation
    {
        private const int FirstSlots = 1 << 6;

        // Where very many documents have a band in common, as pages of one form have, the later ones are found by their other bands.
        private const int MostOfOneKey = 64;

        private ulong[] _records = new ulong[FirstSlots / 4 * 3 * RecordLength];
        private int[] _slots = new int[FirstSlots * BandCount];
        private int _size = FirstSlots;

        public int Count { get; private set; }

        public NearMatch? Find(ReadOnlySpan<ulong> bands, ReadOnlySpan<byte> signature)
        {
            NearMatch? best = null;
            int bestDocument = int.MaxValue;
            for (int band = 0; band < BandCount; band++)
            {
                for (int slot = First(bands[band]); Document(band, slot) is int document and >= 0; slot = Next(slot))
                {
                    ReadOnlySpan<ulong> record = Record(document);
                    if (record[band] != bands[band])
                    {
                        continue;
                    }

                    double similarity = MinHash.Similarity(MemoryMarshal.AsBytes(record[..BandCount]), signature);
                    double least = best?.Similarity ?? Threshold;
                    if (similarity > least || (similarity >= least && document < bestDocument))
                    {
                        best = new NearMatch(PlaceOf(record[BandCount]), similarity);
                        bestDocument = document;
                    }
                }
            }

            return best;
        }

        public void Add(ReadOnlySpan<ulong> record)
        {
            if (Count + 1 > _size / 4 * 3)
            {
                Grow();
            }

            record.CopyTo(_records.AsSpan(Count * RecordLength));
            Enter(Count++);
        }

        private void Enter(int document)
        {
            ReadOnlySpan<ulong> record = Record(document);
            for (int band = 0; band < BandCount; band++)
            {
                int same = 0;
                int slot = First(record[band]);
                for (; Document(band, slot) is int other and >= 0; slot = Next(slot))
                {
                    same += Convert.ToInt32(Record(other)[band] == record[band]);
                }

                if (same < MostOfOneKey)
                {
                    _slots[(band * _size) + slot] = document + 1;
                }
            }
        }

        private void Grow()
        {
            _size *= 2;
            Array.Resize(ref _records, _size / 4 * 3 * RecordLength);
            _slots = new int[_size * BandCount];
            for (int document = 0; document < Count; document++)
            {
                Enter(document);
            }
        }

        private ReadOnlySpan<ulong> Record(int document) => _records.AsSpan(document * RecordLength, RecordLength);

        // −1 for a free slot.
        private int Document(int band, int slot) => _slots[(band * _size) + slot] - 1;

        private int First(ulong key) => (int)(WordHashes.Mix(key) & (ulong)(_size - 1));

        private int Next(int slot) => (slot + 1) & (_size - 1);
    }
}
