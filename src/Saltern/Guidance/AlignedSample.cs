namespace Saltern.Guidance;

/// <summary>A sample of the student's, as a teacher with another tokenizer reads it.</summary>
/// <param name="TeacherIds">The same text in the teacher's tokens, end-of-text tokens between documents.</param>
/// <param name="DocumentStarts">First token of each token's document, as an index into <paramref name="TeacherIds"/>.</param>
/// <param name="TeacherIndex">t′: for each of the student's T positions the teacher's token to align with, as an index into <paramref name="TeacherIds"/>; <see cref="None"/> where there is none.</param>
internal sealed record AlignedSample(int[] TeacherIds, int[] DocumentStarts, int[] TeacherIndex)
{
    /// <summary>No token of the teacher's: the position has no alignment term.</summary>
    public const int None = -1;
}
