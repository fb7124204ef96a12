// Best-fit-decreasing packing of documents into sequences (arXiv:2404.10830), block by block of documents, so that any sequence is found without packing the rest.
using Saltern.Shards;

namespace Saltern.Batches;

/// <summary>What packing makes of a domain.</summary>
/// <param name="Sequences">Sequences of T targets.</param>
/// <param name="Tokens">Tokens of the text, each a target once but for <paramref name="Uncounted"/>.</param>
/// <param name="Padding">Positions that no text fills.</param>
/// <param name="Uncounted">First tokens of pieces that go on with a long document behind another one: nothing before them tells of them.</param>
/// <param name="Inside">Sequences that do not begin with a document: whole ones out of the middle of a document longer than a sequence, and those that hold its end alone.</param>
internal sealed record PackingCounts(long Sequences, long Tokens, long Padding, long Uncounted, long Inside)
{
    /// <summary>Both together.</summary>
    public static PackingCounts operator +(PackingCounts a, PackingCounts b) =>
        new(
            a.Sequences + b.Sequences,
            a.Tokens + b.Tokens,
            a.Padding + b.Padding,
            a.Uncounted + b.Uncounted,
            a.Inside + b.Inside
        );
}

/// <summary>A run of a document's tokens in a sequence.</summary>
/// <param name="Start">Position of its first token in the shard.</param>
/// <param name="Length">Tokens, at most T.</param>
/// <param name="BeginsDocument">Whether it is the beginning of its document.</param>
internal readonly record struct Piece(long Start, int Length, bool BeginsDocument);

/// <summary>The sequences that the documents of a shard are packed into: a pure function of the documents' lengths and T. Safe for several threads.</summary>
/// <remarks>
/// A document longer than T tokens is cut into pieces of T and what is left. Each block of <see cref="BlockDocuments"/> documents is packed by itself: the pieces, longest first (of equal ones the
/// earlier), each go into the fullest sequence that still has room (of equal ones the earlier). In a sequence pieces that begin a document come first, then in the order of the text.
/// Memory: 8 bytes a block, and the blocks last asked for.
/// </remarks>
internal sealed class DocumentPacker
{
    /// <summary>Documents of a block; part of what decides the sequences.</summary>
    public const int BlockDocuments = 4_096;

    private const int KeptBlocks = 64;
    private readonly TokenShard _shard;
    private readonly int _length;
    private readonly long[] _firstOfBlock;
    private readonly Dictionary<int, Piece[][]> _kept = [];
    private readonly Queue<int> _oldest = [];
    private readonly Lock _lock = new();

    /// <summary>Packs every block once to know how many sequences there are.</summary>
    /// <param name="sequenceLength">T.</param>
    public DocumentPacker(TokenShard shard, int sequenceLength)
    {
        (_shard, _length) = (shard, sequenceLength);
        int blocks = (shard.DocumentCount + BlockDocuments - 1) / BlockDocuments;
        var counts = new PackingCounts[blocks];
        Parallel.For(0, blocks, block => counts[block] = CountsOf(Pack(block)));
        _firstOfBlock = new long[blocks + 1];
        Counts = new PackingCounts(0, 0, 0, 0, 0);
        for (int block = 0; block < blocks; block++)
        {
            _firstOfBlock[block + 1] = _firstOfBlock[block] + counts[block].Sequences;
            Counts += counts[block];
        }
    }

    /// <summary>What packing made of the shard.</summary>
    public PackingCounts Counts { get; }

    /// <summary>The pieces of a sequence, in their order in it.</summary>
    /// <param name="index">From 0, below <see cref="PackingCounts.Sequences"/>.</param>
    public IReadOnlyList<Piece> this[long index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Counts.Sequences);
            int found = Array.BinarySearch(_firstOfBlock, index);
            int block = found < 0 ? ~found - 1 : found;

            // Blocks without a sequence begin where the next one does.
            while (_firstOfBlock[block + 1] == index)
            {
                block++;
            }

