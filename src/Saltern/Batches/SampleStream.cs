using Saltern.Files;

namespace Saltern.Batches;

/// <summary>Which T + 1 tokens a sample is.</summary>
/// <param name="Domain">Index of the domain.</param>
/// <param name="Index">i: the sample starts at token i·T of the domain's stream.</param>
/// <param name="Epoch">How many times the domain has been gone through before.</param>
public readonly record struct SampleKey(int Domain, long Index, long Epoch);

/// <summary>The order of all samples of a run: a pure function of (data, seed, position), independent of batch size, accumulation and processes. <see cref="BatchLoader"/> draws from it.</summary>
/// <remarks>
/// Domains take turns so that each has its share of any stretch of the stream, as nearly as whole samples allow: the sample that a domain gives after i others is due at
/// time (i + ½)/share, and the stream is all samples in the order of their times (Webster's method). Within a domain an epoch is a permutation by (seed, domain,
/// epoch), so nothing repeats before everything was seen. Its state is one number, and going to any position takes the same short time.
/// </remarks>
internal sealed class SampleStream
{
    private readonly long[] _sizes;
    private readonly double[] _shares;
    private readonly long _seed;
    private readonly long[] _taken;

    /// <summary>Plans the order with every domain in its natural share.</summary>
    /// <param name="samplesByDomain">Samples of each domain; a domain without samples is never drawn.</param>
    /// <exception cref="DataFormatException">No domain has a sample.</exception>
    public SampleStream(IReadOnlyList<long> samplesByDomain, long seed)
        : this(samplesByDomain, DomainShares.Natural(samplesByDomain), seed) { }

    /// <summary>Plans the order.</summary>
    /// <param name="samplesByDomain">Samples of each domain.</param>
    /// <param name="shares">Share of each domain in the stream (<see cref="DomainShares"/>); 0 where a domain is not drawn.</param>
    public SampleStream(IReadOnlyList<long> samplesByDomain, IReadOnlyList<double> shares, long seed)
    {
        _sizes = [.. samplesByDomain];
        _shares = [.. shares];
        _seed = seed;
        _taken = new long[_sizes.Length];
    }

    /// <summary>Samples drawn so far: the whole state.</summary>
    public long Position { get; private set; }

    /// <summary>Samples of one epoch over all domains.</summary>
    public long EpochLength => _sizes.Sum();

    /// <summary>Samples of each domain.</summary>
    public IReadOnlyList<long> Sizes => _sizes;

    /// <summary>Share of each domain.</summary>
    public IReadOnlyList<double> Shares => _shares;

    /// <summary>Number of samples of T + 1 tokens in a stream of tokens; the short tail is dropped.</summary>
    public static long SamplesIn(long tokens, int sequenceLength) => tokens < 1 ? 0 : (tokens - 1) / sequenceLength;

    /// <summary>Draws the next sample.</summary>
    public SampleKey Next()
    {
        int domain = NextDomain();
        long drawn = _taken[domain]++;
        Position++;
        (long epoch, long index) = Math.DivRem(drawn, _sizes[domain]);
        ulong key = KeyedPermutation.Mix(
            KeyedPermutation.Mix((ulong)_seed) ^ KeyedPermutation.Mix(((ulong)domain << 40) + (ulong)epoch + 1)
        );
        return new SampleKey(domain, new KeyedPermutation(_sizes[domain], key)[index], epoch);
    }

    /// <summary>Goes to a position, forward or back, in a time that does not depend on it.</summary>
    public void Seek(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);

        // By a time a domain has had time·share samples, give or take half of one; so by the position less one sample a domain,
        // all together have had no more than the position.
        double time = Math.Max(0, position - _sizes.Length);
        for (int domain = 0; domain < _sizes.Length; domain++)
        {
            _taken[domain] = DueBefore(domain, time);
        }

        for (Position = _taken.Sum(); Position < position; Position++)
        {
            _taken[NextDomain()]++;
        }
    }

    /// <summary>Samples of each domain among the first ones of the stream; the position stays.</summary>
    /// <param name="samples">How many of the stream's samples.</param>
    public long[] CountByDomain(long samples)
    {
        long here = Position;
        Seek(samples);
        long[] counts = [.. _taken];
        Seek(here);
        return counts;
    }

    /// <summary>Fingerprint of the batches: equal for two runs exactly when they see the same samples at the same steps.</summary>
    /// <param name="space">What a sample is.</param>
    /// <param name="batchSequences">Sequences of a step.</param>
    public Fingerprint Fingerprint(SampleSpace space, int batchSequences)
    {
        string shares = string.Join(
            ',',
            _shares.Select(share => share.ToString("R", System.Globalization.CultureInfo.InvariantCulture))
        );
        return Files.Fingerprint.Of($"saltern.order/2|{space.Fingerprint}|{_seed}|{batchSequences}|{shares}");
    }

    // Due time of a domain's next sample; the stream takes the earliest, ties to the lowest index.
    private double NextDue(int domain) => (_taken[domain] + 0.5) / _shares[domain];

    private int NextDomain()
    {
        int next = -1;
        double earliest = double.PositiveInfinity;
        for (int domain = 0; domain < _shares.Length; domain++)
        {
            if (_shares[domain] > 0 && _sizes[domain] > 0 && NextDue(domain) is double due && due < earliest)
            {
                (next, earliest) = (domain, due);
            }
        }

        return next;
    }

    // Number of samples of a domain that are due before a time, by the very comparison that Next makes.
    private long DueBefore(int domain, double time)
    {
        double share = _shares[domain];
        if (share == 0 || _sizes[domain] == 0)
        {
            return 0;
        }

        long count = Math.Max(0, (long)((time * share) - 0.5));
        while ((count + 0.5) / share < time)
        {
            count++;
        }

        while (count > 0 && (count - 0.5) / share >= time)
        {
            count--;
        }

        return count;
    }
}
