using Saltern.Evaluation;
using Saltern.Files;

namespace Saltern.Tests.Simulation;

// What is replaced by several files is not touched before all of them are on the disk.
public sealed class ReplacedFilesTests : IDisposable
{
    private readonly string _root = Campaign.Root(0);
    private readonly SimulatedDisk _disk;

    public ReplacedFilesTests()
    {
        _disk = new SimulatedDisk(_root);
        _disk.Format();
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void TaskResults_ThatTheDiskHasNoRoomFor_LeaveTheOldOnes()
    {
        Assert.Null(Live(null, () => TaskResultFolder.Write(_root + "/eval", [], "old")));
        for (
            int call = 0;
            Live(new Fault(FaultKind.Full, call), () => TaskResultFolder.Write(_root + "/eval", [], "new"))
                is IOException;
            call++
        )
        {
            // Where only names were left to change, the new one is whole under its temporary name.
            string? found = new[] { "results.json", "results.json.writing" }
                .Select(name => $"{_root}/eval/{name}")
                .Where(File.Exists)
                .Select(File.ReadAllText)
                .FirstOrDefault();
            Assert.True(found is "old" or "new", $"{found ?? "nothing"} after an error at call {call}");
        }

        Assert.Equal("new", File.ReadAllText(_root + "/eval/results.json"));
    }

    [Fact]
    public void ASelection_MadeAgain_IsNotTouched()
    {
        var select = new SimulatedSelection();
        Assert.Null(Live(null, () => select.Run(_root, _ => { })));
        int calls = _disk.Calls;
        DateTime before = DateTime.UnixEpoch;
        string file = _root + "/selections/half/samples.bin";
        File.SetLastWriteTimeUtc(file, before);
        Assert.Null(Live(null, () => select.Run(_root, _ => { })));
        Assert.Equal(before, File.GetLastWriteTimeUtc(file));
        Assert.True(_disk.Calls < calls);
    }

    private Exception? Live(Fault? fault, Action work)
    {
        _disk.Start(new Random(1), fault);
        Exception? error;
        using (Disk.Use(_disk))
        {
            error = Record.Exception(work);
        }

        _disk.End(losesPower: false);
        return error;
    }
}
