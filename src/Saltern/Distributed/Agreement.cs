using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Saltern.Distributed;

/// <summary>What all ranks must see alike. Sums are made on every rank from the same values in the order of the ranks, so they have the same bits everywhere.</summary>
public static class Agreement
{
    /// <summary>Sum over the ranks of each of some float64 values; alone, the values themselves.</summary>
    public static double[] Sum(this ICommunicator ranks, params ReadOnlySpan<double> values)
    {
        double[] all = Gather(ranks, values), sums = new double[values.Length];
        for (int i = 0; i < all.Length; i++)
        {
            sums[i % values.Length] += all[i];
        }

        return sums;
    }

    /// <summary>The largest value of any rank.</summary>
    public static double Max(this ICommunicator ranks, double value) => Gather(ranks, [value]).Max();

    /// <summary>Whether something holds on any rank.</summary>
    public static bool Any(this ICommunicator ranks, bool value) => ranks.Size == 1 ? value : Max(ranks, value ? 1 : 0) > 0;

    /// <summary>Rank 0's value, for all.</summary>
    public static double FromFirst(this ICommunicator ranks, double value)
    {
        Span<double> cell = [value];
        ranks.Broadcast(cell, root: 0);
        return cell[0];
    }

    /// <summary>Makes sure that all ranks have the same text, and names the first that has not.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="what">What is compared, as the message's subject.</param>
    /// <param name="value">This rank's.</param>
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
            throw new DistributedException($"{what} differs between rank 0 and rank {other} (on rank {ranks.Rank}: {value}). {remedy}");
        }
    }

    private static double[] Gather(ICommunicator ranks, ReadOnlySpan<double> values)
    {
        double[] all = new double[values.Length * ranks.Size];
        ranks.AllGather(values, all);
        return all;
    }
}
