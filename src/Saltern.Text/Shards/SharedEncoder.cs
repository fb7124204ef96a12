// Every rank reads all documents and encodes every R-th chunk of them; the tokens meet on rank 0, in the order of the chunks.
using System.Runtime.InteropServices;
using Saltern.Distributed;
using Saltern.Tokenization;

namespace Saltern.Shards;

/// <summary><see cref="DocumentEncoder"/> for several ranks, which all have the same documents in the same order.</summary>
/// <remarks>
/// A round is one chunk of each rank. At most <c>threads + 1</c> rounds of text exist at a time on each rank. What rank 0 gets does not depend on the number of ranks.
/// The ranks end a round together, also where one of them is cancelled.
/// </remarks>
internal sealed class SharedEncoder(
    BpeTokenizer tokenizer,
    int threads,
    ICommunicator ranks,
    int chunkBytes = DocumentEncoder.ChunkBytes
)
{
    // Of each rank's chunk: tokens, documents, bytes of text, whether the rank was cancelled, how many chunks the round has, and
    // bytes without a token.
    private const int HeaderLength = 6;

    private readonly Queue<Entry> _waiting = new();
    private readonly TaskFactory _factory = new(
        new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, threads).ConcurrentScheduler
    );

    /// <summary>Encodes every document, together with the other ranks.</summary>
    /// <param name="reading">Asked after the last document of each chunk how far reading has come; may be null.</param>
    /// <param name="cancellation">Ends the work on all ranks, in the same round.</param>
    /// <returns>All chunks in order on rank 0, nothing on the others, which enumerate it all the same.</returns>
    /// <exception cref="DistributedException">Another rank has read other documents.</exception>
    public IEnumerable<EncodedDocuments> Encode(
        IEnumerable<SplitDocument> documents,
        Func<ReadingState>? reading,
        CancellationToken cancellation
    )
    {
        try
        {
            int number = 0;
            foreach (List<SplitDocument> chunk in DocumentEncoder.Chunks(documents, chunkBytes))
            {
                bool mine = number++ % ranks.Size == ranks.Rank;
                ranks.Activity = $"chunk {number} of the text";
                _waiting.Enqueue(new Entry(chunk, reading?.Invoke(), mine ? StartEncoding(chunk) : null));
                if (_waiting.Count >= (threads + 1) * ranks.Size)
                {
                    foreach (EncodedDocuments encoded in Round(cancellation))
                    {
                        yield return encoded;
                    }
                }
            }

            while (_waiting.Count > 0)
            {
                foreach (EncodedDocuments encoded in Round(cancellation))
                {
                    yield return encoded;
                }
            }
        }
        finally
        {
            // Nothing may still use the tokenizer when the caller goes on.
            foreach (Entry entry in _waiting)
            {
                ((IAsyncResult?)entry.Encoded)?.AsyncWaitHandle.WaitOne();
            }
        }
    }

    private Task<EncodedDocuments> StartEncoding(List<SplitDocument> chunk) =>
        _factory.StartNew(() => DocumentEncoder.EncodeChunk(tokenizer, chunk, [], CancellationToken.None));

    private List<EncodedDocuments> Round(CancellationToken cancellation)
    {
        Entry[] entries =
        [
            .. Enumerable.Range(0, Math.Min(ranks.Size, _waiting.Count)).Select(_ => _waiting.Dequeue()),
        ];
        EncodedDocuments? mine = entries.ElementAtOrDefault(ranks.Rank)?.Encoded?.GetAwaiter().GetResult();
        long[] header =
        [
            mine?.Tokens.Count ?? 0,
            mine?.Ends.Count ?? 0,
            Bytes(mine?.Documents ?? []),
            Convert.ToInt64(cancellation.IsCancellationRequested),
            entries.Length,
            mine?.UncoveredBytes ?? 0,
        ];
        long[] headers = new long[HeaderLength * ranks.Size];
        ranks.AllGather<long>(header, headers);
        long[][] all = [.. headers.Chunk(HeaderLength)];
        if (all.Any(one => one[3] != 0))
        {
            throw new OperationCanceledException(cancellation);
        }

        RequireSameDocuments(entries, all);
        int most = (int)all.Max(one => one[0] + one[1]);
        int[] given = new int[most];
        int[] gathered = new int[most * ranks.Size];
        if (mine is not null)
        {
            CollectionsMarshal.AsSpan(mine.Tokens).CopyTo(given);
            ((int[])mine.Ends).CopyTo(given, mine.Tokens.Count);
        }

        ranks.AllGather<int>(given, gathered);
        if (ranks.Rank > 0)
        {
            return [];
        }

        return
        [
            .. entries.Select(
                (entry, rank) =>
                {
                    int start = rank * most;
                    int tokens = (int)all[rank][0];
                    return new EncodedDocuments(
                        entry.Documents,
                        [.. gathered[start..(start + tokens)]],
                        gathered[(start + tokens)..(start + tokens + (int)all[rank][1])],
                        entry.After
                    )
                    {
                        UncoveredBytes = all[rank][5],
                    };
                }
            ),
        ];
    }

    private void RequireSameDocuments(Entry[] entries, long[][] all)
    {
        for (int rank = 0; rank < all.Length; rank++)
        {
            IReadOnlyList<SplitDocument> own = entries.ElementAtOrDefault(rank)?.Documents ?? [];
            (long documents, long bytes) = (own.Count, Bytes(own));
            if (all[rank][4] != entries.Length || all[rank][1] != documents || all[rank][2] != bytes)
            {
                throw new DistributedException(
                    $"Rank {rank} has read {all[rank][1]} documents of {all[rank][2]} bytes where rank "
                        + $"{ranks.Rank} has read {documents} of {bytes}. "
                        + "All ranks need the same input files under the same paths."
                );
            }
        }
    }

    private static long Bytes(IReadOnlyList<SplitDocument> documents) =>
        documents.Sum(document => (long)document.Utf8.Length);

    private sealed record Entry(
        IReadOnlyList<SplitDocument> Documents,
        ReadingState? After,
        Task<EncodedDocuments>? Encoded
    );
}
