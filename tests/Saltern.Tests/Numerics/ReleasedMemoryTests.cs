using Saltern.Numerics;

namespace Saltern.Tests.Numerics;

public unsafe class ReleasedMemoryTests
{
    [Theory]
    [InlineData(0L, 100_000L)]
    [InlineData(3L, 5L)] // inside a page
    [InlineData(1_000L, 30L)] // over the border of two
    [InlineData(1_024L, 1_024L)] // a page
    [InlineData(1_030L, 5_000L)]
    public void Release_SetsTheseToZeroAndNoOthers(long first, long count)
    {
        using var memory = new MappedMemory(100_000);
        var all = new Span<float>(memory.Start, 100_000);
        all.Fill(7);
        memory.Release(first, count);
        Assert.Equal(-1, all.Slice((int)first, (int)count).IndexOfAnyExcept(0f));
        Assert.Equal(-1, all[..(int)first].IndexOfAnyExcept(7f));
        Assert.Equal(-1, all[(int)(first + count)..].IndexOfAnyExcept(7f));
        all.Fill(8);
        Assert.Equal(-1, all.IndexOfAnyExcept(8f));
    }

    [Fact]
    public void Release_GivesMemoryBackToTheSystem()
    {
        const long Count = 16 << 20; // 64 MiB
        using var memory = new MappedMemory(Count);
        new Span<float>(memory.Start, (int)Count).Fill(1);
        long before = Resident();
        memory.Release(5, Count - 10);
        Assert.InRange(before - Resident(), 56L << 20, long.MaxValue); // other tests of this process may take some meanwhile
    }

    [Fact]
    public void OutsideTheMemory_IsRefused()
    {
        using var memory = new MappedMemory(100);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Release(-1, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Release(90, 11));
    }

    private static long Resident()
    {
        string line = File.ReadLines("/proc/self/status")
            .Single(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], null) << 10;
    }
}
