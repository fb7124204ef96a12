using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Saltern.Fuzz;

/// <summary>Which steps from one block of code to another an input took, and how often, as instrumented assemblies count them.</summary>
/// <remarks>The counts are AFL's: a step is a place in a map of 2^16, seen new with each of the counts 1, 2, 3, 4, 8, 16, 32 and 128.</remarks>
internal sealed unsafe class EdgeMap
{
    private const int Size = 1 << 16;

    private readonly byte[] _seen = new byte[Size];

    /// <summary>Gives instrumented code its map, for as long as the process lives; before any of it runs.</summary>
    public static void Prepare() => Trace.SharedMem = (byte*)NativeMemory.AllocZeroed(Size);

    /// <summary>Steps that any input took.</summary>
    public int Edges { get; private set; }

    /// <summary>Before an input is read.</summary>
    public static void Clear()
    {
        new Span<byte>(Trace.SharedMem, Size).Clear();
        Trace.PrevLocation = 0;
    }

    /// <summary>After it: whether it took a step that none before it took, or one more often.</summary>
    public bool Learn()
    {
        bool isNew = false;
        ReadOnlySpan<ulong> words = new(Trace.SharedMem, Size / sizeof(ulong));
        for (int word = 0; word < words.Length; word++)
        {
            if (words[word] == 0)
            {
                continue;
            }

            for (int at = word * sizeof(ulong); at < (word + 1) * sizeof(ulong); at++)
            {
                byte often = Bucket(Trace.SharedMem[at]);
                if ((often & ~_seen[at]) != 0)
                {
                    Edges += _seen[at] == 0 ? 1 : 0;
                    _seen[at] |= often;
                    isNew = true;
                }
            }
        }

        return isNew;
    }

    private static byte Bucket(byte count) =>
        count switch
        {
            0 => 0,
            1 => 1,
            2 => 2,
            3 => 4,
            < 8 => 8,
            < 16 => 16,
            < 32 => 32,
            < 128 => 64,
            _ => 128,
        };
}
