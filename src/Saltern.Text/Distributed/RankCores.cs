using System.Globalization;
using System.Numerics;
using System.Text;

namespace Saltern.Distributed;

/// <summary>Which cores the ranks of one machine may use, and so how many threads each has.</summary>
/// <param name="Threads">Threads of this rank: its cores, divided by the ranks that share them.</param>
/// <param name="RanksHere">Ranks on this machine.</param>
/// <param name="Remark">What a person should know; null for nothing.</param>
internal sealed record RankCores(int Threads, int RanksHere, string? Remark)
{
    private const string StatusFile = "/proc/self/status";
    private const string AffinityKey = "Cpus_allowed:";
    private const int NameBytes = 64;
    private const int MaskWords = 16; // 1,024 cores

    /// <summary>Number of this rank among those of its machine, from 0.</summary>
    public int IndexHere { get; init; }

    /// <summary>Asks every rank for its machine and cores.</summary>
    public static RankCores Find(ICommunicator ranks, LaunchedProcess launch)
    {
        ulong[] mine = new ulong[(NameBytes / sizeof(ulong)) + MaskWords];
        ulong[] all = new ulong[mine.Length * ranks.Size];
        Span<byte> name = System.Runtime.InteropServices.MemoryMarshal.AsBytes(mine.AsSpan())[..NameBytes];
        byte[] host = Encoding.UTF8.GetBytes(Environment.MachineName);
        host.AsSpan(0, Math.Min(host.Length, NameBytes)).CopyTo(name);
        Affinity().CopyTo(mine, NameBytes / sizeof(ulong));
        ranks.AllGather<ulong>(mine, all);
        ulong[][] places = [.. all.Chunk(mine.Length)];
        return Of(places, ranks.Rank, NameBytes / sizeof(ulong), Environment.ProcessorCount, launch);
    }

    /// <summary>Decides from every rank's machine and cores.</summary>
    /// <param name="places">Of each rank: some words that name its machine, then its cores, a bit each.</param>
    /// <param name="nameWords">How many words name the machine.</param>
    /// <param name="usable">Cores that this process may use by affinity and quota.</param>
    internal static RankCores Of(
        IReadOnlyList<ulong[]> places,
        int rank,
        int nameWords,
        int usable,
        LaunchedProcess launch
    )
    {
        ulong[] mine = places[rank];
        ulong[][] here =
        [
            .. places.Where(place => place.AsSpan(0, nameWords).SequenceEqual(mine.AsSpan(0, nameWords))),
        ];
        int sharing = here.Count(place =>
            Enumerable.Range(nameWords, mine.Length - nameWords).Any(word => (place[word] & mine[word]) != 0)
        );
        int cores = mine.Skip(nameWords).Sum(BitOperations.PopCount);
        int threads = Math.Max(1, usable / Math.Max(1, sharing));
        string? remark = null;
        if (cores == 1 && sharing == 1 && launch.Kind == LauncherKind.OpenMpi)
        {
            remark =
                "Open MPI has bound each rank to one core, so each computes with one thread. "
                + "For more, start with 'mpirun --bind-to none' or '--map-by slot:PE=<cores per rank>'.";
        }
        else if (sharing > usable)
        {
            remark = string.Create(
                CultureInfo.InvariantCulture,
                $"{sharing} ranks share {usable} cores: more ranks than cores are slower than fewer."
            );
        }

        return new RankCores(threads, here.Length, remark)
        {
            IndexHere = places
                .Take(rank)
                .Count(place => place.AsSpan(0, nameWords).SequenceEqual(mine.AsSpan(0, nameWords))),
        };
    }

    // "Cpus_allowed: ff,ffffffff": 32 bits a group, the highest first.
    private static ulong[] Affinity()
    {
        ulong[] mask = new ulong[MaskWords];
        string? line = File.Exists(StatusFile)
            ? File.ReadLines(StatusFile).FirstOrDefault(line => line.StartsWith(AffinityKey, StringComparison.Ordinal))
            : null;
        uint[] groups =
        [
            .. (line?[AffinityKey.Length..] ?? "1")
                .Trim()
                .Split(',')
                .Reverse()
                .Select(text => uint.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture)),
        ];
        for (int i = 0; i < Math.Min(groups.Length, MaskWords * 2); i++)
        {
            mask[i / 2] |= (ulong)groups[i] << (32 * (i % 2));
        }

        return mask;
    }
}
