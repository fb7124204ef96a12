using CsCheck;
using Saltern.Guidance;
using Saltern.Tests.Tokenization;
using Saltern.Tokenization;

namespace Saltern.Tests.Guidance;

// Which teacher token each student position is aligned with: by hand, and against a search that only knows decoded bytes.
public class TextAlignmentTests
{
    // Bytes alone, and words of these texts: a text of n letters is n tokens for the first, few for the second.
    private static readonly BpeTokenizer Bytes = Train([], 257);
    private static readonly BpeTokenizer Words = Train(["the cat sat", "the cat sat", "the mat"], 300);
    private static readonly BpeTokenizer Scripts = Train(SampleTexts.All, 600);

    [Fact]
    public void CoarseTeacher_IsFollowedOnlyOnceItsTokenIsComplete()
    {
        // The teacher's tokens are "the" and " cat", ending at bytes 3 and 7; a student's byte position t ends at t + 1.
        AlignedSample sample = new TextAlignment(Bytes, Words, 100, masksDocuments: false).Align(Ids(Bytes, "the cat"));
        Assert.Equal(["the", " cat"], sample.TeacherIds.Select(id => Words.Decode([id])));
        Assert.Equal([-1, -1, 0, 0, 0, 0, 1], sample.TeacherIndex);
    }

    [Fact]
    public void FineTeacher_IsTakenAtItsLastCompleteToken()
    {
        AlignedSample sample = new TextAlignment(Words, Bytes, 100, masksDocuments: false).Align(Ids(Words, "the cat"));
        Assert.Equal([2, 6], sample.TeacherIndex);
    }

    [Fact]
    public void SameTokenizer_IsAlignedOneToOne()
    {
        long[] ids = [.. Ids(Words, "the cat sat"), Words.EndOfTextId, .. Ids(Words, "the mat")];
        AlignedSample sample = new TextAlignment(Words, Words, 100, masksDocuments: false).Align(ids);
        Assert.Equal(ids.Select(id => (int)id), sample.TeacherIds);
        Assert.Equal(Enumerable.Range(0, ids.Length), sample.TeacherIndex);
    }

    [Fact]
    public void EndOfText_StandsOnBothSides_AndMaskedDocumentsAreNotAlignedAcross()
    {
        // Student: t h e EOT t h e; teacher: the EOT the.
        long[] ids = [.. Ids(Bytes, "the"), Bytes.EndOfTextId, .. Ids(Bytes, "the")];
        AlignedSample open = new TextAlignment(Bytes, Words, 100, masksDocuments: false).Align(ids);
        Assert.Equal(Words.EndOfTextId, open.TeacherIds[1]);
        Assert.Equal([-1, -1, 0, 1, 1, 1, 2], open.TeacherIndex);
        Assert.Equal([0, 0, 2], open.DocumentStarts);
        AlignedSample masked = new TextAlignment(Bytes, Words, 100, masksDocuments: true).Align(ids);
        Assert.Equal([-1, -1, 0, 1, -1, -1, 2], masked.TeacherIndex);
    }

    [Fact]
    public void BeyondTheTeachersPositions_NothingIsAligned()
    {
        AlignedSample sample = new TextAlignment(Words, Bytes, 5, masksDocuments: false).Align(
            Ids(Words, "the cat sat")
        );
        Assert.Equal(5, sample.TeacherIds.Length);
        Assert.Equal([2, -1, -1], sample.TeacherIndex); // " cat" ends at byte 7, after the five that were read
    }

    [Fact]
    public void CutCharacters_KeepTheirBytes()
    {
        // A sample that begins with the second byte of "é" and ends with the first of "ö".
        byte[] text = [0xA9, (byte)'a', 0xC3];
        AlignedSample sample = new TextAlignment(Bytes, Words, 100, masksDocuments: false).Align([
            .. text.Select(ByteId),
        ]);
        Assert.Equal(text, Words.DecodeToBytes(sample.TeacherIds));
        Assert.Equal([0, 1, 2], sample.TeacherIndex);
    }

    [Fact]
    public void NoPosition_IsAlignedWithATokenThatEndsLater_NorWithAnEarlierOneThanNeeded()
    {
        // Windows of the student's tokens anywhere in texts of many scripts: they begin and end inside words and characters. Bytes are counted by decoding prefixes.
        BpeTokenizer[] tokenizers = [Bytes, Words, Scripts];
        string text = string.Concat(SampleTexts.All);
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 2_000], Gen.Int[1, 60], Gen.Int[0, 59])
            .Sample(
                (from, to, start, count, separator) =>
                {
                    (BpeTokenizer student, BpeTokenizer teacher) = (tokenizers[from], tokenizers[to]);
                    long[] all = Ids(student, text);
                    long[] ids = [.. all.Skip(start % all.Length).Take(count)];
                    ids[separator % ids.Length] = student.EndOfTextId;
                    AlignedSample sample = new TextAlignment(student, teacher, 10_000, masksDocuments: false).Align(
                        ids
                    );
                    int[] studentEnds =
                    [
                        .. Enumerable
                            .Range(1, ids.Length)
                            .Select(t => Length(student, ids.Take(t).Select(id => (int)id))),
                    ];
                    int[] teacherEnds =
                    [
                        .. Enumerable
                            .Range(1, sample.TeacherIds.Length)
                            .Select(i => Length(teacher, sample.TeacherIds.Take(i))),
                    ];
                    Assert.Equal(studentEnds[^1], teacherEnds[^1]);
                    for (int t = 0; t < ids.Length; t++)
                    {
                        Assert.Equal(
                            Array.FindLastIndex(teacherEnds, end => end <= studentEnds[t]),
                            sample.TeacherIndex[t]
                        );
                    }
                },
                iter: 200
            );
    }

    // Bytes of text, an end-of-text token counting as one.
    private static int Length(BpeTokenizer tokenizer, IEnumerable<int> ids) =>
        ids.Sum(id => id == tokenizer.EndOfTextId ? 1 : tokenizer.ByteLength(id));

    private static long ByteId(byte value) =>
        Enumerable
            .Range(0, Bytes.VocabularySize)
            .First(id => Bytes.ByteLength(id) == 1 && Bytes.DecodeToBytes([id])[0] == value);

    private static long[] Ids(BpeTokenizer tokenizer, string text) =>
        [.. tokenizer.Encode(text).Select(id => (long)id)];

    private static BpeTokenizer Train(IEnumerable<string> texts, int size) =>
        BpeTrainer.Train(texts, new BpeTrainerOptions { VocabularySize = size, MinimumFrequency = 1 });
}
