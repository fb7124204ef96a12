using System.Text;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>One example as tokens.</summary>
/// <param name="Id">The record's <c>id</c>, or its line.</param>
/// <param name="Tokens">All of it, end-of-text included.</param>
/// <param name="Counts">Whether each token is a target; the first never is.</param>
internal sealed record Example(string Id, int[] Tokens, bool[] Counts)
{
    /// <summary>Places it takes in a row: every token but the last is an input.</summary>
    public int Positions => Tokens.Length - 1;

    /// <summary>Targets.</summary>
    public int TargetCount => Counts.Count(counts => counts);

    /// <summary>The tokens before the first target: what the model is given where it answers by itself.</summary>
    public int[] Prompt => Tokens[..Array.IndexOf(Counts, true)];

    /// <summary>The same without the beginning of its prompt, which the model does not read where it answers a long one either.</summary>
    /// <param name="positions">Places that it may take.</param>
    /// <param name="begin">Tokens that begin every text; they stay.</param>
    /// <returns>The example; null where its last reply does not fit.</returns>
    public Example? CutTo(int positions, int begin)
    {
        int start = begin + Positions - positions;
        int reply = Array.LastIndexOf(Counts, true);
        while (reply > 0 && Counts[reply - 1])
        {
            reply--;
        }

        if (start >= reply)
        {
            return null;
        }

        bool[] counts = [.. Counts[..begin], .. Counts[start..]];
        counts[0] = false;
        return this with { Tokens = [.. Tokens[..begin], .. Tokens[start..]], Counts = counts };
    }

    /// <summary>Encodes an example.</summary>
    /// <remarks>
    /// What the file's tokenizer puts before each text comes first. Neighbouring pieces that count alike are encoded as one text, and a response apart from its prompt, learned or not:
    /// just so the prompt is encoded, alone, where the model answers. SentencePiece's models put no blank in front of what goes on with a text.
    /// </remarks>
    public static Example Encode(string id, IReadOnlyList<TextPiece> pieces, BpeTokenizer tokenizer)
    {
        List<int> tokens = [.. tokenizer.BeginOfText];
        List<bool> counts = [.. tokens.Select(_ => false)];
        var text = new StringBuilder();
        var position = PiecePosition.Start;
        void Add(IReadOnlyList<int> ids, bool counting)
        {
            tokens.AddRange(ids);
            counts.AddRange(Enumerable.Repeat(counting, ids.Count));
        }

        void Flush(bool counting)
        {
            if (text.Length == 0)
            {
                return;
            }

            List<int> ids = [];
            tokenizer.Encode(text.ToString(), position, ids);
            Add(ids, counting);
            text.Clear();
            position = PiecePosition.Continuation;
        }

        for (int i = 0; i < pieces.Count; i++)
        {
            TextPiece piece = pieces[i];
            foreach ((string part, int? special) in Parts(piece, tokenizer))
            {
                text.Append(part);
                if (special is int token)
                {
                    Flush(piece.Counts);
                    Add([token], piece.Counts);
                    position = PiecePosition.Inside;
                }
            }

            if (i + 1 == pieces.Count || pieces[i + 1].Counts != piece.Counts || pieces[i + 1].IsReply)
            {
                Flush(piece.Counts);
            }
        }

        if (counts.Count > 0)
        {
            counts[0] = false;
        }

        return new Example(id, [.. tokens], [.. counts]);
    }

    // The piece cut behind each special token of a template; text that a record holds is never cut.
    private static IEnumerable<(string Text, int? Special)> Parts(TextPiece piece, BpeTokenizer tokenizer)
    {
        if (piece.Text is null)
        {
            yield return ("", tokenizer.EndOfTextId);
            yield break;
        }

        string left = piece.Text;
        while (piece.IsMarkup)
        {
            (int at, AddedToken? token) = tokenizer
                .Definition.AddedTokens.Where(token => token.IsSpecial)
                .Select(token => (At: left.IndexOf(token.Content, StringComparison.Ordinal), Token: (AddedToken?)token))
                .Where(found => found.At >= 0)
                .OrderBy(found => found.At)
                .ThenByDescending(found => found.Token!.Content.Length)
                .FirstOrDefault((-1, null));
            if (token is null)
            {
                break;
            }

            yield return (left[..at], token.Id);
            left = left[(at + token.Content.Length)..];
        }

        yield return (left, null);
    }
}
