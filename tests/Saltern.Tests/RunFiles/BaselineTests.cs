using Saltern.RunFiles;
using Saltern.Tests.Verdicts;

namespace Saltern.Tests.RunFiles;

/// <summary>Which runs are held against which where nobody says it, and what an unfinished run is known to be.</summary>
public class BaselineTests
{
    private static readonly RunAncestor Trunk = new() { Name = "trunk", Operation = "trained" };
    private static readonly RunAncestor Growth = new() { Name = "growth", Operation = RunAncestor.Grown + " by stack" };

    [Fact]
    public void Baselines_AreWhatNoSmallModelHelped()
    {
        RunRecord fresh = Run("fresh");
        RunRecord taught = FakeStudy.Run("salt", 1, 3.6, 250);
        RunRecord grew = Run("grown", Trunk, Growth);
        RunRecord continued = Run("continued", Trunk);
        RunRecord inTheRun = fresh with { Result = fresh.Result with { Stages = [new RunStage { LastStep = 5 }] } };
        Assert.Equal([fresh], RunRecord.Baselines([taught, grew, fresh, inTheRun]));

        // Beside fresh weights a start from a model is help; where all start from one it is not.
        Assert.Equal([fresh], RunRecord.Baselines([continued, fresh]));
        Assert.Equal([continued], RunRecord.Baselines([continued, grew, taught]));

        // A teacher that once grew says nothing of the student.
        RunRecord ofATeacher = Run("taught before", Growth with { AsTeacher = true }, Trunk);
        Assert.Equal([ofATeacher], RunRecord.Baselines([ofATeacher, grew]));
    }

    [Fact]
    public void AnUnfinishedRun_ThatGrows_OrStartsFromAModel_IsKnownToDoSo()
    {
        using var folder = new TemporaryFolder();
        folder.Write(
            "metrics.jsonl",
            """
            {"step":10,"valid/loss":5.0,"seconds":10,"cost/flops":100}
            {"step":20,"seconds":20,"cost/flops":200}
            {"step":21,"event/grown_after":20,"event/grown_parameters":5}
            {"step":30,"valid/loss":4.0,"seconds":40,"cost/flops":400}

            """
        );
        folder.Write("recipe.yaml", "name: a\ninit_from:\n  path: runs/x\n  grow:\n    operator: stack\n");
        RunRecord run = RunRecord.Load(folder.Path);
        Assert.True(run.Grew);
        Assert.Equal(("runs/x", (double?)null), (run.Result.Origin[0].Name, run.Result.Origin[0].Flops));
        Assert.Equal(
            (20, 200.0, 20.0),
            (run.Result.Stages[0].LastStep, run.Result.Stages[0].Flops, run.Result.Stages[0].Seconds)
        );
        folder.Write("recipe.yaml", "name: a\ninit_from: runs/x\n");
        Assert.Equal(RunAncestor.Foreign, RunRecord.Load(folder.Path).Result.Origin[0].Operation);
    }

    [Theory]
    [InlineData("\"origin\": [null]")]
    [InlineData("\"stages\": [null]")]
    [InlineData("\"teacher\": { \"name\": \"t\", \"history\": [null] }")]
    public void AHistoryWithNulls_IsADamagedFile(string member) =>
        Assert.Contains(
            "holds a null",
            Assert
                .Throws<DataFormatException>(() =>
                    RunResult.Parse(
                        $$"""{ "schema": "saltern.result/1", "name": "a", "arm": "a", "seed": 1, "steps": 1, {{member}} }""",
                        "result.json"
                    )
                )
                .Message,
            StringComparison.Ordinal
        );

    private static RunRecord Run(string name, params RunAncestor[] origin)
    {
        RunRecord run = FakeStudy.Run("baseline", 1, 3.7, name: name);
        return run with { Result = run.Result with { Origin = origin } };
    }
}
