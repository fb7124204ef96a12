using Saltern.Losses;

namespace Saltern.Tests.Kernels;

/// <summary>The figures of a position in the order in which loss.cl writes them.</summary>
internal static class LossFigures
{
    public const int Count = 11;

    /// <summary>What the kernels wrote against a loss head's.</summary>
    public static void AssertSame(PositionLosses expected, float[] figures, int rows)
    {
        for (int row = 0; row < rows; row++)
        {
            float[] found = figures[(row * Count)..((row + 1) * Count)];
            if (!expected.Counted[row])
            {
                Assert.All(found, value => Assert.Equal(0, value));
                continue;
            }

            bool taught = expected.HasTeacher[row];
            float Taught(float[] values) => taught ? values[row] : 0;
            float[] exact =
            [
                expected.Loss[row],
                expected.StudentNll[row],
                expected.Confidence[row],
                expected.Correct[row] ? 1 : 0,
                Taught(expected.Omega),
                Taught(expected.Gate),
                Taught(expected.CrossEntropyToTeacher),
                Taught(expected.TeacherNll),
                Taught(expected.TeacherNllTempered),
                Taught(expected.TeacherEntropy),
                taught && expected.Agrees[row] ? 1 : 0,
            ];
            for (int i = 0; i < Count; i++)
            {
                // float32 sums over the vocabulary of losses up to some 20 nats.
                double tolerance = 1e-5 * Math.Max(1, Math.Abs(exact[i]));
                Assert.True(
                    Math.Abs(exact[i] - found[i]) <= tolerance,
                    $"row {row}, figure {i}: {found[i]}, exact {exact[i]}"
                );
            }
        }
    }
}
