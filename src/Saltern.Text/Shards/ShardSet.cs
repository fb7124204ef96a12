using System.Text;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>The shards of a data set while it is written: one for each domain and split, opened when its first document comes.</summary>
internal sealed class ShardSet(DatasetFolder folder, TokenType type, int maxDomains) : IDisposable
{
    private const int MaxSlugLength = 64;

    private readonly SortedDictionary<string, Domain> _domains = new(StringComparer.Ordinal);
    private readonly HashSet<string> _slugs = new(StringComparer.OrdinalIgnoreCase);

    private IEnumerable<(string Domain, string Split, Shard Shard)> All =>
        _domains
            .SelectMany(pair =>
                new[]
                {
                    (pair.Key, DatasetFolder.Train, pair.Value.Train),
                    (pair.Key, DatasetFolder.Valid, pair.Value.Valid),
                }
            )
            .Where(shard => shard.Item3 is not null)
            .Select(shard => (shard.Key, shard.Item2, shard.Item3!));

    /// <summary>Appends one document to the shard it belongs to.</summary>
    /// <exception cref="DataFormatException">There are more domains than allowed.</exception>
    public void Write(SplitDocument document, ReadOnlySpan<int> tokens)
    {
        if (!_domains.TryGetValue(document.Domain, out Domain? domain))
        {
            if (_domains.Count == maxDomains)
            {
                string examples = string.Join(
                    ", ",
                    _domains.Keys.Take(5).Append(document.Domain).Select(name => $"'{name}'")
                );
                throw new DataFormatException(
                    $"The text has more than {maxDomains} domains (such as {examples}). "
                        + "Name a field that holds the domain and not, say, a title (--domain-field), or take the files' names "
                        + "(--domain file) or one domain for all (--domain none)."
                );
            }

            domain = new Domain(UniqueSlug(document.Domain));
            _domains.Add(document.Domain, domain);
        }

        string split = document.IsValid ? DatasetFolder.Valid : DatasetFolder.Train;
        ref Shard? shard = ref domain.Of(split);
        shard ??= Open($"{split}/{domain.Slug}.bin");
        shard.Writer.WriteDocument(tokens);
        shard.Bytes += document.Utf8.Length;
    }

    /// <summary>Brings every shard to the disk and says how far each has come.</summary>
    public List<ShardState> Flush()
    {
        List<ShardState> states = [];
        foreach ((string domain, string split, Shard shard) in All)
        {
            shard.Writer.Flush();
            states.Add(
                new ShardState(
                    domain,
                    split,
                    shard.File,
                    shard.Writer.DocumentCount,
                    shard.Writer.TokenCount,
                    shard.Bytes,
                    shard.Writer.BinSha256(),
                    shard.Writer.LengthsSha256()
                )
            );
        }

        // A flush of a file does not keep its name, and a shard may be new.
        foreach (string split in states.Select(state => state.Split).Distinct())
        {
            Disk.Current.FlushFolder(folder.FullPath(split));
        }

        return states;
    }

    /// <summary>Goes on with the shards of an interrupted run, cut back to the states given.</summary>
    public void Restore(IEnumerable<ShardState> states)
    {
        foreach (ShardState state in states)
        {
            if (!_domains.TryGetValue(state.Domain, out Domain? domain))
            {
                domain = new Domain(Path.GetFileNameWithoutExtension(state.File));
                _domains.Add(state.Domain, domain);
                _slugs.Add(domain.Slug);
            }

            domain.Of(state.Split) = new Shard(
                state.File,
                TokenShardWriter.Reopen(folder.FullPath(state.File), type, state)
            )
            {
                Bytes = state.Bytes,
            };
        }
    }

    /// <summary>Completes every shard and describes them.</summary>
    public List<DomainManifest> Complete() =>
        [
            .. _domains.Select(pair => new DomainManifest
            {
                Name = pair.Key,
                Train = Complete(pair.Value.Train),
                Valid = Complete(pair.Value.Valid),
            }),
        ];

    /// <summary>Removes what only an interrupted run would have wanted.</summary>
    public void RemoveLengths()
    {
        foreach ((_, _, Shard shard) in All)
        {
            shard.Writer.RemoveLengths();
        }
    }

    /// <summary>Closes every shard and leaves its files, for a later run to resume.</summary>
    public void Suspend()
    {
        foreach ((_, _, Shard shard) in All)
        {
            shard.Writer.Suspend();
        }
    }

    /// <summary>Closes every shard; those neither completed nor suspended are removed.</summary>
    public void Dispose()
    {
        foreach ((_, _, Shard shard) in All)
        {
            shard.Writer.Dispose();
        }
    }

    /// <summary>A file name for a domain: letters and digits of ASCII in lower case, and '-', '_', '.' inside; anything else becomes '-'.</summary>
    internal static string Slug(string domain)
    {
        StringBuilder slug = new();
        foreach (char c in domain.ToLowerInvariant())
        {
            bool stays = char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.';
            slug.Append(stays ? c : '-');
        }

        string trimmed = slug.ToString(0, Math.Min(slug.Length, MaxSlugLength)).Trim('-', '.');
        if (trimmed.Length > 0)
        {
            return trimmed;
        }

        return "domain";
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
        private Shard? _train;
        private Shard? _valid;

        public string Slug { get; } = slug;

        public Shard? Train => _train;

        public Shard? Valid => _valid;

        public ref Shard? Of(string split) => ref split == DatasetFolder.Valid ? ref _valid : ref _train;
    }

    private sealed class Shard(string file, TokenShardWriter writer)
    {
        public string File { get; } = file;

        public TokenShardWriter Writer { get; } = writer;

        public long Bytes { get; set; }
    }
}
