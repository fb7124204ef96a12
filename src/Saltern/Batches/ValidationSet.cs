using Saltern.Shards;

namespace Saltern.Batches;

/// <summary>A document of a validation set.</summary>
/// <param name="Domain">Index of the domain.</param>
/// <param name="Document">Index of the document in its shard.</param>
/// <param name="FirstTarget">Its first target in <see cref="ValidationSet.Labels"/>, counted over all windows.</param>
/// <param name="TargetCount">Its targets in the set, end-of-text included.</param>
/// <param name="Positions">Positions from its first target to its last: more than its targets where some between do not count, as in a conversation.</param>
internal sealed record ValidationDocument(int Domain, int Document, long FirstTarget, int TargetCount, int Positions);

/// <summary>Fixed validation text: the same tokens in the same windows for every run.</summary>
/// <remarks>
/// Per domain a stream of documents in hash order behind one end-of-text token; every target counts once, window i scoring tokens
/// i·T + 1 … (i + 1)·T in its own context (docs/method.md, "Measures"). A domain's last window is padded with targets that do not count.
/// </remarks>
internal sealed class ValidationSet
{
    /// <summary>Label of a position that does not count.</summary>
    public const long NotCounted = -1;

    private ValidationSet(
        int sequenceLength,
        IReadOnlyList<int> domains,
        long[] inputs,
        long[] labels,
        IReadOnlyList<ValidationDocument> documents
    )
    {
        (SequenceLength, WindowDomains, Inputs, Labels, Documents) = (
            sequenceLength,
            domains,
            inputs,
            labels,
            documents
        );
    }

    /// <summary>Samples of a reader, all of them, as windows: fine-tuning is validated on packed examples.</summary>
    /// <param name="reader">Its samples, domain after domain, are the windows.</param>
    /// <param name="documents">Where the documents lie, counted over all windows, in the order of their targets.</param>
    internal static ValidationSet Of(ISampleReader reader, IReadOnlyList<ValidationDocument> documents)
    {
        int length = reader.SequenceLength;
        (int Domain, long Index)[] samples = [.. new SampleKeys(reader.Sizes)];
        long[] inputs = new long[samples.Length * length];
        long[] labels = new long[samples.Length * length];
        int[] first = new int[inputs.Length];
        int[] end = new int[inputs.Length];
        for (int i = 0; i < samples.Length; i++)
        {
            int at = i * length;
            reader.Read(
                samples[i].Domain,
                samples[i].Index,
                inputs.AsSpan(at, length),
                labels.AsSpan(at, length),
                first.AsSpan(at, length),
                end.AsSpan(at, length)
            );
        }

        return new ValidationSet(length, [.. samples.Select(sample => sample.Domain)], inputs, labels, documents)
        {
            Ranges = reader.HasRanges ? (first, end) : null,
        };
    }

    /// <summary>T.</summary>
    public int SequenceLength { get; }

    /// <summary>Domain of each window.</summary>
    public IReadOnlyList<int> WindowDomains { get; }

    /// <summary>Input ids, [windows · T].</summary>
    public long[] Inputs { get; }

    /// <summary>Target ids, [windows · T]; negative where a position does not count.</summary>
    public long[] Labels { get; }

    /// <summary>First key that each position sees and one past the last, [windows · T] each; null for causal windows.</summary>
    public (int[] First, int[] End)? Ranges { get; private init; }

    /// <summary>The documents, in the order of their targets.</summary>
    public IReadOnlyList<ValidationDocument> Documents { get; }

    /// <summary>Targets that count.</summary>
    public long TargetCount => Documents.Sum(document => (long)document.TargetCount);

    /// <summary>Takes about <paramref name="tokens"/> tokens of validation text, every domain in its share.</summary>
    /// <param name="shards">Validation shard of each domain; null where a domain has none.</param>
    /// <param name="tokens">Tokens wanted; all there is where there is less.</param>
    /// <param name="wholeDocuments">Whether the last document of a domain is taken whole (the set is then a little larger) or cut.</param>
    /// <param name="endOfText">Id that stands before the first document of a domain.</param>
    /// <exception cref="DataFormatException">There is no validation text.</exception>
    public static ValidationSet Create(
        IReadOnlyList<TokenShard?> shards,
        int sequenceLength,
        long tokens,
        bool wholeDocuments,
        int endOfText
    )
    {
        long available = shards.Sum(shard => shard?.TokenCount ?? 0);
        if (available == 0)
        {
            throw new DataFormatException(
                "The data set has no validation text. "
                    + "Prepare it again with a larger --valid-percent, with --valid, or, "
                    + "where it is one text file, with --text-piece-bytes 4000."
            );
        }

        var windows = new List<int>();
        var inputs = new List<long>();
        var labels = new List<long>();
        var documents = new List<ValidationDocument>();
        long share = Math.Min(tokens, available);
        for (int domain = 0; domain < shards.Count; domain++)
        {
            if (shards[domain] is TokenShard shard && shard.TokenCount > 0)
            {
                long quota = Math.Max(1, (long)((double)share * shard.TokenCount / available));
                long[] stream = DomainStream(shard, domain, quota, wholeDocuments, endOfText, labels.Count, documents);
                for (int start = 0; start < stream.Length - 1; start += sequenceLength)
                {
                    windows.Add(domain);
                    for (int i = start; i < start + sequenceLength; i++)
                    {
                        inputs.Add(i < stream.Length - 1 ? stream[i] : endOfText);
                        labels.Add(i < stream.Length - 1 ? stream[i + 1] : NotCounted);
                    }
                }
            }
        }

        return new ValidationSet(sequenceLength, windows, [.. inputs], [.. labels], documents);
    }

    private static long[] DomainStream(
        TokenShard shard,
        int domain,
        long quota,
        bool wholeDocuments,
        int endOfText,
        long firstTarget,
        List<ValidationDocument> documents
    )
    {
        var stream = new List<long> { endOfText };
        foreach (int document in Enumerable.Range(0, shard.DocumentCount).OrderBy(i => KeyedPermutation.Mix((ulong)i)))
        {
            long left = quota - (stream.Count - 1);
            if (left <= 0)
            {
                break;
            }

            int length = wholeDocuments
                ? shard.DocumentLength(document)
                : (int)Math.Min(left, shard.DocumentLength(document));
            long[] text = new long[length];
            shard.Read(shard.DocumentStart(document), text);
            documents.Add(new ValidationDocument(domain, document, firstTarget + stream.Count - 1, length, length));
            stream.AddRange(text);
        }

        return [.. stream];
    }
}
