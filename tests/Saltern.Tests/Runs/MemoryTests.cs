using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Runs;

public class MemoryTests
{
    [Fact]
    public void LiveTensorsAndResidentMemory_AreFlatOver500Steps()
    {
        using var folder = new TemporaryFolder();
        RunConfig config = TinyRun.Shared.Salt(
            "flat",
            1_000,
            new DistillationConfig { Transition = TransitionKind.Constant }
        );
        config = config with { Training = config.Training with { EvaluateEvery = 50, CheckpointEvery = 100 } };
        using TrainingRun run = TrainingRun.Open(config, folder["flat"], TinyRun.Quick);

        // The heaps find their size over some hundred steps (a run of 6,000 grew by 13 MiB from step 500 to 1,500, by 1 MiB from 3,000 on).
        // After another number of checkpoints than later: handles that wait for a finalizer would not cancel out.
        run.Continue(450, CancellationToken.None);
        long tensors = torch.Tensor.TotalCount;
        run.Continue(500, CancellationToken.None);
        long resident = ResidentBytes();
        run.Continue(1_000, CancellationToken.None);
        Assert.Equal(tensors, torch.Tensor.TotalCount);

        // 500 steps that kept one activation each (8 × 32 × 24 floats) would add 12 MB.
        long growth = ResidentBytes() - resident;
        Assert.True(growth < 8 << 20, $"resident memory grew by {growth / 1048576.0:0.0} MiB");
    }

    [Fact]
    public void TheTeachersBytes_HaveLeftMemoryAfterTheSwitch()
    {
        // A teacher large enough to tell from the noise of everything else: 64 MB of weights, never trained.
        using var folder = new TemporaryFolder();
        var shape = new TransformerConfig
        {
            HiddenSize = 512,
            NumHiddenLayers = 5,
            NumAttentionHeads = 8,
            IntermediateSize = 1_408,
            TieWordEmbeddings = true,
        }.Resolve(300, 32);
        Directory.CreateDirectory(folder["teacher"]);
        using (var model = new Transformer(shape, trainable: false))
        {
            model.Initialize(1);
            ModelFolder.Save(folder["teacher"], model);
        }

        File.Copy(Path.Combine(TinyRun.Shared.DataFolder, "tokenizer.json"), folder["teacher/tokenizer.json"]);
        RunConfig config = TinyRun.Shared.Salt(
            "switch",
            8,
            new DistillationConfig { Transition = TransitionKind.Step, Start = StepPoint.FromSteps(4) }
        );
        config = config with { Teacher = config.Teacher! with { Path = folder["teacher"] } };
        using TrainingRun run = TrainingRun.Open(config, folder["run"], TinyRun.Quick);
        run.Continue(4, CancellationToken.None);
        long bytes = ((LiveTeacher)run.Teacher!).WeightBytes;
        long before = ResidentBytes();
        run.Continue(5, CancellationToken.None);
        Assert.Null(run.Teacher);
        long left = before - ResidentBytes();
        Assert.True(
            left >= 0.95 * bytes,
            $"{left / 1048576.0:0.0} of {bytes / 1048576.0:0.0} MiB left resident memory"
        );
    }

    // VmRSS, not a cached figure of the process class; without the managed heap's garbage, which comes and goes.
    internal static long ResidentBytes()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        string line = File.ReadLines("/proc/self/status")
            .First(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(
                line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
                System.Globalization.CultureInfo.InvariantCulture
            ) * 1024;
    }
}
