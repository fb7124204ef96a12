namespace Saltern.Shards;

/// <summary>Checks a manifest against itself, before any of its numbers or paths is used.</summary>
internal static class DatasetManifestCheck
{
    /// <summary>What is wrong, as a sentence; null where nothing is.</summary>
    public static string? FirstProblem(DatasetManifest manifest)
    {
        if (manifest.Schema != DatasetManifest.CurrentSchema)
        {
            return $"schema is '{manifest.Schema}', expected '{DatasetManifest.CurrentSchema}'.";
        }

        if (manifest.VocabularySize < 1 || manifest.EndOfTextId < 0 || manifest.EndOfTextId >= manifest.VocabularySize)
        {
            return $"end_of_text_id = {manifest.EndOfTextId} is outside the vocabulary of {manifest.VocabularySize} ids.";
        }

        TokenType type = TokenTypes.ForVocabulary(manifest.VocabularySize);
        if (manifest.TokenDtype != type.Name())
        {
            return $"token_dtype is '{manifest.TokenDtype}', expected '{type.Name()}' for a vocabulary of {manifest.VocabularySize}.";
        }

        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (DomainManifest domain in manifest.Domains)
        {
            if (domain is null || !names.Add(domain.Name))
            {
                return $"domain '{domain?.Name}' is listed twice or is null.";
            }
        }

        foreach ((DomainManifest domain, string split, SplitManifest shard) in manifest.Shards())
        {
            if (!IsInside(shard.File) || !shard.File.EndsWith(".bin", StringComparison.Ordinal))
            {
                return $"file '{shard.File}' ({domain.Name}, {split}) is not a .bin file inside the folder.";
            }

            if (shard.Documents < 0 || shard.Tokens < shard.Documents || shard.Bytes < 0)
            {
                return $"{domain.Name}, {split} has {shard.Documents} documents, {shard.Tokens} tokens, "
                    + $"{shard.Bytes} bytes; every document has at least one token.";
            }
        }

        string fingerprint = manifest.ComputeFingerprint();
        if (manifest.Fingerprint == fingerprint)
        {
            return null;
        }

        return $"fingerprint is '{manifest.Fingerprint}', expected '{fingerprint}' from the checksums it lists; the file was changed.";
    }

    /// <summary>Whether a path names a file below the folder it is relative to.</summary>
    public static bool IsInside(string file) =>
        file.Length > 0
        && !Path.IsPathRooted(file)
        && !file.Contains('\\', StringComparison.Ordinal)
        && !file.Contains(':', StringComparison.Ordinal)
        && file.Split('/').All(part => part is not ("" or "." or ".."));
}
