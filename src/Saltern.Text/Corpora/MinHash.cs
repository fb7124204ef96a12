// How alike two texts are, told from 128 bytes of each.
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Saltern.Corpora;

/// <summary>MinHash signatures (Broder 1997) of a document's shingles, one byte a permutation (b-bit minwise hashing, arXiv:0910.3349, b = 8).</summary>
/// <remarks>
/// A shingle is a run of <see cref="ShingleWords"/> words, of a shorter text all of it. A permutation is x ↦ a·x + b modulo 2³² with odd a, over hashes that are mixed already. Two
/// signatures agree at a place with the probability J + (1 − J)/256, where J is the Jaccard similarity of the sets of shingles, so that J is estimated with a standard error of
/// √(J(1 − J)/128): 0.035 at 0.8.
/// </remarks>
internal static class MinHash
{
    /// <summary>Words of a shingle.</summary>
    public const int ShingleWords = 5;

    /// <summary>Permutations, and bytes of a signature.</summary>
    public const int Permutations = 128;

    /// <summary>Rows of a band: eight bytes of a signature, which are its key.</summary>
    public const int BandBytes = 8;

    // Two different smallest values agree in their byte as often as this.
    private const double ByChance = 1.0 / 256;

    private static readonly uint[] Factors = Constants(0x5EED_0001, isOdd: true);
    private static readonly uint[] Summands = Constants(0x5EED_0002, isOdd: false);

    /// <summary>Computes the signature of a document.</summary>
    /// <param name="utf8">The document.</param>
    /// <param name="signature">Takes <see cref="Permutations"/> bytes.</param>
    /// <returns>False where the document has no word, and so nothing to compare.</returns>
    public static bool TryCompute(ReadOnlySpan<byte> utf8, Span<byte> signature)
    {
        List<ulong> found = WordHashes.Of(utf8, splitsUnspaced: true);
        if (found.Count == 0)
        {
            return false;
        }

        ReadOnlySpan<ulong> words = CollectionsMarshal.AsSpan(found);
        int length = Math.Min(ShingleWords, words.Length);
        uint[] shingles = new uint[words.Length - length + 1];
        for (int start = 0; start < shingles.Length; start++)
        {
            ulong sum = (ulong)length;
            foreach (ulong word in words.Slice(start, length))
            {
                sum = (sum * 0x9E3779B97F4A7C15) + word;
            }

            shingles[start] = (uint)(WordHashes.Mix(sum) >> 32);
        }

        Span<uint> smallest = stackalloc uint[Permutations];
        Permute(shingles, smallest);
        for (int i = 0; i < Permutations; i++)
        {
            // The smallest of many values has zeros in front: the product spreads the rest over the highest byte.
            signature[i] = (byte)((smallest[i] * 0x9E3779B1u) >> 24);
        }

        return true;
    }

    /// <summary>Estimates the Jaccard similarity of two documents' shingles.</summary>
    public static double Similarity(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        double agreeing = Agreeing(one, other) / (double)Permutations;
        return Math.Max(0, (agreeing - ByChance) / (1 - ByChance));
    }

    /// <summary>Places at which two signatures agree.</summary>
    private static int Agreeing(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        int count = 0;
        for (int i = 0; i < one.Length; i++)
        {
            count += Convert.ToInt32(one[i] == other[i]);
        }

        return count;
    }

    // Two vectors of permutations at a time, whose smallest values stay in registers while all shingles go by.
    private static void Permute(uint[] shingles, Span<uint> smallest)
    {
        for (int lane = 0; lane < Permutations; lane += 2 * Vector<uint>.Count)
        {
            int next = lane + Vector<uint>.Count;
            Vector<uint> factors = new(Factors, lane);
            Vector<uint> summands = new(Summands, lane);
            Vector<uint> nextFactors = new(Factors, next);
            Vector<uint> nextSummands = new(Summands, next);
            Vector<uint> least = new(uint.MaxValue);
            Vector<uint> nextLeast = least;
            foreach (uint shingle in shingles)
            {
                Vector<uint> x = new(shingle);
                least = Vector.Min(least, (x * factors) + summands);
                nextLeast = Vector.Min(nextLeast, (x * nextFactors) + nextSummands);
            }

            least.CopyTo(smallest[lane..]);
            nextLeast.CopyTo(smallest[next..]);
        }
    }

    private static uint[] Constants(ulong seed, bool isOdd)
    {
        uint[] constants = new uint[Permutations];
        for (int i = 0; i < constants.Length; i++)
        {
            seed += 0x9E3779B97F4A7C15;
            constants[i] = (uint)(WordHashes.Mix(seed) >> 32) | Convert.ToUInt32(isOdd);
        }

        return constants;
    }

    /// <summary>The keys of the bands.</summary>
    public static void Bands(ReadOnlySpan<byte> signature, Span<ulong> keys)
    {
        for (int band = 0; band < keys.Length; band++)
        {
            keys[band] = BinaryPrimitives.ReadUInt64LittleEndian(signature[(band * BandBytes)..]);
        }
    }
}
