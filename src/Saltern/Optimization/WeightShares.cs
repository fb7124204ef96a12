using Saltern.Models;

namespace Saltern.Optimization;

/// <summary>What a rank updates of a weight: all of it or a run of its elements.</summary>
/// <param name="Start">First element in the flat buffer.</param>
internal sealed record WeightShare(ParameterSlice Slice, long Start, long Length);

/// <summary>Deals weights out to ranks, the same way on every rank.</summary>
internal static class WeightShares
{
    /// <summary>Matrices that stay whole go by the arithmetic of their products, the largest first, each to the rank that has the least; all else is cut wherever that evens the state out.</summary>
    /// <param name="isWhole">Whether a weight may not be cut: Muon's matrices.</param>
    /// <param name="stateOf">Numbers of state of such a weight; of all else there are two for each element.</param>
    /// <param name="alignment">Cuts are at its multiples in the flat buffer.</param>
    /// <returns>The shares of each rank, in the order of the flat buffer but for matrices that stay whole.</returns>
    public static WeightShare[][] Deal(
        ParameterLayout layout,
        Func<ParameterSlice, bool> isWhole,
        Func<ParameterSlice, long> stateOf,
        int ranks,
        long alignment
    )
    {
        List<WeightShare>[] shares = [.. Enumerable.Range(0, ranks).Select(_ => new List<WeightShare>())];
        double[] arithmetic = new double[ranks];
        long[] state = new long[ranks];
        foreach (
            ParameterSlice matrix in layout
                .Slices.Where(isWhole)
                .OrderByDescending(slice => NewtonSchulz.Flops(slice.Shape[0], slice.Shape[1]))
        )
        {
            int rank = Array.IndexOf(arithmetic, arithmetic.Min());
            shares[rank].Add(new WeightShare(matrix, matrix.Offset, matrix.Count));
            arithmetic[rank] += NewtonSchulz.Flops(matrix.Shape[0], matrix.Shape[1]);
            state[rank] += stateOf(matrix);
        }

        ParameterSlice[] rest = [.. layout.Slices.Where(slice => !isWhole(slice))];
        long[] room = RoomFor(rest.Sum(slice => slice.Count), state, alignment);
        int to = 0;
        foreach (ParameterSlice slice in rest)
        {
            long start = slice.Offset;
            long end = slice.Offset + slice.Count;
            while (start < end)
            {
                while (room[to] == 0 && to < ranks - 1)
                {
                    to++;
                }

                // The last rank takes what is left; what the others' cuts leave of their room is its too.
                long cut = end;
                if (to < ranks - 1 && start + room[to] < end)
                {
                    cut = (start + room[to]) / alignment * alignment;
                    room[to] = Math.Max(0, cut - start);
                }

                if (cut > start)
                {
                    shares[to].Add(new WeightShare(slice, start, cut - start));
                    room[to] = Math.Max(0, room[to] - (cut - start));
                    start = cut;
                }
            }
        }

        return [.. shares.Select(share => share.ToArray())];
    }

    // Elements of what is cut for each rank, two numbers of state each: those with less state first, so that all end level where that is possible.
    private static long[] RoomFor(long elements, long[] state, long alignment)
    {
        long[] room = new long[state.Length];
        long left = elements;
        foreach (int rank in Enumerable.Range(0, state.Length).OrderBy(rank => state[rank]))
        {
            int[] open = [.. Enumerable.Range(0, state.Length).Where(other => state[other] <= state[rank])];

            // Level with this rank, as far as what is left goes.
            foreach (int lower in open)
            {
                long wanted = ((state[rank] - state[lower]) / 2) - room[lower];
                long given = Math.Clamp(wanted / alignment * alignment, 0, left);
                room[lower] += given;
                left -= given;
            }
        }

        long part = left / state.Length / alignment * alignment;
        for (int rank = 0; rank < state.Length; rank++)
        {
            room[rank] += part;
            left -= part;
        }

        room[^1] += left;
        return room;
    }
}
