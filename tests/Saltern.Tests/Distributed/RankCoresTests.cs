using Saltern.Distributed;

namespace Saltern.Tests.Distributed;

// One word names the machine, one holds the cores.
public class RankCoresTests
{
    private static readonly LaunchedProcess OpenMpi = new(LauncherKind.OpenMpi, 0, 4);

    [Fact]
    public void RanksThatShareCores_DivideThem()
    {
        ulong[][] places =
        [
            [7, 0b1111_1111],
            [7, 0b1111_1111],
            [7, 0b1111_1111],
            [8, 0b1111_1111],
        ];
        Assert.Equal(new RankCores(2, 3, null), RankCores.Of(places, 0, 1, usable: 8, OpenMpi)); // 8 cores / 3 ranks
        Assert.Equal(new RankCores(8, 1, null), RankCores.Of(places, 3, 1, usable: 8, OpenMpi)); // alone on its machine
        Assert.Equal(new RankCores(1, 3, null), RankCores.Of(places, 0, 1, usable: 4, OpenMpi)); // a quota of 4 cores
    }

    [Fact]
    public void RanksBoundToCoresOfTheirOwn_KeepThem()
    {
        ulong[][] places =
        [
            [7, 0b0000_1111],
            [7, 0b1111_0000],
        ];
        Assert.Equal(new RankCores(4, 2, null) { IndexHere = 1 }, RankCores.Of(places, 1, 1, usable: 4, OpenMpi));
    }

    [Fact]
    public void OneCoreARank_AndTooManyRanks_AreSaid()
    {
        Assert.Contains(
            "--bind-to none",
            RankCores
                .Of(
                    [
                        [7, 0b01],
                        [7, 0b10],
                    ],
                    0,
                    1,
                    usable: 1,
                    OpenMpi
                )
                .Remark,
            StringComparison.Ordinal
        );
        RankCores crowded = RankCores.Of(
            [
                [7, 0b11],
                [7, 0b11],
                [7, 0b11],
            ],
            0,
            1,
            usable: 2,
            OpenMpi
        );
        Assert.Equal(1, crowded.Threads);
        Assert.Contains("3 ranks share 2 cores", crowded.Remark, StringComparison.Ordinal);
    }

    [Fact]
    public void AProcessAlone_HasTheCoresThatItMayUse() =>
        Assert.Equal(Environment.ProcessorCount, RankCores.Find(new SingleProcess(), LaunchedProcess.Alone).Threads);
}
