using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>What <see cref="TokenShardWriter.Complete"/> wrote.</summary>
/// <param name="Documents">Number of documents, each one sequence.</param>
/// <param name="Tokens">Number of tokens, end-of-text included.</param>
/// <param name="BinSha256">SHA-256 of the <c>.bin</c> file, lower-case hexadecimal.</param>
/// <param name="IdxSha256">SHA-256 of the <c>.idx</c> file, lower-case hexadecimal.</param>
internal sealed record WrittenShard(long Documents, long Tokens, string BinSha256, string IdxSha256);

/// <summary>Writes a token shard document by document.</summary>
/// <remarks>
/// Both files are written under <c>.partial</c> names, flushed to disk and renamed by <see cref="Complete"/>; without that call nothing under
/// the final names changes and <see cref="Dispose"/> removes what was written. Lengths of documents wait in a third file until the index is written,
/// so memory does not grow with the shard.
/// </remarks>
internal sealed class TokenShardWriter : IDisposable
{
    /// <summary>Ending of files that are not finished.</summary>
    internal const string PartialEnding = ".partial";

    // 1 MiB of lengths; more are written out.
    private const int LengthsHeld = 1 << 18;

    private readonly string _binPath;
    private readonly string _idxPath;
    private readonly TokenType _type;
    private readonly FileStream _bin;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash _lengthsHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<int> _lengths = [];
    private byte[] _encoded = new byte[1 << 16];
    private bool _keeps;

    /// <summary>Begins a shard.</summary>
    /// <param name="binPath">Path that ends in <c>.bin</c>; the index gets the same name with <c>.idx</c>. The folder must exist.</param>
    /// <param name="type">How ids are stored.</param>
    public TokenShardWriter(string binPath, TokenType type)
        : this(binPath, type, FileMode.Create)
    {
        Disk.Current.Delete(LengthsPath);
    }

    private TokenShardWriter(string binPath, TokenType type, FileMode mode)
    {
        ArgumentNullException.ThrowIfNull(binPath);
        _binPath = binPath;
        _idxPath = TokenShard.IndexPath(binPath);
        _type = type;
        _bin = Disk.Current.Open(binPath + PartialEnding, mode, FileAccess.ReadWrite, FileShare.None, 1 << 16);
    }

    /// <summary>Tokens written so far.</summary>
    public long TokenCount { get; private set; }

    /// <summary>Documents written so far.</summary>
    public long DocumentCount { get; private set; }

    private string LengthsPath => _binPath + ".lengths" + PartialEnding;

    /// <summary>Resumes a shard that <see cref="Suspend"/> or a kill left, cut back to what is known to be on disk.</summary>
    /// <param name="binPath">As it was given at first.</param>
    /// <param name="type">As it was given at first.</param>
    /// <param name="state">What to keep, with its checksums.</param>
    /// <exception cref="DataFormatException">The files hold less than that, or something else.</exception>
    internal static TokenShardWriter Reopen(string binPath, TokenType type, ShardState state)
    {
        (long documents, long tokens) = (state.Documents, state.Tokens);

        // A run that was killed while it finished has renamed the file already.
        if (!File.Exists(binPath + PartialEnding) && File.Exists(binPath))
        {
            Disk.Current.Rename(binPath, binPath + PartialEnding);
        }

        TokenShardWriter writer = new(binPath, type, FileMode.OpenOrCreate)
        {
            TokenCount = tokens,
            DocumentCount = documents,
        };
        using FileStream lengths = Disk.Current.Open(
            writer.LengthsPath,
            FileMode.OpenOrCreate,
            FileAccess.ReadWrite,
            FileShare.None
        );
        long found = writer._bin.Length;
        long expected = tokens * type.Size();
        if (found < expected || lengths.Length < documents * sizeof(int))
        {
            (string file, long has, long needs) = (writer.LengthsPath, lengths.Length, documents * sizeof(int));
            if (found < expected)
            {
                (file, has, needs) = (binPath + PartialEnding, found, expected);
            }

            writer.Dispose();
            throw new DataFormatException(
                $"'{file}' has {has} bytes, expected at least {needs} of the interrupted run. "
                    + "What is left of it is removed; run the command again to begin anew."
            );
        }

        lengths.SetLength(documents * sizeof(int));
        writer._bin.SetLength(tokens * type.Size());
        HashWhole(writer._bin, writer._hash);
        HashWhole(lengths, writer._lengthsHash);
        if (
            (state.BinSha256 ?? writer.BinSha256()) != writer.BinSha256()
            || (state.LengthsSha256 ?? writer.LengthsSha256()) != writer.LengthsSha256()
        )
        {
            bool isBinWhole = state.BinSha256 == writer.BinSha256();
            string damaged = isBinWhole ? writer.LengthsPath : binPath + PartialEnding;
            writer.Dispose();
            throw new DataFormatException(
                $"'{damaged}' does not have the checksum that {PrepareJournal.FileName} says: it is damaged. "
                    + "What is left of the interrupted run is removed; run the command again to begin anew."
            );
        }

        return writer;
    }

