using System.Runtime.InteropServices;
using System.Text.Json;
using Saltern.Distributed;

namespace Saltern.Shards;

/// <summary>How ranks begin a data set together: where rank 0 resumes an interrupted run, the others start from the same place.</summary>
internal static class SharedPreparation
{
    // Hashes that travel at once, 16 bytes each.
    private const int HashesAtOnce = 1 << 20;

    /// <summary>Tells the other ranks where rank 0 begins.</summary>
    /// <param name="reading">Where an interrupted run had come to; null where the work begins anew.</param>
    /// <param name="hashes">The documents that it had seen.</param>
    public static void Tell(ICommunicator ranks, ReadingState? reading, UInt128[] hashes)
    {
        byte[] text = [];
        if (reading is not null)
        {
            text = JsonSerializer.SerializeToUtf8Bytes(reading, PrepareJournalJson.Default.ReadingState);
        }

        long[] lengths = [text.Length, hashes.Length];
        ranks.Broadcast<long>(lengths, root: 0);
        ranks.Broadcast<byte>(text, root: 0);
        Send(ranks, hashes);
    }

    /// <summary>Learns where rank 0 begins.</summary>
    public static (ReadingState? Reading, UInt128[] Hashes) Listen(ICommunicator ranks)
    {
        long[] lengths = new long[2];
        ranks.Broadcast<long>(lengths, root: 0);
        byte[] text = new byte[lengths[0]];
        ranks.Broadcast<byte>(text, root: 0);
        UInt128[] hashes = new UInt128[lengths[1]];
        Send(ranks, hashes);
        if (text.Length == 0)
        {
            return (null, hashes);
        }

        return (JsonSerializer.Deserialize(text, PrepareJournalJson.Default.ReadingState), hashes);
    }

    private static void Send(ICommunicator ranks, UInt128[] hashes)
    {
        for (int first = 0; first < hashes.Length; first += HashesAtOnce)
        {
            ranks.Broadcast(
                MemoryMarshal.AsBytes(hashes.AsSpan(first, Math.Min(HashesAtOnce, hashes.Length - first))),
                root: 0
            );
        }
    }
}
