using Saltern.Files;
using Saltern.Tests.Simulation;

namespace Saltern.Tests.Files;

// On a disk that keeps no more than POSIX promises (Simulation/SimulatedDisk.cs).
public sealed class DurableFolderTests : IDisposable
{
    private const int Losses = 50; // of power: each leaves what was not flushed in another way
    private readonly string _root = Campaign.Root(0);
    private readonly SimulatedDisk _disk;

    public DurableFolderTests()
    {
        _disk = new SimulatedDisk(_root);
        _disk.Format();
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Create_OfSeveralLevels_OutlastsALossOfPower()
    {
        for (int seed = 0; seed < Losses; seed++)
        {
            _disk.Format();
            Assert.Null(Live(seed, null, () => DurableFolder.Create(_root + "/a/b/c")));
            _disk.End(losesPower: true);
            Assert.True(Directory.Exists(_root + "/a/b/c"));
        }
    }

    [Fact]
    public void Create_OfWhatAKilledProcessMade_OutlastsALossOfPower()
    {
        for (int seed = 0; seed < Losses; seed++)
        {
            _disk.Format();

            // Killed between the second folder and the flush of its name.
            Assert.IsType<ProcessEnded>(
                Live(seed, new Fault(FaultKind.Kill, 2, IsLate: true), () => DurableFolder.Create(_root + "/a/b"))
            );
            _disk.End(losesPower: false);
            Assert.True(Directory.Exists(_root + "/a/b"));

            Assert.Null(Live(seed, null, () => DurableFolder.Create(_root + "/a/b")));
            _disk.End(losesPower: true);
            Assert.True(Directory.Exists(_root + "/a/b"));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Remove_EndedAnywhere_LeavesAllOrNothingUnderTheName(bool losesPower)
    {
        FaultKind kind = losesPower ? FaultKind.PowerLoss : FaultKind.Kill;
        for (int call = 0; call < 8; call++)
        {
            for (int seed = 0; seed < Losses; seed++)
            {
                _disk.Format();
                Live(
                    seed,
                    null,
                    () =>
                        DurableFolder.Write(
                            _root + "/whole",
                            folder =>
                            {
                                WholeFile.WriteText(folder + "/first", "1");
                                WholeFile.WriteText(folder + "/second", "2");
                            }
                        )
                );
                _disk.End(losesPower: false);
                Live(seed, new Fault(kind, call), () => DurableFolder.Remove(_root + "/whole"));
                _disk.End(losesPower);
                int left = Directory.Exists(_root + "/whole") ? Directory.GetFiles(_root + "/whole").Length : 0;
                Assert.True(left is 0 or 2, $"{left} files are left when it ends at call {call}");
            }
        }
    }

    private Exception? Live(int seed, Fault? fault, Action work)
    {
        _disk.Start(new Random(seed), fault);
        using IDisposable _ = Disk.Use(_disk);
        return Record.Exception(work);
    }
}
