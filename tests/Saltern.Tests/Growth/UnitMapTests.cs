using Saltern.Growth;

namespace Saltern.Tests.Growth;

public class UnitMapTests
{
    [Fact]
    public void Tile_RepeatsAllUnits_AndCountsTheCopies()
    {
        var map = UnitMap.Tile(3, 5);
        Assert.Equal([0, 1, 2, 0, 1], map.Sources);
        Assert.Equal([2, 2, 1, 2, 2], map.Copies);
        Assert.Equal([true, true, true, false, false], map.IsFirst);
        Assert.False(map.IsIdentity);
        Assert.True(UnitMap.Tile(3, 3).IsIdentity);
    }

    [Fact]
    public void Expand_MakesChannelsOfHeads() => Assert.Equal([0, 1, 2, 3, 0, 1], UnitMap.Tile(2, 3).Expand(2).Sources);

    // Two query heads a key/value head before. Each grown query head reads a copy of the key/value head that its source read, and none is left out.
    [Theory]
    [InlineData(2, 2, 4, "0 1 0 1 2 3 2 3")] // more query heads on the same key/value heads
    [InlineData(2, 4, 2, "0 1 2 3 0 1 2 3")] // both doubled
    [InlineData(2, 4, 1, "0 2 1 3")] // more key/value heads for the same query heads
    [InlineData(1, 2, 3, "0 1 0 1 0 1")]
    public void QueryHeads_FollowTheirKeyValueHeads(int before, int keyHeads, int queriesOfEach, string expected)
    {
        var keys = UnitMap.Tile(before, keyHeads);
        var queries = UnitMap.OfGroups(keys, 2, queriesOfEach);
        Assert.Equal(expected, string.Join(' ', queries.Sources));
        for (int i = 0; i < queries.Sources.Length; i++)
        {
            Assert.Equal(keys.Sources[i / queriesOfEach], queries.Sources[i] / 2);
        }

        Assert.Equal(2 * before, queries.Sources.Distinct().Count());
    }
}
