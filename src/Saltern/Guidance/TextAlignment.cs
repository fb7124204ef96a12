// From the student's tokens to the teacher's, by the bytes of the text that both stand for (docs/alignment.md, "By bytes").
using Saltern.Tokenization;

namespace Saltern.Guidance;

/// <summary>Turns samples of the student's tokens into the teacher's, and finds for each position the last teacher token that ends at or before it. Immutable; safe for several threads.</summary>
/// <remarks>
/// A sample may begin and end inside a word or a character: its bytes are encoded as they are. An end-of-text token counts as one byte of the text on both sides. Tokens that a tokenizer
/// puts in front of a document are read by the teacher and never aligned with. What lies beyond the teacher's positions is not read.
/// </remarks>
internal sealed class TextAlignment
{
    private readonly BpeTokenizer _student;
    private readonly BpeTokenizer _teacher;
    private readonly int _teacherPositions;
    private readonly bool _masksDocuments;

    /// <summary>Takes note of both tokenizers.</summary>
    /// <param name="teacherPositions">Most tokens that the teacher reads of a sample.</param>
    /// <param name="masksDocuments">Whether positions see their own document only, so that none is aligned with a token of the one before.</param>
    public TextAlignment(BpeTokenizer student, BpeTokenizer teacher, int teacherPositions, bool masksDocuments) =>
        (_student, _teacher, _teacherPositions, _masksDocuments) = (student, teacher, teacherPositions, masksDocuments);

    /// <summary>Aligns one sample.</summary>
    /// <param name="inputs">Its T input ids.</param>
    public AlignedSample Align(ReadOnlySpan<long> inputs)
    {
        var read = new TeacherText(_teacher);
        int[] studentEnds = new int[inputs.Length];
        int[] documentOf = new int[inputs.Length];
        var document = new List<byte>();
        int at = 0;
        int documents = 0;
        for (int t = 0; t < inputs.Length; t++)
        {
            int id = checked((int)inputs[t]);
            documentOf[t] = documents;
            if (id == _student.EndOfTextId)
            {
                read.Add(document, documents++, at - document.Count, ends: true);
                document.Clear();
                at++;
            }
            else if (_student.ByteLength(id) > 0)
            {
                byte[] bytes = _student.Definition.Tokens[id]!.Value.Bytes;

                // No part of the text, where it is known to begin here.
                if (
                    document.Count == 0
                    && documents > 0
                    && _student.PutsBlankInFront
                    && bytes is [(byte)' ', .. var rest]
                )
                {
                    bytes = rest;
                }

                document.AddRange(bytes);
                at += bytes.Length;
            }

            studentEnds[t] = at;
        }

        read.Add(document, documents, at - document.Count, ends: false);
        int kept = Math.Min(read.Ids.Count, _teacherPositions);
        return new AlignedSample(
            [.. read.Ids.Take(kept)],
            [.. read.DocumentStarts.Take(kept)],
            Match(studentEnds, documentOf, read, kept)
        );
    }

    private int[] Match(int[] studentEnds, int[] documentOf, TeacherText read, int kept)
    {
        int[] index = new int[studentEnds.Length];
        int last = AlignedSample.None;
        int next = 0;
        for (int t = 0; t < index.Length; t++)
        {
            for (; next < kept && read.Ends[next] <= studentEnds[t]; next++)
            {
                last = read.Ends[next] == TeacherText.NotText ? last : next;
            }

            // Beyond the last token that was read the teacher is not behind, but gone.
            bool cutOff = next == kept && kept < read.Ids.Count && read.Ends[kept] <= studentEnds[t];
            bool seen =
                last != AlignedSample.None && !cutOff && (!_masksDocuments || read.Documents[last] == documentOf[t]);
            index[t] = seen ? last : AlignedSample.None;
        }

        return index;
    }

    // The teacher's tokens of one sample, document by document.
    private sealed class TeacherText(BpeTokenizer tokenizer)
    {
        // End of a token that stands for no text; below every real end.
        public const int NotText = -1;

        public List<int> Ids { get; } = [];

        public List<int> Ends { get; } = [];

        public List<int> Documents { get; } = [];

        public List<int> DocumentStarts { get; } = [];

        public void Add(List<byte> text, int document, int start, bool ends)
        {
            int first = Ids.Count;
            if (text.Count > 0)
            {
                Ids.AddRange(tokenizer.BeginOfText);
                Ends.AddRange(tokenizer.BeginOfText.Select(_ => NotText));
                int firstEnd = Ends.Count;

                // The first document of a sample may have begun before it.
                PiecePosition position = document == 0 ? PiecePosition.Continuation : PiecePosition.Start;
                tokenizer.EncodeWithEnds(text.ToArray(), Ids, Ends, position);
                for (int i = firstEnd; i < Ends.Count; i++)
                {
                    Ends[i] += start;
                }
            }

            if (ends)
            {
                Ids.Add(tokenizer.EndOfTextId);
                Ends.Add(start + text.Count + 1);
            }

            DocumentStarts.AddRange(Enumerable.Repeat(first, Ids.Count - first));
            Documents.AddRange(Enumerable.Repeat(document, Ids.Count - first));
        }
    }
}
