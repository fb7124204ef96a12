using System.Runtime.InteropServices;
using System.Text.Json;
using Saltern.Distributed;

namespace Saltern.Shards;

/// <summary>How ranks begin a data set together: where rank 0 resumes an interrupted run, the others start from the same place.</summary>
internal static class SharedPreparation
{
    // Entries that travel at once, 8 or 16 bytes each.
    private const int EntriesAtOnce = 1 << 20;

    /// <summary>Tells the other ranks where rank 0 begins.</summary>
    /// <param name="reading">Where an interrupted run had come to; null where the work begins anew.</param>
    /// <param name="hashes">The documents that it had seen.</param>
    /// <param name="near">What documents are compared with, one after the other.</param>
    public static void Tell(ICommunicator ranks, ReadingState? reading, UInt128[] hashes, ulong[] near)
    {
        byte[] text = [];
        if (reading is not null)
        {
            text = JsonSerializer.SerializeToUtf8Bytes(reading, PrepareJournalJson.Default.ReadingState);
        }

        long[] lengths = [text.Length, hashes.Length, near.Length];
        ranks.Broadcast<long>(lengths, root: 0);
        ranks.Broadcast<byte>(text, root: 0);
        Send(ranks, hashes);
        Send(ranks, near);
    }

    /// <summary>Learns where rank 0 begins.</summary>
    public static (ReadingState? Reading, UInt128[] Hashes, ulong[] Near) Listen(ICommunicator ranks)
    {
        long[] lengths = new long[3];
        ranks.Broadcast<long>(lengths, root: 0);
        byte[] text = new byte[lengths[0]];
        ranks.Broadcast<byte>(text, root: 0);
        UInt128[] hashes = new UInt128[lengths[1]];
        Send(ranks, hashes);
        ulong[] near = new ulong[lengths[2]];
        Send(ranks, near);
        if (text.Length == 0)
        {
            return (null, hashes, near);
        }

        return (JsonSerializer.Deserialize(text, PrepareJournalJson.Default.ReadingState), hashes, near);
    }

    private static void Send<T>(ICommunicator ranks, T[] entries)
        where T : unmanaged
    {
        for (int first = 0; first < entries.Length; first += EntriesAtOnce)
        {
            ranks.Broadcast(
                MemoryMarshal.AsBytes(entries.AsSpan(first, Math.Min(EntriesAtOnce, entries.Length - first))),
                root: 0
            );
        }
    }
}
