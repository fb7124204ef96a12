using System.Security.Cryptography;
using Saltern.Tokenization;

namespace Saltern.Shards;

/// <summary>One domain of an open data set.</summary>
/// <param name="Manifest">Name, counts and checksums.</param>
/// <param name="Train">The training text; <see langword="null"/> where the domain has none.</param>
/// <param name="Valid">The validation text; <see langword="null"/> where the domain has none.</param>
internal sealed record DatasetDomain(DomainManifest Manifest, TokenShard? Train, TokenShard? Valid)
{
    /// <summary>The domain's name.</summary>
    public string Name => Manifest.Name;
}

/// <summary>A prepared data set, opened for reading; it owns its shards.</summary>
public sealed class TokenDataset : IDisposable
{
    internal TokenDataset(string folder, DatasetManifest manifest, IReadOnlyList<DatasetDomain> domains)
    {
        Folder = folder;
        Manifest = manifest;
        Domains = domains;
        TokenizerPath = Path.Combine(folder, DatasetManifest.TokenizerFileName);
    }

    /// <summary>The data set's folder; of token data that other programs wrote, the path that was given.</summary>
    public string Folder { get; }

    /// <summary>What the data set says of itself; of token data that other programs wrote, what was found: its domains then have no counts.</summary>
    internal DatasetManifest Manifest { get; }

    /// <summary>Stands for the data as a whole; see <see cref="DatasetManifest.Fingerprint"/>.</summary>
    public string Fingerprint => Manifest.Fingerprint;

    /// <summary>The data set's copy of its tokenizer, or the tokenizer that was named for it.</summary>
    public string TokenizerPath { get; init; }

    /// <summary>
    /// Whether other programs wrote the tokens: nothing then proves that the tokenizer belongs to them, and the fingerprint is that of sampled blocks.
    /// </summary>
    internal bool IsUnverified { get; init; }

    /// <summary>The domains, in ordinal order of their names.</summary>
    internal IReadOnlyList<DatasetDomain> Domains { get; }

    /// <summary>Opens a data set and checks it.</summary>
    /// <remarks>Headers, indices and sizes are always checked; that reads the <c>.idx</c> files and no token.</remarks>
    /// <param name="folder">The folder that `prepare` wrote.</param>
    /// <param name="verify">Also reads every file and compares checksums, the range of all token ids, and the tokenizer's fingerprint.</param>
    /// <param name="cancellation">Ends the check.</param>
    /// <exception cref="DataFormatException">The folder is not a finished data set, or its manifest is damaged.</exception>
    /// <exception cref="ConfigurationException">Files are missing, cut short, or not those of the manifest; all are listed.</exception>
    public static TokenDataset Open(string folder, bool verify = false, CancellationToken cancellation = default) =>
        Open(folder, verify ? VerifiedFiles.None : null, cancellation);

    /// <summary>Opens what a recipe names: a data set, or token data that other programs wrote. Each file is read whole once, and its outcome remembered.</summary>
    /// <param name="path">Folder or file that <c>data.path</c> names.</param>
    /// <param name="tokenizer">The <c>tokenizer.json</c> of token data that other programs wrote; null for a data set, which has its own.</param>
    /// <param name="verifyAgain">Whether to read every file whole even where that was done before.</param>
    /// <param name="cancellation">Ends the check.</param>
    /// <exception cref="DataFormatException">The path leads to no token data, or a manifest or tokenizer is damaged.</exception>
    /// <exception cref="ConfigurationException">Files are missing, cut short, or not what they should be, or the tokenizer is named where it may not or not where it must; all are listed.</exception>
    public static TokenDataset OpenAny(
        string path,
        string? tokenizer,
        bool verifyAgain = false,
        CancellationToken cancellation = default
    ) => OpenAny(path, tokenizer, verifyAgain, VerifiedFiles.UserFolder, cancellation);

