using System.Text.Json.Nodes;
using Saltern.Checkpoints;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

// Checkpoints whose state names the first step without the teacher (stage1_end_step; end_step of a track of 'auto'), not the last one with it.
public sealed class OldStateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OldKey_KeepsItsMeaning()
    {
        File.WriteAllText(_folder["trainer_state.json"], """{ "step": 20, "stage1_end_step": 11 }""");
        Assert.Equal(10, Checkpoint.LoadState(_folder.Path).Stage1LastStep);
        File.WriteAllText(_folder["trainer_state.json"], """{ "step": 8, "stage1_end_step": null }""");
        Assert.Null(Checkpoint.LoadState(_folder.Path).Stage1LastStep);
        File.WriteAllText(_folder["trainer_state.json"], """{ "step": 20, "stage1_last_step": 11 }""");
        Assert.Equal(11, Checkpoint.LoadState(_folder.Path).Stage1LastStep);
        File.WriteAllText(_folder["trainer_state.json"], """{ "stage1_end_step": "soon" }""");
        Assert.Throws<CheckpointException>(() => Checkpoint.LoadState(_folder.Path));
    }

    [Theory]
    [InlineData(TransitionKind.Step, 8)]
    [InlineData(TransitionKind.Step, 14)]
    [InlineData(TransitionKind.Auto, 8)]
    [InlineData(TransitionKind.Auto, 14)]
    public void ResumedFromAnOldCheckpoint_ARunIsBitForBitTheUninterruptedOne(TransitionKind kind, int cutAfter)
    {
        // Stage 1 ends after step 10: the first cut falls into it, the last one behind it.
        (float[] whole, RunResult expected) = Train(kind, "whole", 20);
        Train(kind, "cut", cutAfter);
        string checkpoint = new CheckpointStore(_folder["cut"]).PathOf(cutAfter);
        string file = Path.Combine(checkpoint, Checkpoint.StateFile);
        JsonObject state = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        int? last = (int?)state["stage1_last_step"];
        Assert.Equal(cutAfter > 10 ? 10 : null, last);
        state.Remove("stage1_last_step");
        state["stage1_end_step"] = last + 1;
        foreach (JsonObject track in state["transition"]!["tracks"]!.AsArray().OfType<JsonObject>())
        {
            Assert.Equal(kind == TransitionKind.Auto ? last : null, (int?)track["last_step"]);
            Assert.False(track.ContainsKey("end_step"));
            track.Remove("last_step");
            track["end_step"] = kind == TransitionKind.Auto ? last + 1 : null;
        }

        File.WriteAllText(file, state.ToJsonString());
        File.Delete(Path.Combine(checkpoint, CheckpointManifest.FileName));
        CheckpointManifest.Write(checkpoint);

        (float[] weights, RunResult result) = Train(kind, "cut", 20, resume: true);
        Assert.Equal(whole, weights);
        Assert.Equal(
            (10, kind == TransitionKind.Auto ? "maximum" : "schedule"),
            (result.Stage1EndStep, result.Stage1EndReason)
        );
        Assert.Equal(
            (expected.Stage1EndStep, expected.TeacherFlops, expected.Final!.Loss),
            (result.Stage1EndStep, result.TeacherFlops, result.Final!.Loss)
        );
    }

    private (float[] Weights, RunResult Result) Train(TransitionKind kind, string name, int until, bool resume = false)
    {
        var stage = new DistillationConfig { Transition = kind };
        stage =
            kind == TransitionKind.Auto
                ? stage with
                {
                    Maximum = StepPoint.FromSteps(11),
                    EndWeight = 0,
                    PerDomain = true,
                }
                : stage with
                {
                    Start = StepPoint.FromSteps(10),
                };
        RunConfig config = TinyRun.Shared.Salt("old", 20, stage);
        using TrainingRun run = TrainingRun.Open(config, _folder[name], TinyRun.Quick with { Resume = resume });
        run.Continue(until, CancellationToken.None);
        float[] weights = run.Student.Parameters.FlatWeights.data<float>().ToArray();
        return (weights, run.Finish(truncated: until < 20));
    }
}
