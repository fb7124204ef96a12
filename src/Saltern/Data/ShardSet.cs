using System.Text;

namespace Saltern.Data;

/// <summary>The shards of a data set while it is written: one for each domain and split, opened when its first document comes.</summary>
internal sealed class ShardSet(DatasetFolder folder, TokenType type, int maxDomains) : IDisposable
{
    private const int MaxSlugLength = 64;

    private readonly SortedDictionary<string, Domain> _domains = new(StringComparer.Ordinal);
    private readonly HashSet<string> _slugs = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Appends one document to the shard it belongs to.</summary>
    /// <exception cref="DataFormatException">There are more domains than allowed.</exception>
    public void Write(SplitDocument document, ReadOnlySpan<int> tokens)
    {
        if (!_domains.TryGetValue(document.Domain, out Domain? domain))
        {
            if (_domains.Count == maxDomains)
            {
                string examples = string.Join(", ", _domains.Keys.Take(5).Append(document.Domain).Select(name => $"'{name}'"));
                throw new DataFormatException(
                    $"The text has more than {maxDomains} domains (such as {examples}). Name a field that holds the domain and not, say, a title.");
            }

            domain = new Domain(UniqueSlug(document.Domain));
            _domains.Add(document.Domain, domain);
        }

        string split = document.IsValid ? DatasetFolder.Valid : DatasetFolder.Train;
        ref Shard? shard = ref document.IsValid ? ref domain.Valid : ref domain.Train;
        shard ??= Open($"{split}/{domain.Slug}.bin");
        shard.Writer.WriteDocument(tokens);
        shard.Bytes += document.Utf8.Length;
    }

    /// <summary>Completes every shard and describes them.</summary>
    public List<DomainManifest> Complete() =>
        [.. _domains.Select(pair => new DomainManifest { Name = pair.Key, Train = Complete(pair.Value.Train), Valid = Complete(pair.Value.Valid) })];

    /// <summary>Closes every shard; those not completed are removed.</summary>
    public void Dispose()
    {
        foreach (Domain domain in _domains.Values)
        {
            domain.Train?.Writer.Dispose();
            domain.Valid?.Writer.Dispose();
        }
    }

    /// <summary>A file name for a domain: letters and digits of ASCII in lower case, and '-', '_', '.' inside; anything else becomes '-'.</summary>
    internal static string Slug(string domain)
    {
        StringBuilder slug = new();
        foreach (char c in domain.ToLowerInvariant())
        {
            slug.Append(char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '-');
        }

        string trimmed = slug.ToString(0, Math.Min(slug.Length, MaxSlugLength)).Trim('-', '.');
        return trimmed.Length > 0 ? trimmed : "domain";
    }

    private static SplitManifest? Complete(Shard? shard)
    {
        if (shard is null)
        {
            return null;
        }

        WrittenShard written = shard.Writer.Complete();
        return new SplitManifest
        {
            Documents = written.Documents,
            Tokens = written.Tokens,
            Bytes = shard.Bytes,
            File = shard.File,
            BinSha256 = written.BinSha256,
            IdxSha256 = written.IdxSha256,
        };
    }

    private string UniqueSlug(string domain)
    {
        string slug = Slug(domain);
        string unique = slug;
        for (int number = 2; !_slugs.Add(unique); number++)
        {
            unique = $"{slug}-{number}";
        }

        return unique;
    }

    private Shard Open(string file) => new(file, new TokenShardWriter(folder.FullPath(file), type));

    private sealed class Domain(string slug)
    {
        public Shard? Train;
        public Shard? Valid;

        public string Slug { get; } = slug;
    }

    private sealed class Shard(string file, TokenShardWriter writer)
    {
        public string File { get; } = file;

        public TokenShardWriter Writer { get; } = writer;

        public long Bytes { get; set; }
    }
}
