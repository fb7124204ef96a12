using CsCheck;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

public class SeenDocumentsTests
{
    [Fact]
    public void Add_EqualsASet() =>
        Gen.Int[1, 3000]
            .Array[0, 4000]
            .Sample(
                values =>
                {
                    SeenDocuments seen = new();
                    HashSet<UInt128> set = [];

                    // Equal low bits, so that places are fought over.
                    return Array.TrueForAll(values, value => seen.Add(Hash(value)) == set.Add(Hash(value)))
                        && seen.Added == set.Count
                        && values.All(value => seen.Contains(Hash(value)))
                        && !seen.Contains(Hash(0));
                },
                iter: 100
            );

    [Fact]
    public void Add_BeyondTheBound_StartsAfreshInEqualMemory()
    {
        SeenDocuments seen = new();
        for (int i = 1; i <= SeenDocuments.Capacity; i++)
        {
            seen.Add((UInt128)(ulong)i * 0x9E3779B97F4A7C15);
        }

        Assert.True(seen.Contains(0x9E3779B97F4A7C15));
        long before = GC.GetAllocatedBytesForCurrentThread();

        Assert.True(seen.Add(7));

        Assert.False(seen.Contains(0x9E3779B97F4A7C15));
        Assert.True(seen.Contains(7));
        Assert.Equal(SeenDocuments.Capacity + 1, seen.Added);

        // A second table would be 128 MiB; the assertions above allocate a little.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private static UInt128 Hash(int value) => ((UInt128)(uint)value << 64) | (uint)(value % 7);
}