    /// <summary>As the other, with another folder for what is remembered where it cannot lie beside the data.</summary>
    internal static TokenDataset OpenAny(
        string path,
        string? tokenizer,
        bool verifyAgain,
        string? userFolder,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(path);
        VerifiedFiles verified = VerifiedFiles.Of(path, verifyAgain, userFolder);
        bool isPrepared = File.Exists(Path.Combine(path, DatasetManifest.FileName));
        bool isOwn = isPrepared || DatasetFolder.IsUnfinished(path);
        IReadOnlyList<string> files = isOwn ? [] : ForeignTokenData.Find(path);
        if (files.Count == 0)
        {
            if (tokenizer is null || !isPrepared)
            {
                return Open(path, verified, cancellation);
            }

            throw new ConfigurationException(
                $"data.tokenizer = {tokenizer} would be ignored: the data set {path} has its own tokenizer. Leave the key out."
            );
        }

        if (tokenizer is not null)
        {
            return ForeignTokenData.Open(path, files, tokenizer, verified, cancellation);
        }

        string others = files.Count > 1 ? " and others" : "";
        throw new ConfigurationException(
            $"data.path = {path} has tokens ('{Path.GetFileName(files[0])}'{others}) without a "
                + $"{DatasetManifest.FileName} that says what made them. "
                + "Name the tokenizer: data.tokenizer: PATH of its tokenizer.json."
        );
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

    private static TokenDataset Open(string folder, VerifiedFiles? verified, CancellationToken cancellation)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        DatasetManifest manifest = DatasetManifest.Load(folder);
        List<string> problems = [];
        List<DatasetDomain> domains = [];
        TokenDataset dataset = new(folder, manifest, domains);
        bool whole = false;
        try
        {
            dataset.CheckTokenizer(verified is not null, problems);
            foreach (DomainManifest domain in manifest.Domains)
            {
                TokenShard? train = dataset.OpenShard(domain.Train, verified, problems, cancellation);
                domains.Add(new DatasetDomain(domain, train, null));
                domains[^1] = domains[^1] with
                {
                    Valid = dataset.OpenShard(domain.Valid, verified, problems, cancellation),
                };
            }

            whole = problems.Count == 0;
            verified?.Save();
            if (whole)
            {
                return dataset;
            }

            throw new ConfigurationException(problems);
        }
        finally
        {
            if (!whole)
            {
                dataset.Dispose();
            }
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
                string bytes = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(TokenizerPath)));
                string found = BpeTokenizer.Load(TokenizerPath).Fingerprint;
                if (found != Manifest.TokenizerFingerprint)
                {
                    problems.Add(
                        $"'{TokenizerPath}' has fingerprint {found}, expected {Manifest.TokenizerFingerprint}. "
                            + "Restore the file or run `saltern prepare` again."
                    );
                }
                else if (Manifest.TokenizerSha256 is string expected && bytes != expected)
                {
                    problems.Add(
                        $"'{TokenizerPath}' has SHA-256 {bytes}, "
                            + $"expected {expected} as in {DatasetManifest.FileName}. "
                            + "Restore the file or run `saltern prepare` again."
                    );
                }
            }
            catch (DataFormatException e)
            {
                problems.Add(e.Message);
            }
        }
    }

    private TokenShard? OpenShard(
        SplitManifest? expected,
        VerifiedFiles? verified,
        List<string> problems,
        CancellationToken cancellation
    )
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
            if (verified is not null)
            {
                Verify(verified, shard, expected, problems, cancellation);
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
            problems.Add(
                $"'{shard.Path}' stores {shard.Type.Name()}, expected {Manifest.TokenDtype} as in {DatasetManifest.FileName}."
            );
        }

        if (shard.TokenCount != expected.Tokens || shard.DocumentCount != expected.Documents)
        {
            problems.Add(
                $"'{shard.Path}' has {shard.TokenCount} tokens in {shard.DocumentCount} documents, "
                    + $"expected {expected.Tokens} in {expected.Documents} as in "
                    + $"{DatasetManifest.FileName}. Restore the file or run `saltern prepare` again."
            );
        }
    }

    private void Verify(
        VerifiedFiles verified,
        TokenShard shard,
        SplitManifest expected,
        List<string> problems,
        CancellationToken cancellation
    )
    {
        string index = TokenShard.IndexPath(shard.Path);
        string claim = $"{expected.BinSha256}, ids below {Manifest.VocabularySize}";
        if (!verified.IsKnown(shard.Path, claim))
        {
            bool isSame = CheckHash(shard.Path, expected.BinSha256, problems, cancellation);
            long outside = shard.FindTokenOutside(Manifest.VocabularySize);
            if (outside >= 0)
            {
                problems.Add(
                    $"'{shard.Path}' has a token outside the vocabulary of {Manifest.VocabularySize} at "
                        + $"position {outside}. Run `saltern prepare` again."
                );
            }
            else if (isSame)
            {
                verified.Remember(shard.Path, claim);
            }
        }

        if (
            !verified.IsKnown(index, expected.IdxSha256) && CheckHash(index, expected.IdxSha256, problems, cancellation)
        )
        {
            verified.Remember(index, expected.IdxSha256);
        }
    }

    private static bool CheckHash(string path, string expected, List<string> problems, CancellationToken cancellation)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using FileStream file = new(
            path,
            FileMode.Open,
            FileAccess.Read,
            FileShare.Read,
            1,
            FileOptions.SequentialScan
        );
        byte[] buffer = new byte[1 << 20];
        for (int read = file.Read(buffer); read > 0; read = file.Read(buffer))
        {
            cancellation.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }

        string found = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (found != expected)
        {
            problems.Add(
                $"'{path}' has SHA-256 {found}, expected {expected} as in {DatasetManifest.FileName}. "
                    + "Restore the file or run `saltern prepare` again."
            );
        }

        return found == expected;
    }
}
