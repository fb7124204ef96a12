namespace Saltern.Watch.Tests;

public sealed class LiveRunTests : IDisposable
{
    private readonly RunOnDisk _disk = new();

    public void Dispose() => _disk.Dispose();

    [Fact]
    public void Running_HasPaceTimeLeftAndSwitch()
    {
        // One second a step: 40 steps are left after step 60 of 100.
        RunView run = new LiveRun(_disk.Add("SALT", true, 60, _ => 5, false)).Look(DateTime.UtcNow);
        Assert.Equal(RunState.Running, run.State);
        Assert.Equal((60, 100), (run.Step, run.PlannedSteps));
        Assert.Equal(TimeSpan.FromSeconds(40), run.TimeLeft);
        Assert.Equal(40, run.SwitchStep);
        Assert.Equal("SALT", run.Arm);
        Assert.True(run.HadTeacher);
    }

    [Fact]
    public void ARunThatGrows_IsNoBaseline_AndMarksItsGrowth()
    {
        string folder = _disk.Add("GROWN", false, 60, _ => 5, false);
        File.AppendAllText(Path.Combine(folder, "recipe.yaml"), "growth:\n  - until: 30\n");
        File.AppendAllText(Path.Combine(folder, "metrics.jsonl"), "{\"step\":61,\"event/grown_after\":60}\n");
        RunView run = new LiveRun(folder).Look(DateTime.UtcNow);
        Assert.Equal((false, true, true), (run.HadTeacher, run.Grew, run.HadSmallModel));
        Assert.Equal([60], run.GrowthSteps);
        Assert.False(run.StartsFromAModel);
        Chart training = RunCharts
            .Main([run], [], new ChartChoice(ArmLook.Of([run]), RunAxis.Steps))
            .Single(chart => chart.Id == "training");
        Assert.Contains(
            training.Marks,
            mark => mark.Text.EndsWith("the model grew after step 60", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void NoNewsForLong_IsQuiet()
    {
        var run = new LiveRun(_disk.Add("SALT", true, 60, _ => 5, false));
        Assert.Equal(RunState.Quiet, run.Look(DateTime.UtcNow.AddMinutes(10)).State);
    }

    [Fact]
    public void RecipeAlone_Waits()
    {
        string folder = _disk.Add("SALT", true, 60, _ => 5, false);
        File.Delete(Path.Combine(folder, "metrics.jsonl"));
        Assert.Equal(RunState.Waiting, new LiveRun(folder).Look(DateTime.UtcNow).State);
    }

    [Fact]
    public void TornResult_IsAProblemAndMetricsStay()
    {
        string folder = _disk.Add("SALT", true, 60, _ => 5, false);
        File.WriteAllText(Path.Combine(folder, "result.json"), "{ \"schema\": ");
        var live = new LiveRun(folder);
        RunView run = live.Look(DateTime.UtcNow);
        Assert.Contains("result.json", run.Problem, StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, "result.json"));
        run = live.Look(DateTime.UtcNow);
        Assert.Null(run.Problem);
        Assert.Equal(60, run.Step);
    }

    [Fact]
    public void Looking_ChangesNothingInTheFolder()
    {
        string folder = _disk.Add("SALT", true, 60, _ => 5, true);
        Directory.CreateDirectory(Path.Combine(folder, "checkpoints", "step-00000060"));
        string[] before =
        [
            .. Directory
                .EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
                .Order()
                .Select(path => path + File.GetLastWriteTimeUtc(path).Ticks),
        ];
        CheckpointView checkpoint = Assert.Single(new LiveRun(folder).Look(DateTime.UtcNow).Checkpoints);
        Assert.Equal((60, null), (checkpoint.Step, checkpoint.Written));
        Assert.Equal(
            before,
            Directory
                .EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
                .Order()
                .Select(path => path + File.GetLastWriteTimeUtc(path).Ticks)
        );
    }

    [Fact]
    public void FolderOfRuns_GivesEachOnce()
    {
        _disk.Add("A", false, 10, _ => 5, false);
        _disk.Add("B/seed-1", false, 10, _ => 5, false);
        Assert.Equal([_disk["A"], _disk["B/seed-1"]], RunFolders.Find([_disk.Folder, _disk["A"]]));
        Assert.Contains(
            "no such folder",
            Assert.Throws<ConfigurationException>(() => RunFolders.Find([_disk["C"]])).Message,
            StringComparison.Ordinal
        );
    }
}
