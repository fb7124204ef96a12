using Saltern.RunFiles;
using Saltern.Tests.Verdicts;

namespace Saltern.Tests.RunFiles;

public sealed class RunRecordTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("saltern-run-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Load_ReadsAllFilesOfARun()
    {
        RunRecord made = FakeStudy.Run("salt", 3, 3.6, 250);
        WriteFile(
            "metrics.jsonl",
            """{"step":50,"seconds":2.5,"cost/flops":100,"valid/loss":4.5,"train/weight":0.5}""" + "\n"
        );
        WriteFile("result.json", made.Result.ToJson());
        WriteFile("recipe.yaml", "name: x\n");
        WriteFile("eval/documents.jsonl", """{"domain":"wiki","document":4,"tokens":10,"nll":31.5}""" + "\n");

        RunRecord run = RunRecord.Load(_folder);

        Assert.True(run.Finished);
        Assert.Equal("salt-3", run.Result.Name);
        Assert.Equal(361.26e9, run.Result.Teacher!.TrainingFlops);
        Assert.Equal(4.0, run.Result.Final!.Domains["wiki"].Loss, 12);
        Assert.Equal([new DocumentScore("wiki", 4, 10, 31.5)], run.Documents);
        Assert.Equal([new CurvePoint(50, 2.5, 100, 4.5)], run.Curve(VerdictMetric.Loss));
    }

    [Fact]
    public void TornLastLine_IsLeftOut()
    {
        WriteFile("metrics.jsonl", """{"step":1,"valid/loss":4}""" + "\n" + """{"step":2,"valid/lo""");
        Assert.Equal([new CurvePoint(1, null, null, 4)], RunRecord.Load(_folder).Curve(VerdictMetric.Loss));
    }

    [Theory]
    [InlineData("""{"step":2,"valid/lo""")]
    [InlineData("[1]")]
    [InlineData("""{"loss":2}""")]
    [InlineData("""{"step":1.5}""")]
    [InlineData("""{"step":-1}""")]
    public void DamagedLineInTheMiddle_IsNamed(string line)
    {
        WriteFile(
            "metrics.jsonl",
            """{"step":1,"valid/loss":4}""" + "\n" + line + "\n" + """{"step":3,"valid/loss":3}"""
        );
        string message = Assert.Throws<DataFormatException>(() => RunRecord.Load(_folder)).Message;
        Assert.Contains("metrics.jsonl:2: ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void AfterAResume_TheLaterLinesWin()
    {
        MetricsTable table = MetricsTable.Parse(
            [
                """{"step":100,"valid/loss":5.0,"seconds":10}""",
                """{"step":150,"valid/loss":4.5,"seconds":15}""",
                """{"step":170,"valid/loss":4.4,"seconds":17}""",
                """{"step":150,"valid/loss":4.6,"seconds":16}""",
            ],
            "m"
        );
        Assert.Equal(
            [new CurvePoint(100, 10, null, 5.0), new CurvePoint(150, 16, null, 4.6)],
            table.Curve("valid/loss")
        );
    }

    [Fact]
    public void LinesOfOneStep_AreMerged_AndMissingCostsInterpolated()
    {
        MetricsTable table = MetricsTable.Parse(
            [
                """{"step":0,"valid/loss":8}""",
                """{"step":10,"seconds":5,"cost/flops":100,"train/loss":6}""",
                """{"step":10,"valid/loss":6}""",
                """{"step":15,"valid/loss":5}""",
                """{"step":20,"seconds":11,"cost/flops":200,"valid/loss":null}""",
                """{"step":30,"valid/loss":4}""",
            ],
            "m"
        );
        Assert.Equal(
            [
                new CurvePoint(0, 0, 0, 8),
                new CurvePoint(10, 5, 100, 6),
                new CurvePoint(15, 8, 150, 5),
                new CurvePoint(30, null, null, 4),
            ],
            table.Curve("valid/loss")
        );
    }

    [Fact]
    public void WithoutResult_TheRunIsUnfinishedAndKnownByItsRecipe()
    {
        WriteFile("metrics.jsonl", """{"step":40,"valid/loss":4,"seconds":9}""");
        WriteFile("recipe.yaml", "name: half\nseed: 7\ntraining: { steps: 100 }\n");

        RunRecord run = RunRecord.Load(_folder);

        Assert.False(run.Finished);
        Assert.Equal(
            ("half", 7, 40, 100, 4.0),
            (run.Result.Name, run.Result.Seed, run.Result.Steps, run.Result.PlannedSteps, run.FinalLoss)
        );
    }

    [Fact]
    public void NoRunFolder_SaysWhatToDo()
    {
        string message = Assert.Throws<DataFormatException>(() => RunRecord.Load(_folder)).Message;
        Assert.EndsWith(
            "not a run folder, the folder has no metrics.jsonl. Name a folder that `saltern train` has written.",
            message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("{", "not a run's result")]
    [InlineData("""{"schema":"saltern.result/1","name":"x","arm":"salt"}""", "seed")]
    [InlineData("""{"schema":"saltern.result/9","name":"x","arm":"salt","seed":1,"steps":1}""", "saltern.result/9")]
    [InlineData("""{"schema":"saltern.result/1","name":"x","arm":"salt","seed":1,"steps":-1}""", "negative")]
    public void DamagedResult_NamesFileAndCause(string json, string cause)
    {
        WriteFile("metrics.jsonl", """{"step":1,"valid/loss":4}""");
        WriteFile("result.json", json);
        string message = Assert.Throws<DataFormatException>(() => RunRecord.Load(_folder)).Message;
        Assert.Contains("result.json", message, StringComparison.Ordinal);
        Assert.Contains(cause, message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedDocuments_NameTheLine()
    {
        WriteFile("metrics.jsonl", """{"step":1,"valid/loss":4}""");
        WriteFile("eval/documents.jsonl", """{"domain":"a","document":0,"tokens":1,"nll":1}""" + "\n{\n");
        Assert.Contains(
            "documents.jsonl:2: ",
            Assert.Throws<DataFormatException>(() => RunRecord.Load(_folder)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void NoEvaluation_IsAnErrorWithTheRunsName()
    {
        WriteFile("metrics.jsonl", """{"step":1,"train/loss":4}""");
        RunRecord run = RunRecord.Load(_folder);
        Assert.Contains(
            $"'{Path.GetFileName(_folder)}' has no finite valid/loss",
            Assert.Throws<DataFormatException>(() => run.Curve(VerdictMetric.Loss)).Message,
            StringComparison.Ordinal
        );
    }

    private void WriteFile(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
