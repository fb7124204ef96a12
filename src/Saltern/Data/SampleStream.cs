using System.Security.Cryptography;
using System.Text;

namespace Saltern.Data;

/// <summary>Which T + 1 tokens a sample is.</summary>
/// <param name="Domain">Index of the domain.</param>
/// <param name="Index">i: the sample starts at token i·T of the domain's stream.</param>
/// <param name="Epoch">How many times the domain has been gone through before.</param>
public readonly record struct SampleKey(int Domain, long Index, long Epoch);

/// <summary>The order of all samples of a run: a pure function of (data, seed, position), independent of batch size, accumulation and processes.</summary>
/// <remarks>
/// Domains take turns so that each has its share of any stretch of the stream, as exactly as whole samples allow; within a domain an
/// epoch is a permutation by (seed, domain, epoch), so nothing repeats before everything was seen. Its state is one number.
/// </remarks>
public sealed class SampleStream
{
    private readonly long[] _sizes;
    private readonly double[] _shares;
    private readonly long _seed;
    private readonly long[] _taken;

    /// <summary>Plans the order.</summary>
    /// <param name="samplesByDomain">Samples of each domain; a domain without samples is never drawn.</param>
    /// <param name="seed">Decides the permutations.</param>
    /// <exception cref="DataFormatException">No domain has a sample.</exception>
    public SampleStream(IReadOnlyList<long> samplesByDomain, long seed)
    {
        long total = samplesByDomain.Sum();
        if (total == 0)
        {
            throw new DataFormatException("No domain of the data set has one whole sequence of training text. Use more text, or a shorter data.sequence_length.");
        }

        _sizes = [.. samplesByDomain];
        _shares = [.. _sizes.Select(size => size / (double)total)];
        _seed = seed;
        _taken = new long[_sizes.Length];
    }

    /// <summary>Samples drawn so far: the whole state.</summary>
    public long Position { get; private set; }

    /// <summary>Samples of one epoch over all domains.</summary>
    public long EpochLength => _sizes.Sum();

    /// <summary>Number of samples of T + 1 tokens in a stream of tokens; the short tail is dropped.</summary>
    public static long SamplesIn(long tokens, int sequenceLength) => tokens < 1 ? 0 : (tokens - 1) / sequenceLength;

    /// <summary>Draws the next sample.</summary>
    public SampleKey Next()
    {
        int domain = NextDomain();
        long drawn = _taken[domain]++;
        Position++;
        (long epoch, long index) = Math.DivRem(drawn, _sizes[domain]);
        ulong key = KeyedPermutation.Mix(KeyedPermutation.Mix((ulong)_seed) ^ KeyedPermutation.Mix(((ulong)domain << 40) + (ulong)epoch + 1));
        return new SampleKey(domain, new KeyedPermutation(_sizes[domain], key)[index], epoch);
    }

    /// <summary>Goes to a position, forward or back.</summary>
    public void Seek(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        Array.Clear(_taken);
        for (Position = 0; Position < position; Position++)
        {
            _taken[NextDomain()]++;
        }
    }

    /// <summary>Fingerprint of the batches: equal for two runs exactly when they see the same samples at the same steps.</summary>
    public string Fingerprint(string dataFingerprint, int sequenceLength, int batchSequences)
    {
        byte[] text = Encoding.UTF8.GetBytes($"saltern.order/1|{dataFingerprint}|{sequenceLength}|{_seed}|{batchSequences}");
        return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(text));
    }

    // The domain that is furthest behind its share after this draw; ties to the lowest index.
    private int NextDomain()
    {
        int behind = -1;
        double most = double.NegativeInfinity;
        for (int domain = 0; domain < _shares.Length; domain++)
        {
            double lag = (_shares[domain] * (Position + 1)) - _taken[domain];
            if (_sizes[domain] > 0 && lag > most)
            {
                (behind, most) = (domain, lag);
            }
        }

        return behind;
    }
}
