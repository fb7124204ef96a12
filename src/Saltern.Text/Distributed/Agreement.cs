using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Saltern.Distributed;

/// <summary>What all ranks must see alike. Sums are made on every rank from the same values in the order of the ranks, so they have the same bits everywhere.</summary>
internal static class Agreement
{
    /// <summary>Sum over the ranks of each of some float64 values; alone, the values themselves.</summary>
    public static double[] Sum(this ICommunicator ranks, params ReadOnlySpan<double> values)
    {
        double[] all = Gather(ranks, values);
        double[] sums = new double[values.Length];
        for (int i = 0; i < all.Length; i++)
        {
            sums[i % values.Length] += all[i];
        }

        return sums;
    }

    /// <summary>The largest value of any rank.</summary>
    public static double Max(this ICommunicator ranks, double value) => Gather(ranks, [value]).Max();

    /// <summary>Whether something holds on any rank.</summary>
    public static bool Any(this ICommunicator ranks, bool value) =>
        ranks.Size == 1 ? value : Max(ranks, Convert.ToDouble(value)) > 0;

    /// <summary>Rank 0's value, for all.</summary>
    public static double FromFirst(this ICommunicator ranks, double value)
    {
        Span<double> cell = [value];
        ranks.Broadcast(cell, root: 0);
        return cell[0];
    }

    /// <summary>Gives every rank all items of which each rank has made some.</summary>
    /// <param name="items">As many on every rank; those of other owners are replaced.</param>
    /// <param name="owners">Rank that has made each row of items, the same on every rank.</param>
    /// <param name="rowLength">Items of a row.</param>
    public static void Exchange<T>(this ICommunicator ranks, Span<T> items, ReadOnlySpan<int> owners, int rowLength = 1)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(items.Length, owners.Length * rowLength);
        if (ranks.Size == 1)
        {
            return;
        }

        int[] counts = new int[ranks.Size];
        foreach (int owner in owners)
        {
            counts[owner]++;
        }

        int most = counts.Max();
        T[] mine = new T[most * rowLength];
        T[] all = new T[mine.Length * ranks.Size];
        int[] next = new int[ranks.Size];
        for (int row = 0; row < owners.Length; row++)
        {
            if (owners[row] == ranks.Rank)
            {
                items.Slice(row * rowLength, rowLength).CopyTo(mine.AsSpan(next[ranks.Rank]++ * rowLength));
            }
        }

        ranks.AllGather<T>(mine, all);
        next[ranks.Rank] = 0;
        for (int row = 0; row < owners.Length; row++)
        {
            int owner = owners[row];
            all.AsSpan(((owner * most) + next[owner]++) * rowLength, rowLength)
                .CopyTo(items.Slice(row * rowLength, rowLength));
        }
    }

    /// <summary>Makes sure that all ranks have the same text, and names the first that has not.</summary>
    /// <param name="what">What is compared, as the message's subject.</param>
    /// <param name="remedy">What to do where they differ, a sentence.</param>
    /// <exception cref="DistributedException">Some rank has another one than rank 0.</exception>
    public static void RequireSame(this ICommunicator ranks, string what, string value, string remedy)
    {
        ulong hash = BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(value)));
        ulong[] all = new ulong[ranks.Size];
        ranks.AllGather<ulong>([hash], all);
        int other = Array.FindIndex(all, each => each != all[0]);
        if (other > 0)
        {
            throw new DistributedException(
                $"{what} differs between rank 0 and rank {other} (on rank {ranks.Rank}: {value}). {remedy}"
            );
        }
    }

    private static double[] Gather(ICommunicator ranks, ReadOnlySpan<double> values)
    {
        double[] all = new double[values.Length * ranks.Size];
        ranks.AllGather(values, all);
        return all;
    }
}
