using System.IO.MemoryMappedFiles;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>A memory-mapped token shard, opened for reading: Megatron <c>.bin</c> and <c>.idx</c>, or a file of bare tokens.</summary>
/// <remarks>
/// The documents in stored order form one stream of tokens, positions 0 … <see cref="TokenCount"/> − 1. Sizes and every number of the index are
/// checked when the shard is opened; the token ids themselves are not, see <see cref="FindTokenOutside"/>. Safe to read from several threads.
/// </remarks>
internal sealed unsafe class TokenShard : IDisposable
{
    private readonly ShardIndex _index;
    private readonly long _firstByte;
    private readonly int? _endOfText;
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private byte* _tokens;
    private bool _disposed;

    private TokenShard(
        string path,
        TokenType type,
        long firstByte,
        long tokenCount,
        int? endOfText,
        Func<TokenShard, long[]> starts
    )
    {
        Path = path;
        _firstByte = firstByte;
        _endOfText = endOfText;
        _index = new ShardIndex(type, tokenCount, () => starts(this));

        // An empty file cannot be mapped, and needs not be.
        if (TokenCount > 0)
        {
            _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            _view = _file.CreateViewAccessor(firstByte, TokenCount * Type.Size(), MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _tokens);
            _tokens += _view.PointerOffset;
        }
    }

    /// <summary>The <c>.bin</c> file.</summary>
    public string Path { get; }

    /// <summary>How ids are stored.</summary>
    public TokenType Type => _index.Type;

    /// <summary>Number of tokens, end-of-text included.</summary>
    public long TokenCount => _index.TokenCount;

    /// <summary>Number of documents; in shards that `prepare` wrote, each is one sequence. Of bare tokens every one is read to find it.</summary>
    public int DocumentCount => _index.Starts.Length - 1;

    /// <summary>Opens a shard and checks its index against the size of its tokens.</summary>
    /// <param name="binPath">The <c>.bin</c> file; the <c>.idx</c> file lies beside it.</param>
    /// <exception cref="DataFormatException">A file is missing, cut short or not what it should be.</exception>
    public static TokenShard Open(string binPath)
    {
        ArgumentNullException.ThrowIfNull(binPath);
        string idxPath = IndexPath(binPath);
        foreach (string path in (string[])[binPath, idxPath])
        {
            if (!File.Exists(path))
            {
                throw new DataFormatException(
                    $"'{path}' is missing; a token shard is a .bin and an .idx file. Run `saltern prepare` again or restore the file."
                );
            }
        }

        return OpenMegatron(binPath, wholeDocuments: false);
    }

    /// <summary>Opens a shard that another program wrote: sequences of one document are taken together.</summary>
    /// <param name="binPath">The <c>.bin</c> file; the <c>.idx</c> file lies beside it.</param>
    /// <exception cref="DataFormatException">A file is cut short or not what it should be.</exception>
    internal static TokenShard OpenForeign(string binPath) => OpenMegatron(binPath, wholeDocuments: true);

    /// <summary>Opens a file of bare tokens, whose documents are told by the end-of-text token that ends each.</summary>
    /// <param name="file">Where its tokens lie.</param>
    /// <exception cref="DataFormatException">The file cannot be read.</exception>
    internal static TokenShard OpenBare(BareTokenFile file, int endOfText) =>
        Guarded(
            file.Path,
            () =>
                new TokenShard(
                    file.Path,
                    file.Type,
                    file.FirstByte,
                    file.TokenCount,
                    endOfText,
                    shard => shard.FindDocuments(endOfText)
                )
        );

    /// <summary>A stretch of whole documents as a shard of its own.</summary>
    /// <param name="begin">Position of the first token, the beginning of a document.</param>
    /// <param name="end">Position behind the last token, the end of a document.</param>
    internal TokenShard Part(long begin, long end) =>
        new(
            Path,
            Type,
            _firstByte + (begin * Type.Size()),
            end - begin,
            _endOfText,
            part =>
            {
                if (_endOfText is { } endOfText)
                {
                    return part.FindDocuments(endOfText);
                }

                return [.. _index.Starts.Where(start => start >= begin && start <= end).Select(start => start - begin)];
            }
        );

    /// <summary>Position of the first document that begins at a position or behind it; the number of tokens where there is none.</summary>
    internal long FirstDocumentFrom(long position)
    {
        if (position == 0)
        {
            return 0;
        }

        if (_endOfText is not { } endOfText)
        {
            int found = Array.BinarySearch(_index.Starts, position);
            return _index.Starts[found < 0 ? ~found : found];
        }

        return EndOfDocument(endOfText, position - 1);
    }

    /// <summary>Position of a document's first token in the stream.</summary>
    /// <param name="document">Number of the document, from 0.</param>
    public long DocumentStart(int document)
    {
        CheckDocument(document);
        return _index.Starts[document];
    }

    /// <summary>Length of a document in tokens, end-of-text included.</summary>
    /// <param name="document">Number of the document, from 0.</param>
    public int DocumentLength(int document)
    {
        CheckDocument(document);
        return (int)(_index.Starts[document + 1] - _index.Starts[document]);
    }

    /// <summary>Number of the document that holds a position of the stream; of several that begin there, the last.</summary>
    /// <param name="position">Position of a token.</param>
    public int DocumentAt(long position)
    {
        CheckRange(Type, position, 1);
        int found = Array.BinarySearch(_index.Starts, position);
        if (found < 0)
        {
            return ~found - 1;
        }

        // Empty documents begin where the next one does.
        while (found + 1 < DocumentCount && _index.Starts[found + 1] == position)
        {
            found++;
        }

        return found;
    }