            return Block(block)[index - _firstOfBlock[block]];
        }
    }

    private Piece[][] Block(int block)
    {
        lock (_lock)
        {
            if (_kept.TryGetValue(block, out Piece[][]? sequences))
            {
                return sequences;
            }

            if (_oldest.Count == KeptBlocks)
            {
                _kept.Remove(_oldest.Dequeue());
            }

            sequences = Pack(block);
            _kept.Add(block, sequences);
            _oldest.Enqueue(block);
            return sequences;
        }
    }

    private Piece[][] Pack(int block)
    {
        List<Piece>[] byLength = PiecesByLength(block);
        var sequences = new List<List<Piece>>();
        var room = new SequencesByRoom(_length);
        for (int length = _length; length > 0; length--)
        {
            foreach (Piece piece in byLength[length])
            {
                int left = room.SmallestFrom(length);
                if (left < 0)
                {
                    sequences.Add([piece]);
                    room.Add(_length - length, sequences.Count - 1);
                }
                else
                {
                    int sequence = room.Take(left);
                    sequences[sequence].Add(piece);
                    room.Add(left - length, sequence);
                }
            }
        }

        return
        [
            .. sequences.Select(pieces =>
                pieces.OrderBy(piece => piece.BeginsDocument ? 0 : 1).ThenBy(piece => piece.Start).ToArray()
            ),
        ];
    }

    // [1 … T], each in the order of the text.
    private List<Piece>[] PiecesByLength(int block)
    {
        List<Piece>[] byLength = [.. Enumerable.Range(0, _length + 1).Select(_ => new List<Piece>())];
        int end = Math.Min(_shard.DocumentCount, (block + 1) * BlockDocuments);
        for (int document = block * BlockDocuments; document < end; document++)
        {
            long start = _shard.DocumentStart(document);
            int tokens = _shard.DocumentLength(document);
            for (int at = 0; at < tokens; at += _length)
            {
                int length = Math.Min(_length, tokens - at);
                byLength[length].Add(new Piece(start + at, length, at == 0));
            }
        }

        return byLength;
    }

    private PackingCounts CountsOf(Piece[][] sequences)
    {
        long tokens = sequences.Sum(pieces => pieces.Sum(piece => (long)piece.Length));
        return new PackingCounts(
            sequences.Length,
            tokens,
            ((long)sequences.Length * _length) - tokens,
            sequences.Sum(pieces => pieces.Skip(1).Count(piece => !piece.BeginsDocument)),
            sequences.Count(pieces => !pieces[0].BeginsDocument)
        );
    }

    // Sequences by the tokens they still have room for; of equal ones the earlier comes first.
    private sealed class SequencesByRoom(int length)
    {
        private readonly PriorityQueue<int, int>?[] _sequences = new PriorityQueue<int, int>?[length + 1];
        private readonly ulong[] _any = new ulong[(length / 64) + 1];

        public void Add(int room, int sequence)
        {
            if (room == 0)
            {
                return;
            }

            (_sequences[room] ??= new()).Enqueue(sequence, sequence);
            _any[room / 64] |= 1UL << (room % 64);
        }

        public int Take(int room)
        {
            PriorityQueue<int, int> sequences = _sequences[room]!;
            int sequence = sequences.Dequeue();
            if (sequences.Count == 0)
            {
                _any[room / 64] &= ~(1UL << (room % 64));
            }

            return sequence;
        }

        // The least room that is enough; -1 for none.
        public int SmallestFrom(int wanted)
        {
            int word = wanted / 64;
            ulong bits = _any[word] & (ulong.MaxValue << (wanted % 64));
            while (bits == 0)
            {
                word++;
                if (word == _any.Length)
                {
                    return -1;
                }

                bits = _any[word];
            }

            return (word * 64) + System.Numerics.BitOperations.TrailingZeroCount(bits);
        }
    }
}
