using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Saltern.Data;

/// <summary>What <see cref="TokenShardWriter.Complete"/> wrote.</summary>
/// <param name="Documents">Number of documents, each one sequence.</param>
/// <param name="Tokens">Number of tokens, end-of-text included.</param>
/// <param name="BinSha256">SHA-256 of the <c>.bin</c> file, lower-case hexadecimal.</param>
/// <param name="IdxSha256">SHA-256 of the <c>.idx</c> file, lower-case hexadecimal.</param>
public sealed record WrittenShard(long Documents, long Tokens, string BinSha256, string IdxSha256);

/// <summary>Writes a token shard document by document.</summary>
/// <remarks>
/// Both files are written under <c>.partial</c> names, flushed to disk and renamed by <see cref="Complete"/>; without that call nothing under
/// the final names changes and <see cref="Dispose"/> removes what was written. Memory: four bytes a document.
/// </remarks>
public sealed class TokenShardWriter : IDisposable
{
    /// <summary>Ending of files that are not finished.</summary>
    internal const string PartialEnding = ".partial";

    private readonly string _binPath;
    private readonly string _idxPath;
    private readonly TokenType _type;
    private readonly FileStream _bin;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<int> _lengths = [];
    private byte[] _encoded = new byte[1 << 16];
    private bool _completed;

    /// <summary>Begins a shard.</summary>
    /// <param name="binPath">Path that ends in <c>.bin</c>; the index gets the same name with <c>.idx</c>. The folder must exist.</param>
    /// <param name="type">How ids are stored.</param>
    public TokenShardWriter(string binPath, TokenType type)
    {
        ArgumentNullException.ThrowIfNull(binPath);
        _binPath = binPath;
        _idxPath = TokenShard.IndexPath(binPath);
        _type = type;
        _bin = Create(binPath + PartialEnding);
    }

    /// <summary>Tokens written so far.</summary>
    public long TokenCount { get; private set; }

    /// <summary>Documents written so far.</summary>
    public int DocumentCount => _lengths.Count;

    /// <summary>Appends one document.</summary>
    /// <param name="tokens">Its token ids, the end-of-text token included.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is negative or does not fit the token type.</exception>
    public void WriteDocument(ReadOnlySpan<int> tokens)
    {
        int bytes = checked(tokens.Length * _type.Size());
        if (_encoded.Length < bytes)
        {
            _encoded = new byte[Math.Max(bytes, (int)Math.Min(2L * _encoded.Length, Array.MaxLength))];
        }

        if (_type == TokenType.U16)
        {
            Span<ushort> ids = MemoryMarshal.Cast<byte, ushort>(_encoded.AsSpan(0, bytes));
            for (int i = 0; i < tokens.Length; i++)
            {
                Check(tokens[i], ushort.MaxValue);
                ids[i] = (ushort)tokens[i];
            }
        }
        else
        {
            foreach (int id in tokens)
            {
                Check(id, int.MaxValue);
            }

            MemoryMarshal.AsBytes(tokens).CopyTo(_encoded);
        }

        _bin.Write(_encoded, 0, bytes);
        _hash.AppendData(_encoded, 0, bytes);
        _lengths.Add(tokens.Length);
        TokenCount += tokens.Length;
    }

    /// <summary>Writes the index, flushes both files to disk and gives them their names; the index comes last.</summary>
    /// <returns>Counts and checksums.</returns>
    public WrittenShard Complete()
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        string idxPartial = _idxPath + PartialEnding;
        using (FileStream idx = Create(idxPartial))
        {
            MegatronIndex.Write(idx, _type, CollectionsMarshal.AsSpan(_lengths));
            idx.Flush(flushToDisk: true);
        }

        _bin.Flush(flushToDisk: true);
        _bin.Dispose();
        string idxHash;
        using (FileStream idx = File.OpenRead(idxPartial))
        {
            idxHash = Convert.ToHexStringLower(SHA256.HashData(idx));
        }

        File.Move(_binPath + PartialEnding, _binPath, overwrite: true);
        File.Move(idxPartial, _idxPath, overwrite: true);
        _completed = true;
        return new WrittenShard(_lengths.Count, TokenCount, Convert.ToHexStringLower(_hash.GetHashAndReset()), idxHash);
    }

    /// <summary>Closes the shard; if it was not completed, removes its files.</summary>
    public void Dispose()
    {
        _bin.Dispose();
        _hash.Dispose();
        if (!_completed)
        {
            File.Delete(_binPath + PartialEnding);
            File.Delete(_idxPath + PartialEnding);
        }
    }

    private static void Check(int id, int limit)
    {
        if ((uint)id > (uint)limit)
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, $"A token id must lie in [0, {limit}].");
        }
    }

    private static FileStream Create(string path) => new(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16);
}