    /// <summary>Copies tokens out of the stream, across document borders.</summary>
    /// <param name="position">Position of the first one.</param>
    /// <param name="destination">Receives the token ids.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the stream.</exception>
    public void Read(long position, Span<long> destination)
    {
        if (Type == TokenType.U16)
        {
            ReadOnlySpan<ushort> ids = UInt16Tokens(position, destination.Length);
            for (int i = 0; i < ids.Length; i++)
            {
                destination[i] = ids[i];
            }
        }
        else
        {
            ReadOnlySpan<int> ids = Int32Tokens(position, destination.Length);
            for (int i = 0; i < ids.Length; i++)
            {
                destination[i] = ids[i];
            }
        }
    }

    /// <summary>Tokens as they are mapped; valid until the shard is disposed.</summary>
    /// <param name="position">Position of the first one.</param>
    /// <exception cref="InvalidOperationException">The shard stores <see cref="TokenType.I32"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the stream.</exception>
    public ReadOnlySpan<ushort> UInt16Tokens(long position, int count)
    {
        CheckRange(TokenType.U16, position, count);
        return new ReadOnlySpan<ushort>(_tokens + (position * 2), count);
    }

    /// <summary>Tokens as they are mapped; valid until the shard is disposed.</summary>
    /// <param name="position">Position of the first one.</param>
    /// <exception cref="InvalidOperationException">The shard stores <see cref="TokenType.U16"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the stream.</exception>
    public ReadOnlySpan<int> Int32Tokens(long position, int count)
    {
        CheckRange(TokenType.I32, position, count);
        return new ReadOnlySpan<int>(_tokens + (position * 4), count);
    }

    /// <summary>Position of the first id that is negative or not below the vocabulary size; reads every token.</summary>
    /// <param name="vocabularySize">Number of token ids of the tokenizer.</param>
    /// <returns>The position, or −1 where all ids are in range.</returns>
    public long FindTokenOutside(int vocabularySize)
    {
        long[] ids = new long[4096];
        for (long position = 0; position < TokenCount; position += ids.Length)
        {
            Span<long> part = ids.AsSpan(0, (int)Math.Min(ids.Length, TokenCount - position));
            Read(position, part);
            for (int i = 0; i < part.Length; i++)
            {
                if ((ulong)part[i] >= (ulong)vocabularySize)
                {
                    return position + i;
                }
            }
        }

        return -1;
    }

    /// <summary>Position of the first occurrence of a token, or −1.</summary>
    private long FindToken(int id, long from)
    {
        const int Stretch = 1 << 20;
        for (long position = from; position < TokenCount; position += Stretch)
        {
            int count = (int)Math.Min(Stretch, TokenCount - position);
            int found = IndexOf(id, position, count);
            if (found >= 0)
            {
                return position + found;
            }
        }

        return -1;
    }

    // Behind the first end-of-text token from a position on; the end of all tokens where there is none.
    private long EndOfDocument(int endOfText, long from)
    {
        long last = FindToken(endOfText, from);
        return last < 0 ? TokenCount : last + 1;
    }

    private int IndexOf(int id, long position, int count)
    {
        if (Type == TokenType.I32)
        {
            return Int32Tokens(position, count).IndexOf(id);
        }

        return id > ushort.MaxValue ? -1 : UInt16Tokens(position, count).IndexOf((ushort)id);
    }

    private long[] FindDocuments(int endOfText)
    {
        List<long> starts = [0];
        while (starts[^1] < TokenCount)
        {
            starts.Add(EndOfDocument(endOfText, starts[^1]));
        }

        return [.. starts];
    }

    /// <summary>Unmaps the file; spans handed out become invalid.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            if (_tokens is not null)
            {
                _view!.SafeMemoryMappedViewHandle.ReleasePointer();
                _tokens = null;
            }

            _view?.Dispose();
            _file?.Dispose();
        }
    }

    /// <summary>The index that belongs to a <c>.bin</c> file.</summary>
    internal static string IndexPath(string binPath) => System.IO.Path.ChangeExtension(binPath, ".idx");

    private static TokenShard OpenMegatron(string binPath, bool wholeDocuments) =>
        Guarded(
            binPath,
            () =>
            {
                MegatronIndex index = MegatronIndex.Read(
                    IndexPath(binPath),
                    new FileInfo(binPath).Length,
                    wholeDocuments
                );
                return new TokenShard(binPath, index.Type, 0, index.Starts[^1], null, _ => index.Starts);
            }
        );

    private static TokenShard Guarded(string path, Func<TokenShard> open)
    {
        try
        {
            return open();
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            throw new DataFormatException($"Shard '{path}' cannot be read: {SystemLimits.Reason(e)}", e);
        }
    }

    private void CheckDocument(int document)
    {
        if ((uint)document >= (uint)DocumentCount)
        {
            throw new ArgumentOutOfRangeException(
                nameof(document),
                document,
                $"'{Path}' has {DocumentCount} documents."
            );
        }
    }

    private void CheckRange(TokenType type, long position, int count)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (type != Type)
        {
            throw new InvalidOperationException($"'{Path}' stores {Type.Name()}, not {type.Name()}.");
        }

        if (position < 0 || count < 0 || position > TokenCount - count)
        {
            throw new ArgumentOutOfRangeException(
                nameof(position),
                position,
                $"{count} tokens from {position} on leave the {TokenCount} tokens of '{Path}'."
            );
        }
    }

    // Documents of bare tokens are looked for when they are first asked for: training without masks never does.
    private sealed class ShardIndex(TokenType type, long tokenCount, Func<long[]> starts)
    {
        private readonly Lazy<long[]> _starts = new(starts);

        public TokenType Type { get; } = type;

        public long TokenCount { get; } = tokenCount;

        // Position of each document's first token, and at the end the number of tokens.
        public long[] Starts => _starts.Value;
    }
}
