using System.Text.Json;
using Saltern.Checkpoints;
using Saltern.Evaluation;
using Saltern.Export;
using Saltern.FineTuning;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.FineTuning;
using Saltern.Tests.Runs;

namespace Saltern.Tests.ModelFiles;

// A model whose config has a key that nobody knows: refused everywhere, read everywhere where the user says so, and recorded.
public sealed class IgnoredKeysTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public IgnoredKeysTests()
    {
        string teacher = new CheckpointStore(TinyRun.Shared.TeacherFolder).PathOf(40);
        Directory.CreateDirectory(_folder["odd"]);
        foreach (string file in new[] { ModelFolder.ConfigFile, ModelFolder.WeightsFile, ModelFolder.TokenizerFile })
        {
            File.Copy(Path.Combine(teacher, file), _folder["odd/" + file]);
        }

        PublishedFile.AddKeys(_folder["odd/config.json"], "\"made_up\": 1, \"unsloth_fixed\": true");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ImportExportAndGrowth_RecordThem()
    {
        Refuses(() => ModelImport.Run(_folder["odd"], _folder["imported"], cancellation: Cancellation));
        ModelImport.Run(
            _folder["odd"],
            _folder["imported"],
            ["made_up"],
            (at, read) => Lineage.Write(at, Lineage.Imported(_folder["odd"], at, null, read.Ignored)),
            cancellation: Cancellation
        );
        Assert.Equal(["made_up"], Lineage.Of("imported", _folder["imported"])[^1].IgnoredKeys);

        var options = new ExportOptions { Format = ExportFormat.HuggingFace };
        Refuses(() => ModelExport.Run(_folder["odd"], _folder["out"], options, cancellation: Cancellation));
        ExportResult exported = ModelExport.Run(
            _folder["odd"],
            _folder["out"],
            options with
            {
                IgnoredKeys = ["made_up"],
            },
            cancellation: Cancellation
        );
        Assert.Contains("made_up (ignored as you said", exported.Remark!, StringComparison.Ordinal);
        Assert.Contains("unsloth_fixed (without effect", exported.Remark!, StringComparison.Ordinal);
        Assert.Equal(["made_up"], Lineage.Of("out", _folder["out"])[^1].IgnoredKeys);

        var grow = new GrowRequest
        {
            From = new InitFromConfig { Path = _folder["odd"], Grow = new GrowthConfig() },
            Sizes = new GrowthModelConfig { NumHiddenLayers = 4 },
            Target = _folder["grown"],
        };
        Refuses(() => GrowRequest.Run(grow));
        GrowRequest.Run(grow with { From = grow.From with { IgnoreKeys = ["made_up"] } });
        Assert.Equal(["made_up"], Lineage.Of("grown", _folder["grown"])[0].IgnoredKeys);
    }

    [Fact]
    public void TeacherAndStart_RecordThemInTheResult()
    {
        RunConfig config = TinyRun.Shared.Salt(
            "odd",
            5,
            new DistillationConfig { Transition = TransitionKind.Constant, FromOwnOrigin = true }
        ) with
        {
            Model = TinyRun.TeacherShape,
            Teacher = new TeacherConfig { Path = _folder["odd"], IgnoreKeys = ["made_up"] },
            InitFrom = new InitFromConfig { Path = _folder["odd"], IgnoreKeys = ["made_up"] },
        };
        Refuses(() => Open(config with { Teacher = new TeacherConfig { Path = _folder["odd"] } }, []).Dispose());
        Refuses(() => Open(config with { InitFrom = new InitFromConfig { Path = _folder["odd"] } }, []).Dispose());
        List<string> log = [];
        using (TrainingRun run = Open(config, log))
        {
            run.Continue(5, Cancellation);
            RunResult result = run.Finish();
            Assert.Equal(["made_up"], Assert.Single(result.Teacher!.History).IgnoredKeys);
            Assert.Equal(["made_up"], Assert.Single(result.Origin).IgnoredKeys);
        }

        Assert.Contains(log, line => line.Contains("made_up (ignored as you said", StringComparison.Ordinal));

        TrainingRun Open(RunConfig opened, List<string> lines) =>
            TrainingRun.Open(opened, _folder["run"], TinyRun.Quick with { Log = lines.Add });
    }

    [Fact]
    public void TeacherPassAndTasks_TakeThem()
    {
        RunConfig recipe = TinyRun.Shared.Salt(
            "odd",
            5,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        var request = new TeachRequest
        {
            Teacher = _folder["odd"],
            Recipe = recipe,
            Stage1Only = true,
            Out = _folder["pass"],
            Threads = 2,
        };
        Refuses(() => TeachRun.Run(request, _ => { }, Cancellation));
        TeachRun.Run(request with { IgnoreKeys = ["made_up"] }, _ => { }, Cancellation);
        using var manifest = JsonDocument.Parse(File.ReadAllText(_folder["pass/manifest.json"]));
        Assert.Contains("\"made_up\"", manifest.RootElement.GetRawText(), StringComparison.Ordinal);

        Refuses(() => TaskModel.Load("odd", _folder["odd"], 16).Dispose());
        using TaskModel model = TaskModel.Load("odd", _folder["odd"], 16, ignoredKeys: ["made_up"]);
        Assert.Equal(["made_up"], model.Reading!.Ignored);
    }

    [Fact]
    public void FineTuning_TakesThemBesideThePath()
    {
        FineTuneConfig recipe = TinyExamples.Recipe(TinyExamples.Write(_folder)) with
        {
            InitFrom = new FineTuneStartConfig { Path = _folder["odd"] },
        };
        Refuses(() => FineTuneRun.Open(recipe, _folder["tuned"], TinyRun.Quick).Dispose());
        recipe = recipe with { InitFrom = recipe.InitFrom with { IgnoreKeys = ["made_up"] } };
        using FineTuneRun run = FineTuneRun.Open(recipe, _folder["tuned"], TinyRun.Quick);
        Assert.Equal(["made_up"], Assert.Single(run.Training.State.Origin!).IgnoredKeys);
    }

    private static void Refuses(Action action)
    {
        Exception refused = Assert.ThrowsAny<SalternException>(action);
        Assert.Contains("--ignore-key made_up", refused.Message, StringComparison.Ordinal);
    }
}