    /// <summary>SHA-256 of the tokens written so far, lower-case hexadecimal.</summary>
    internal string BinSha256() => Convert.ToHexStringLower(_hash.GetCurrentHash());

    /// <summary>SHA-256 of the lengths that <see cref="Flush"/> has written so far, lower-case hexadecimal.</summary>
    internal string LengthsSha256() => Convert.ToHexStringLower(_lengthsHash.GetCurrentHash());

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
        DocumentCount++;
        TokenCount += tokens.Length;
        if (_lengths.Count == LengthsHeld)
        {
            WriteLengths(toDisk: false);
        }
    }

    /// <summary>Brings everything written so far to the disk.</summary>
    public void Flush()
    {
        _bin.Flush(flushToDisk: true);
        WriteLengths(toDisk: true);
    }

    /// <summary>Writes the index, flushes both files to disk and gives them their names; the index comes last.</summary>
    /// <returns>Counts and checksums.</returns>
    public WrittenShard Complete()
    {
        ObjectDisposedException.ThrowIf(_keeps, this);
        Flush();
        _bin.Dispose();
        string idxPartial = _idxPath + PartialEnding;
        WholeFile.WriteFlushed(idxPartial, idx => MegatronIndex.Write(idx, _type, DocumentCount, ReadLengths));
        string idxHash;
        using (FileStream idx = Disk.Current.OpenRead(idxPartial))
        {
            idxHash = Convert.ToHexStringLower(SHA256.HashData(idx));
        }

        WholeFile.Publish(_binPath + PartialEnding, _binPath);
        WholeFile.Publish(idxPartial, _idxPath);
        _keeps = true;
        return new WrittenShard(DocumentCount, TokenCount, Convert.ToHexStringLower(_hash.GetHashAndReset()), idxHash);
    }

    /// <summary>Removes the file of lengths, once no interrupted run can want it any more.</summary>
    internal void RemoveLengths() => Disk.Current.Delete(LengthsPath);

    /// <summary>Closes the shard and leaves its files for <see cref="Reopen"/>.</summary>
    internal void Suspend()
    {
        _keeps = true;
        Dispose();
    }

    /// <summary>Closes the shard; if it was not completed, removes its files.</summary>
    public void Dispose()
    {
        _bin.Dispose();
        _hash.Dispose();
        _lengthsHash.Dispose();
        if (!_keeps)
        {
            Disk.Current.Delete(_binPath + PartialEnding);
            Disk.Current.Delete(_idxPath + PartialEnding);
            RemoveLengths();
        }
    }

    private static void HashWhole(FileStream file, IncrementalHash hash)
    {
        byte[] buffer = new byte[1 << 20];
        for (int read = file.Read(buffer); read > 0; read = file.Read(buffer))
        {
            hash.AppendData(buffer, 0, read);
        }
    }

    private static void Check(int id, int limit)
    {
        if ((uint)id > (uint)limit)
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, $"A token id must lie in [0, {limit}].");
        }
    }

    // Opened for each part: a data set of many domains would otherwise hold twice as many files open.
    private void WriteLengths(bool toDisk)
    {
        using FileStream file = Disk.Current.Open(LengthsPath, FileMode.Append, FileAccess.Write, FileShare.None, 1);
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_lengths));
        file.Write(bytes);
        _lengthsHash.AppendData(bytes);
        _lengths.Clear();
        file.Flush(toDisk);
    }

    private IEnumerable<int> ReadLengths()
    {
        using FileStream file = Disk.Current.Open(
            LengthsPath,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1 << 16,
            FileOptions.SequentialScan
        );
        byte[] number = new byte[sizeof(int)];
        while (file.ReadAtLeast(number, sizeof(int), throwOnEndOfStream: false) == sizeof(int))
        {
            yield return BitConverter.ToInt32(number);
        }
    }
}
