namespace Saltern.ModelFiles;

/// <summary>Changes the order of a matrix's values, or a norm's offset, while it streams by.</summary>
internal static class RowOrder
{
    /// <summary>Queries, keys and values head by head, [H, 3, A, D], become all queries, all keys, all values, [3, H, A, D].</summary>
    /// <param name="pieces">Values of the one matrix (or bias) that GPT-NeoX has for the three; gone through once for each of them.</param>
    /// <param name="columns">D; 1 for a bias.</param>
    public static IEnumerable<Memory<float>> ByProjection(IEnumerable<Memory<float>> pieces, int headSize, int columns)
    {
        const int projections = 3;
        long run = (long)headSize * columns;
        for (int projection = 0; projection < projections; projection++)
        {
            long at = 0;
            foreach (Memory<float> piece in pieces)
            {
                Memory<float> rest = piece;
                while (rest.Length > 0)
                {
                    int inside = (int)Math.Min(rest.Length, run - (at % run));
                    if (at / run % projections == projection)
                    {
                        yield return rest[..inside];
                    }

                    at += inside;
                    rest = rest[inside..];
                }
            }
        }
    }

    /// <summary>Inputs by outputs become outputs by inputs: [rows, columns] is given as [columns, rows], whole in one buffer.</summary>
    /// <param name="pieces">Values of the matrix, row by row.</param>
    /// <param name="count">Number of values.</param>
    /// <param name="columns">Values of a row as stored.</param>
    public static IEnumerable<Memory<float>> Transpose(IEnumerable<Memory<float>> pieces, long count, int columns)
    {
        float[] result = new float[count];
        long rows = count / columns;
        long at = 0;
        foreach (Memory<float> piece in pieces)
        {
            foreach (float value in piece.Span)
            {
                (long row, long column) = Math.DivRem(at, columns);
                result[(column * rows) + row] = value;
                at++;
            }
        }

        yield return result;
    }

    /// <summary>One more than each value: the factors of norms that keep w − 1.</summary>
    public static IEnumerable<Memory<float>> AddOne(IEnumerable<Memory<float>> pieces)
    {
        foreach (Memory<float> piece in pieces)
        {
            foreach (ref float value in piece.Span)
            {
                value += 1;
            }

            yield return piece;
        }
    }

    /// <summary>Moves the two elements of each rotary pair next to each other: rows i and i + A/2 of a head become rows 2i and 2i + 1.</summary>
    /// <remarks>Hugging Face's Llama rotates halves, the original one and llama.cpp's rotate neighbours. Scores of attention are sums over a head's elements, so that nothing else changes.</remarks>
    /// <param name="pieces">Values of a matrix [heads · A, columns], row by row.</param>
    /// <param name="columns">Values of a row.</param>
    /// <returns>One head after the other, in one buffer.</returns>
    public static IEnumerable<Memory<float>> Interleave(IEnumerable<Memory<float>> pieces, int headSize, int columns)
    {
        float[] head = new float[headSize * columns];
        float[] result = new float[head.Length];
        int filled = 0;
        foreach (Memory<float> piece in pieces)
        {
            Memory<float> rest = piece;
            while (rest.Length > 0)
            {
                int taken = Math.Min(rest.Length, head.Length - filled);
                rest[..taken].CopyTo(head.AsMemory(filled));
                rest = rest[taken..];
                filled += taken;
                if (filled < head.Length)
                {
                    continue;
                }

                for (int row = 0; row < headSize; row++)
                {
                    int from = (row / 2) + (row % 2 * (headSize / 2));
                    head.AsSpan(from * columns, columns).CopyTo(result.AsSpan(row * columns));
                }

                filled = 0;
                yield return result;
            }
        }
    }
}
