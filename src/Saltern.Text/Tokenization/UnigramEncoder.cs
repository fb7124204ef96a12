using System.Buffers;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>The pieces of a Unigram model and what their sum is made from. Immutable; safe for any number of threads.</summary>
internal sealed class UnigramTable
{
    // How much worse than the worst piece a character without one is, natural logarithm.
    private const double UnknownPenalty = 10;

    /// <summary>Prepares the search.</summary>
    /// <param name="pieces">Spelling and score (natural logarithm of a probability) by id; null where no text may become the piece.</param>
    /// <param name="unknownId">The token for characters that no piece covers.</param>
    /// <param name="byteIds">Ids of the tokens for single bytes, −1 for those that are missing; null where none may be used.</param>
    public UnigramTable(
        IReadOnlyList<(string Spelling, double Score)?> pieces,
        double lowestScore,
        int unknownId,
        int[]? byteIds
    )
    {
        (UnknownId, ByteIds) = (unknownId, byteIds);
        UnknownScore = lowestScore - UnknownPenalty;
        Scores = new double[pieces.Count];
        for (var id = 0; id < pieces.Count; id++)
        {
            if (pieces[id] is { } piece)
            {
                Scores[id] = piece.Score;
                Pieces.Set(Encoding.UTF8.GetBytes(piece.Spelling), id);
            }
        }
    }

    /// <summary>The pieces' ids.</summary>
    public ByteTrie Pieces { get; } = new();

    /// <summary>Scores by id.</summary>
    public double[] Scores { get; }

    /// <summary>Score of a character that no piece covers.</summary>
    public double UnknownScore { get; }

    /// <summary>The token for such characters.</summary>
    public int UnknownId { get; }

    /// <summary>Ids of the tokens for single bytes, or null.</summary>
    public int[]? ByteIds { get; }
}

/// <summary>Turns pre-tokens into the pieces whose scores add up to most (arXiv:1804.10959), by Viterbi's algorithm in one pass.</summary>
/// <remarks>Ties and unknown characters go as in Hugging Face's library: of equal sums the one found first, neighbouring unknown characters as one.</remarks>
internal sealed class UnigramEncoder(UnigramTable table) : RememberingEncoder
{
    private const int LargestKept = 1 << 16;

    // By place in the word: the sum of the best path that ends there, its last piece, and where that begins.
    private double[] _sums = [];
    private int[] _ids = [];
    private int[] _starts = [];

    private readonly List<(int Start, int End)> _pieces = [];

    /// <inheritdoc/>
    protected override int EncodeNew(ReadOnlySpan<byte> word, List<int> ids)
    {
        Prepare(word.Length + 1);
        FindPath(word);
        _pieces.Clear();
        var unknownEnd = -1;
        var end = word.Length;
        while (end > 0)
        {
            var start = _starts[end];
            if (_ids[end] == table.UnknownId)
            {
                unknownEnd = unknownEnd < 0 ? end : unknownEnd;
            }
            else
            {
                CloseUnknown(end);
                _pieces.Add((start, end));
            }

            end = start;
        }

        CloseUnknown(0);
        var uncovered = 0;
        for (var i = _pieces.Count - 1; i >= 0; i--)
        {
            uncovered += Append(word[_pieces[i].Start.._pieces[i].End], ids);
        }

        if (_sums.Length > LargestKept)
        {
            (_sums, _ids, _starts) = ([], [], []);
        }

        return uncovered;

        void CloseUnknown(int start)
        {
            if (unknownEnd >= 0)
            {
                _pieces.Add((start, unknownEnd));
                unknownEnd = -1;
            }
        }
    }

    private int Append(ReadOnlySpan<byte> piece, List<int> ids)
    {
        var id = table.Pieces.Find(piece);
        if (id >= 0)
        {
            ids.Add(id);
            return 0;
        }

        if (HasBytes(piece))
        {
            foreach (var value in piece)
            {
                ids.Add(table.ByteIds![value]);
            }

            return 0;
        }

        ids.Add(table.UnknownId);
        return piece.Length;
    }

    private bool HasBytes(ReadOnlySpan<byte> piece)
    {
        foreach (var value in piece)
        {
            if (table.ByteIds is null || table.ByteIds[value] < 0)
            {
                return false;
            }
        }

        return true;
    }

    private void Prepare(int size)
    {
        if (_sums.Length < size)
        {
            (_sums, _ids, _starts) = (new double[size], new int[size], new int[size]);
        }

        _sums[0] = 0;
        Array.Fill(_starts, -1, 0, size);
    }

    private void FindPath(ReadOnlySpan<byte> word)
    {
        var start = 0;
        while (start < word.Length)
        {
            var length = 1;
            if (Rune.DecodeFromUtf8(word[start..], out _, out var decoded) == OperationStatus.Done)
            {
                length = decoded;
            }

            var coversCharacter = false;
            var node = ByteTrie.Root;
            var end = start;
            while (end < word.Length)
            {
                node = table.Pieces.Next(node, word[end++]);
                if (node < 0)
                {
                    break;
                }

                if (table.Pieces.Number(node) is >= 0 and var id)
                {
                    Offer(start, end, id, table.Scores[id]);
                    coversCharacter |= end - start == length;
                }
            }

            if (!coversCharacter)
            {
                Offer(start, start + length, table.UnknownId, table.UnknownScore);
            }

            start += length;
        }
    }

    private void Offer(int start, int end, int id, double score)
    {
        var sum = score + _sums[start];
        if (_starts[end] < 0 || sum > _sums[end])
        {
            (_sums[end], _ids[end], _starts[end]) = (sum, id, start);
        }
    }
}
