namespace Saltern.Batches;

/// <summary>Random numbers that belong to one sample and depend on nothing else: a counter through <see cref="KeyedPermutation.Mix"/>.</summary>
internal struct SampleRandom
{
    private readonly ulong _key;
    private ulong _drawn;

    /// <summary>The numbers of a sample.</summary>
    /// <param name="seed">Which of many independent series.</param>
    /// <param name="domain">Domain of the sample.</param>
    public SampleRandom(long seed, int domain, long index) =>
        _key = KeyedPermutation.Mix(
            KeyedPermutation.Mix(KeyedPermutation.Mix((ulong)seed) ^ (ulong)domain) ^ (ulong)index
        );

    /// <summary>The n-th uniform number of the series, in [0, 1), without regard to what was drawn before.</summary>
    public readonly double At(ulong n) =>
        (KeyedPermutation.Mix(_key ^ KeyedPermutation.Mix(n)) >> 11) * (1.0 / (1UL << 53));

    /// <summary>The next uniform number, in [0, 1).</summary>
    public double NextUniform() => At(_drawn++);

    /// <summary>The next whole number, uniform in 0 … bound − 1.</summary>
    public int NextBelow(int bound) => (int)(NextUniform() * bound);
}
