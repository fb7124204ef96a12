using System.Security.Cryptography;
using Saltern.Tokenization;

namespace Saltern.Data;

/// <summary>One domain of an open data set.</summary>
/// <param name="Manifest">Name, counts and checksums.</param>
/// <param name="Train">The training text; <see langword="null"/> where the domain has none.</param>
/// <param name="Valid">The validation text; <see langword="null"/> where the domain has none.</param>
public sealed record DatasetDomain(DomainManifest Manifest, TokenShard? Train, TokenShard? Valid)
{
    /// <summary>The domain's name.</summary>
    public string Name => Manifest.Name;
}

/// <summary>A prepared data set, opened for reading; it owns its shards.</summary>
public sealed class TokenDataset : IDisposable
{
    private TokenDataset(string folder, DatasetManifest manifest, IReadOnlyList<DatasetDomain> domains)
    {
        Folder = folder;
        Manifest = manifest;
        Domains = domains;
    }

    /// <summary>The data set's folder.</summary>
    public string Folder { get; }

    /// <summary>What the data set says of itself.</summary>
    public DatasetManifest Manifest { get; }

    /// <summary>Stands for the data as a whole; see <see cref="DatasetManifest.Fingerprint"/>.</summary>
    public string Fingerprint => Manifest.Fingerprint;

    /// <summary>The data set's copy of its tokenizer.</summary>
    public string TokenizerPath => Path.Combine(Folder, DatasetManifest.TokenizerFileName);

    /// <summary>The domains, in ordinal order of their names.</summary>
    public IReadOnlyList<DatasetDomain> Domains { get; }

    /// <summary>Opens a data set and checks it.</summary>
    /// <remarks>Headers, indices and sizes are always checked; that reads the <c>.idx</c> files and no token.</remarks>
    /// <param name="folder">The folder that `prepare` wrote.</param>
    /// <param name="verify">Also reads every file and compares checksums, the range of all token ids, and the tokenizer's fingerprint.</param>
    /// <param name="cancellation">Ends the check.</param>
    /// <exception cref="DataFormatException">The folder is not a finished data set, or its manifest is damaged.</exception>
    /// <exception cref="ConfigurationException">Files are missing, cut short, or not those of the manifest; all are listed.</exception>
    public static TokenDataset Open(string folder, bool verify = false, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        DatasetManifest manifest = DatasetManifest.Load(folder);
        List<string> problems = [];
        List<DatasetDomain> domains = [];
        TokenDataset dataset = new(folder, manifest, domains);
        bool whole = false;
        try
        {
            dataset.CheckTokenizer(verify, problems);
            foreach (DomainManifest domain in manifest.Domains)
            {
                TokenShard? train = dataset.OpenShard(domain.Train, verify, problems, cancellation);
                domains.Add(new DatasetDomain(domain, train, null));
                domains[^1] = domains[^1] with { Valid = dataset.OpenShard(domain.Valid, verify, problems, cancellation) };
            }

            whole = problems.Count == 0;
            return whole ? dataset : throw new ConfigurationException(problems);
        }
        finally
        {
            if (!whole)
            {
                dataset.Dispose();
            }
        }
    }

    /// <summary>Closes every shard.</summary>
    public void Dispose()
    {
        foreach (DatasetDomain domain in Domains)
        {
            domain.Train?.Dispose();
            domain.Valid?.Dispose();
        }
    }

    private void CheckTokenizer(bool verify, List<string> problems)
    {
        if (!File.Exists(TokenizerPath))
        {
            problems.Add($"'{TokenizerPath}' is missing. Restore the file or run `saltern prepare` again.");
        }
        else if (verify)
        {
            try
            {
                string found = BpeTokenizer.Load(TokenizerPath).Fingerprint;
                if (found != Manifest.TokenizerFingerprint)
                {
                    problems.Add($"'{TokenizerPath}' has fingerprint {found}, expected {Manifest.TokenizerFingerprint}. Restore the file or run `saltern prepare` again.");
                }
            }
            catch (DataFormatException e)
            {
                problems.Add(e.Message);
            }
        }
    }

    private TokenShard? OpenShard(SplitManifest? expected, bool verify, List<string> problems, CancellationToken cancellation)
    {
        if (expected is null)
        {
            return null;
        }

        TokenShard? shard = null;
        try
        {
            string path = Path.Combine(Folder, expected.File);
            shard = TokenShard.Open(path);
            CheckCounts(shard, expected, problems);
            if (verify)
            {
                CheckHash(path, expected.BinSha256, problems, cancellation);
                CheckHash(TokenShard.IndexPath(path), expected.IdxSha256, problems, cancellation);
                long outside = shard.FindTokenOutside(Manifest.VocabularySize);
                if (outside >= 0)
                {
                    problems.Add($"'{path}' has a token outside the vocabulary of {Manifest.VocabularySize} at position {outside}. Run `saltern prepare` again.");
                }
            }

            return shard;
        }
        catch (Exception e) when (e is DataFormatException or IOException or UnauthorizedAccessException)
        {
            problems.Add(e.Message);
            shard?.Dispose();
            return null;
        }
    }

    private void CheckCounts(TokenShard shard, SplitManifest expected, List<string> problems)
    {
        if (shard.Type.Name() != Manifest.TokenDtype)
        {
            problems.Add($"'{shard.Path}' stores {shard.Type.Name()}, expected {Manifest.TokenDtype} as in {DatasetManifest.FileName}.");
        }

        if (shard.TokenCount != expected.Tokens || shard.DocumentCount != expected.Documents)
        {
            problems.Add(
                $"'{shard.Path}' has {shard.TokenCount} tokens in {shard.DocumentCount} documents, expected {expected.Tokens} in {expected.Documents} as in "
                + $"{DatasetManifest.FileName}. Restore the file or run `saltern prepare` again.");
        }
    }

    private static void CheckHash(string path, string expected, List<string> problems, CancellationToken cancellation)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        byte[] buffer = new byte[1 << 20];
        for (int read = file.Read(buffer); read > 0; read = file.Read(buffer))
        {
            cancellation.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }

        string found = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (found != expected)
        {
            problems.Add($"'{path}' has SHA-256 {found}, expected {expected} as in {DatasetManifest.FileName}. Restore the file or run `saltern prepare` again.");
        }
    }
}
