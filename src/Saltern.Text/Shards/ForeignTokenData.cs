using System.Security.Cryptography;
using System.Text;
using Saltern.Corpora;
using Saltern.Files;
using Saltern.Tokenization;

namespace Saltern.Shards;

/// <summary>Token data that other programs wrote, found by its files alone: Megatron shards, nanoGPT's and llm.c's files.</summary>
/// <remarks>
/// Each file is a domain, named by its own name without the word for the split. Where no file is validation text, the last documents of each domain are:
/// those that begin in the last <see cref="ValidPercent"/> % of its tokens.
/// </remarks>
internal static class ForeignTokenData
{
    /// <summary>Share of each domain, from its end, that becomes validation text where there is none.</summary>
    public const int ValidPercent = 1;

    private const string Schema = "saltern.foreign/1";

    private static readonly string[] TrainWords = ["train", "training"];
    private static readonly string[] ValidWords = ["val", "valid", "validation", "eval"];

    private static readonly char[] WordBorders = ['_', '-', '.', ' '];

    /// <summary>The <c>.bin</c> files that a path leads to; empty where it leads to none.</summary>
    /// <param name="path">A folder, a <c>.bin</c> or <c>.idx</c> file, or what Megatron calls a prefix: such a file without its ending.</param>
    public static IReadOnlyList<string> Find(string path)
    {
        if (Directory.Exists(path))
        {
            return [.. Directory.GetFiles(path, "*.bin").Order(StringComparer.Ordinal)];
        }

        string bin = Path.GetExtension(path) switch
        {
            ".idx" => Path.ChangeExtension(path, ".bin"),
            ".bin" => path,
            _ => path + ".bin",
        };
        if (File.Exists(bin))
        {
            return [bin];
        }

        return [];
    }

    /// <summary>Opens the files as a data set that is marked unverified.</summary>
    /// <param name="path">As the recipe names it.</param>
    /// <param name="tokenizerPath">The tokenizer that is said to have made the tokens.</param>
    /// <param name="verified">Which files were read before.</param>
    /// <exception cref="ConfigurationException">Something does not fit; every problem is listed.</exception>
    public static TokenDataset Open(
        string path,
        IReadOnlyList<string> files,
        string tokenizerPath,
        VerifiedFiles verified,
        CancellationToken cancellation
    )
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(tokenizerPath);
        List<string> problems = [];
        List<string> lines = [Schema, tokenizer.Fingerprint];
        SortedDictionary<string, (TokenShard? Train, TokenShard? Valid)> domains = new(StringComparer.Ordinal);
        foreach (string file in files)
        {
            cancellation.ThrowIfCancellationRequested();
            (string domain, bool isValid) = Place(Path.GetFileNameWithoutExtension(file));
            if (OpenFile(file, tokenizer, verified, problems, lines) is { } shard)
            {
                (TokenShard? train, TokenShard? valid) = domains.GetValueOrDefault(domain);
                if ((isValid ? valid : train) is { } other)
                {
                    string split = isValid ? "validation" : "training";
                    problems.Add(
                        $"'{file}' and '{other.Path}' are both {split} text of '{domain}'. Rename one of them."
                    );
                    other.Dispose();
                }

                domains[domain] = isValid ? (train, shard) : (shard, valid);
            }
        }

        if (problems.Count == 0 && domains.Values.All(domain => domain.Valid is null))
        {
            foreach (string domain in domains.Keys.ToArray())
            {
                domains[domain] = SplitOff(domains[domain].Train!, problems);
            }
        }

        if (problems.Count > 0)
        {
            foreach ((TokenShard? train, TokenShard? valid) in domains.Values)
            {
                train?.Dispose();
                valid?.Dispose();
            }

            throw new ConfigurationException(problems);
        }

        verified.Save();
        TokenType type = domains.Values.Select(domain => domain.Train ?? domain.Valid!).First().Type;
        var manifest = new DatasetManifest
        {
            Schema = Schema,
            Fingerprint =
                "unverified:"
                + Convert.ToHexStringLower(
                    SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + '\n'))))
                ),
            TokenizerFingerprint = tokenizer.Fingerprint,
            VocabularySize = tokenizer.VocabularySize,
            EndOfTextId = tokenizer.EndOfTextId,
            TokenDtype = type.Name(),
            Domains = [.. domains.Keys.Select(name => new DomainManifest { Name = name })],
        };
        return new TokenDataset(
            path,
            manifest,
            [
                .. manifest.Domains.Select(domain => new DatasetDomain(
                    domain,
                    domains[domain.Name].Train,
                    domains[domain.Name].Valid
                )),
            ]
        )
        {
            TokenizerPath = tokenizerPath,
            IsUnverified = true,
        };
    }

    /// <summary>Domain and split that a file's name stands for.</summary>
    internal static (string Domain, bool IsValid) Place(string stem)
    {
        string[] words = stem.Split(WordBorders);
        bool isValid = Array.Exists(words, ValidWords.Contains);
        string domain = string.Join(
            '_',
            words.Where(word => word.Length > 0 && !TrainWords.Contains(word) && !ValidWords.Contains(word))
        );
        return (domain.Length > 0 ? domain : CorpusFile.PlainTextDomain, isValid);
    }

    private static TokenShard? OpenFile(
        string file,
        BpeTokenizer tokenizer,
        VerifiedFiles verified,
        List<string> problems,
        List<string> lines
    )
    {
        try
        {
            TokenShard shard;
            string indexHash = "";
            if (File.Exists(TokenShard.IndexPath(file)))
            {
                shard = TokenShard.OpenForeign(file);
                indexHash = SampledHash.Of(TokenShard.IndexPath(file));
            }
            else
            {
                shard = TokenShard.OpenBare(BareTokenFile.Inspect(file), tokenizer.EndOfTextId);
            }

            lines.Add($"{Path.GetFileName(file)} {SampledHash.Of(file)} {indexHash}");
            string claim = $"ids below {tokenizer.VocabularySize}";
            if (!verified.IsKnown(file, claim))
            {
                long outside = shard.FindTokenOutside(tokenizer.VocabularySize);
                if (outside >= 0)
                {
                    problems.Add(
                        $"'{file}' has a token outside the vocabulary of {tokenizer.VocabularySize} ids at "
                            + $"position {outside}. Name the tokenizer that made it: data.tokenizer."
                    );
                }
                else
                {
                    verified.Remember(file, claim);
                }
            }

            return shard;
        }
        catch (Exception e) when (e is DataFormatException or IOException or UnauthorizedAccessException)
        {
            problems.Add(e.Message);
            return null;
        }
    }

    private static (TokenShard? Train, TokenShard? Valid) SplitOff(TokenShard shard, List<string> problems)
    {
        long border = shard.FirstDocumentFrom(shard.TokenCount - (shard.TokenCount * ValidPercent / 100));
        if (border == shard.TokenCount || border == 0)
        {
            problems.Add(
                $"'{shard.Path}' has no document that begins in the last {ValidPercent} % of its "
                    + $"{shard.TokenCount} tokens, and there is no validation text. "
                    + "Put a file beside it whose name has the word 'val'."
            );
            return (shard, null);
        }

        using (shard)
        {
            return (shard.Part(0, border), shard.Part(border, shard.TokenCount));
        }
    }
}
