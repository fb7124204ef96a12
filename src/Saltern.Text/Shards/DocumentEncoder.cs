using System.Collections.Concurrent;
using Saltern.Tokenization;

namespace Saltern.Shards;

/// <summary>Some documents and their tokens, one after the other.</summary>
/// <param name="Documents">The documents, in reading order.</param>
/// <param name="Tokens">Their tokens, each document's ended by end-of-text.</param>
/// <param name="Ends">Where in <paramref name="Tokens"/> each document ends.</param>
/// <param name="After">How far reading had come behind them; null where that is not asked for.</param>
internal sealed record EncodedDocuments(
    IReadOnlyList<SplitDocument> Documents,
    List<int> Tokens,
    IReadOnlyList<int> Ends,
    ReadingState? After
)
{
    /// <summary>Bytes of their text that the tokenizer has no token for.</summary>
    public long UncoveredBytes { get; init; }
}

/// <summary>Encodes documents on several threads and gives them back in their order.</summary>
/// <remarks>
/// Reading goes on while earlier chunks are encoded. At most <c>threads + 1</c> chunks exist at a time, so memory does not grow with the corpus:
/// a chunk is about <see cref="ChunkBytes"/> of text, or one larger document. The lists of tokens are used again, once the caller asks for the next chunk:
/// fresh ones would be large objects, which pile up until a full collection.
/// </remarks>
/// <param name="chunkBytes">Text of one chunk, bytes.</param>
internal sealed class DocumentEncoder(BpeTokenizer tokenizer, int threads, int chunkBytes = DocumentEncoder.ChunkBytes)
{
    /// <summary>Text of one chunk: large enough that handing it over costs nothing, small enough to keep all threads busy at the end.</summary>
    public const int ChunkBytes = 1 << 18;

    // Beyond this a list, grown by one huge document, is let go.
    private const int LargestKeptList = 1 << 20;

    private readonly ConcurrentBag<List<int>> _lists = [];

    /// <summary>Encodes every document.</summary>
    /// <param name="reading">Asked after the last document of each chunk how far reading has come; may be null.</param>
    public IEnumerable<EncodedDocuments> Encode(
        IEnumerable<SplitDocument> documents,
        Func<ReadingState>? reading,
        CancellationToken cancellation
    )
    {
        TaskFactory factory = new(
            new ConcurrentExclusiveSchedulerPair(TaskScheduler.Default, threads).ConcurrentScheduler
        );
        Queue<Task<EncodedDocuments>> running = new();
        try
        {
            foreach (List<SplitDocument> chunk in Chunks(documents, chunkBytes))
            {
                cancellation.ThrowIfCancellationRequested();
                ReadingState? after = reading?.Invoke();
                running.Enqueue(factory.StartNew(() => EncodeChunk(chunk, after, cancellation)));
                if (running.Count > threads)
                {
                    EncodedDocuments encoded = running.Dequeue().GetAwaiter().GetResult();
                    yield return encoded;
                    Recycle(encoded.Tokens);
                }
            }

            while (running.Count > 0)
            {
                yield return running.Dequeue().GetAwaiter().GetResult();
            }
        }
        finally
        {
            // Nothing may still use the tokenizer when the caller goes on; a failure here is second to the one that led here.
            foreach (Task<EncodedDocuments> task in running)
            {
                ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
            }
        }
    }

    /// <summary>Cuts documents into chunks of about as many bytes.</summary>
    internal static IEnumerable<List<SplitDocument>> Chunks(
        IEnumerable<SplitDocument> documents,
        int chunkBytes = ChunkBytes
    )
    {
        List<SplitDocument> chunk = [];
        long bytes = 0;
        foreach (SplitDocument document in documents)
        {
            chunk.Add(document);
            bytes += document.Utf8.Length;
            if (bytes >= chunkBytes)
            {
                yield return chunk;
                chunk = [];
                bytes = 0;
            }
        }

        if (chunk.Count > 0)
        {
            yield return chunk;
        }
    }

    private void Recycle(List<int> tokens)
    {
        if (tokens.Capacity <= LargestKeptList)
        {
            tokens.Clear();
            _lists.Add(tokens);
        }
    }

    private EncodedDocuments EncodeChunk(
        List<SplitDocument> documents,
        ReadingState? after,
        CancellationToken cancellation
    )
    {
        // About three bytes a token; growing once is cheaper than reserving for the worst case.
        if (!_lists.TryTake(out List<int>? tokens))
        {
            tokens = new List<int>((ChunkBytes / 3) + documents.Count);
        }

        return EncodeChunk(tokenizer, documents, tokens, cancellation) with
        {
            After = after,
        };
    }

    /// <summary>Encodes one chunk.</summary>
    internal static EncodedDocuments EncodeChunk(
        BpeTokenizer tokenizer,
        List<SplitDocument> documents,
        List<int> tokens,
        CancellationToken cancellation
    )
    {
        int[] ends = new int[documents.Count];
        long uncovered = 0;
        for (int i = 0; i < documents.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            tokens.AddRange(tokenizer.BeginOfText);
            uncovered += tokenizer.EncodeCounting(documents[i].Utf8.Span, tokens);
            tokens.Add(tokenizer.EndOfTextId);
            ends[i] = tokens.Count;
        }

        return new EncodedDocuments(documents, tokens, ends, After: null) { UncoveredBytes = uncovered };
    }
}
