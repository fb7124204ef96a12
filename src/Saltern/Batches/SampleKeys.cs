using System.Collections;
using System.Security.Cryptography;
using Saltern.Files;

namespace Saltern.Batches;

/// <summary>All samples of a data set in the order of domain and index, without a list of them.</summary>
internal sealed class SampleKeys : IReadOnlyList<(int Domain, long Index)>
{
    private readonly long[] _starts;

    /// <summary>Takes the number of samples of each domain.</summary>
    /// <exception cref="DataFormatException">More samples than one pass can number.</exception>
    public SampleKeys(IReadOnlyList<long> sizes)
    {
        _starts = new long[sizes.Count + 1];
        for (int domain = 0; domain < sizes.Count; domain++)
        {
            _starts[domain + 1] = _starts[domain] + sizes[domain];
        }

        if (_starts[^1] > int.MaxValue)
        {
            throw new DataFormatException(
                $"The data set has {_starts[^1]} samples; one pass takes {int.MaxValue} at most. Use --stage1-only, or longer sequences."
            );
        }
    }

    /// <inheritdoc/>
    public int Count => (int)_starts[^1];

    /// <inheritdoc/>
    public (int Domain, long Index) this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            int domain = 0;
            while (_starts[domain + 1] <= index)
            {
                domain++;
            }

            return (domain, index - _starts[domain]);
        }
    }

    /// <summary>Fingerprint of a list of samples.</summary>
    public static Fingerprint Fingerprint(IReadOnlyList<(int Domain, long Index)> samples)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> key = stackalloc byte[12];
        for (int i = 0; i < samples.Count; i++)
        {
            BitConverter.TryWriteBytes(key, samples[i].Domain);
            BitConverter.TryWriteBytes(key[4..], samples[i].Index);
            hash.AppendData(key);
        }

        return Files.Fingerprint.Of(hash);
    }

    /// <inheritdoc/>
    public IEnumerator<(int Domain, long Index)> GetEnumerator() =>
        Enumerable.Range(0, Count).Select(i => this[i]).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
