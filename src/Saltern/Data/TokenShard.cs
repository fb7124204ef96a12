using System.IO.MemoryMappedFiles;

namespace Saltern.Data;

/// <summary>A memory-mapped token shard: Megatron <c>.bin</c> and <c>.idx</c>, opened for reading.</summary>
/// <remarks>
/// The documents in stored order form one stream of tokens, positions 0 … <see cref="TokenCount"/> − 1. Sizes and every number of the index are
/// checked when the shard is opened; the token ids themselves are not, see <see cref="FindTokenOutside"/>. Safe to read from several threads.
/// </remarks>
public sealed unsafe class TokenShard : IDisposable
{
    private readonly MegatronIndex _index;
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private byte* _tokens;
    private bool _disposed;

    private TokenShard(string path, MegatronIndex index)
    {
        Path = path;
        _index = index;

        // An empty file cannot be mapped, and needs not be.
        if (TokenCount > 0)
        {
            _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            _view = _file.CreateViewAccessor(0, TokenCount * Type.Size(), MemoryMappedFileAccess.Read);
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _tokens);
            _tokens += _view.PointerOffset;
        }
    }

    /// <summary>The <c>.bin</c> file.</summary>
    public string Path { get; }

    /// <summary>How ids are stored.</summary>
    public TokenType Type => _index.Type;

    /// <summary>Number of tokens, end-of-text included.</summary>
    public long TokenCount => _index.Starts[^1];

    /// <summary>Number of sequences; in shards that `prepare` wrote, each is one document.</summary>
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
                throw new DataFormatException($"'{path}' is missing; a token shard is a .bin and an .idx file. Run `saltern prepare` again or restore the file.");
            }
        }

        try
        {
            return new TokenShard(binPath, MegatronIndex.Read(idxPath, new FileInfo(binPath).Length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"Shard '{binPath}' cannot be read: {e.Message}", e);
        }
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
    /// <param name="count">How many.</param>
    /// <exception cref="InvalidOperationException">The shard stores <see cref="TokenType.I32"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the stream.</exception>
    public ReadOnlySpan<ushort> UInt16Tokens(long position, int count)
    {
        CheckRange(TokenType.U16, position, count);
        return new ReadOnlySpan<ushort>(_tokens + (position * 2), count);
    }

    /// <summary>Tokens as they are mapped; valid until the shard is disposed.</summary>
    /// <param name="position">Position of the first one.</param>
    /// <param name="count">How many.</param>
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

    private void CheckDocument(int document)
    {
        if ((uint)document >= (uint)DocumentCount)
        {
            throw new ArgumentOutOfRangeException(nameof(document), document, $"'{Path}' has {DocumentCount} documents.");
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
            throw new ArgumentOutOfRangeException(nameof(position), position, $"{count} tokens from {position} on leave the {TokenCount} tokens of '{Path}'.");
        }
    }
}
