using System.Diagnostics;

namespace Saltern.Losses;

/// <summary>Whether what a loss head is asked fits together.</summary>
internal static class LossShapes
{
    /// <summary>Refuses a micro-batch whose parts do not fit each other or the loss head.</summary>
    /// <param name="vocabulary">V.</param>
    /// <param name="columns">Rows of the student's output head, V or more.</param>
    /// <exception cref="ArgumentException">They do not fit; what was found stands beside what was expected.</exception>
    public static void Check(LossRequest request, int vocabulary, int columns)
    {
        long rows = request.HiddenStates.shape[0];
        if (rows != request.Labels.Length)
        {
            throw new ArgumentException(
                $"There are {rows} hidden states but {request.Labels.Length} labels.",
                nameof(request)
            );
        }

        if (request.Labels.AsSpan().ContainsAnyInRange(vocabulary, long.MaxValue))
        {
            throw new ArgumentException($"A label is outside the vocabulary of {vocabulary}.", nameof(request));
        }

        if (request.Head.shape[0] != columns)
        {
            throw new ArgumentException(
                $"The head has {request.Head.shape[0]} rows; this loss head was made for {columns}.",
                nameof(request)
            );
        }

        if (request.Teacher is SoftLabels teacher)
        {
            CheckTeacher(request, teacher, vocabulary);
        }
    }

    private static void CheckTeacher(LossRequest request, SoftLabels teacher, int vocabulary)
    {
        long rows = request.HiddenStates.shape[0];
        long? logits = teacher switch
        {
            LiveSoftLabels live => live.Head.shape[0],
            DenseSoftLabels dense => dense.Logits.shape[1],
            SparseSoftLabels => null,
            _ => throw new UnreachableException(
                $"{teacher.GetType()} is no kind of soft labels that a loss head knows."
            ),
        };
        if (logits < vocabulary || teacher.Rows > rows)
        {
            throw new ArgumentException(
                $"The teacher has {teacher.Rows} rows and {logits} logits for {rows} rows "
                    + $"and a vocabulary of {vocabulary}.",
                nameof(request)
            );
        }

        if (request.Omega.Length != rows)
        {
            throw new ArgumentException(
                $"There are {request.Omega.Length} weights for {rows} positions.",
                nameof(request)
            );
        }

        if (teacher is SparseSoftLabels sparse)
        {
            CheckSparse(request, sparse, vocabulary);
        }
    }

    private static void CheckSparse(LossRequest request, SparseSoftLabels sparse, int vocabulary)
    {
        if (
            sparse.Starts.Length != sparse.Rows + 1
            || sparse.Starts[^1] > sparse.Ids.Length
            || sparse.Ids.Length != sparse.Probabilities.Length
        )
        {
            throw new ArgumentException(
                $"The sparse soft labels of {sparse.Rows} rows have {sparse.Starts.Length} starts, "
                    + $"{sparse.Ids.Length} ids and {sparse.Probabilities.Length} probabilities.",
                nameof(request)
            );
        }

        if (sparse.Ids.AsSpan().ContainsAnyExceptInRange(0, vocabulary - 1))
        {
            throw new ArgumentException(
                $"A token id of the sparse soft labels is outside the vocabulary of {vocabulary}.",
                nameof(request)
            );
        }

        if (request.Gate.Kind == GateKind.TopProbability && sparse.TopProbability is null)
        {
            throw new ArgumentException(
                "The gate top_probability needs the teacher's largest probability, "
                    + "which these sparse soft labels do not hold.",
                nameof(request)
            );
        }
    }
}
