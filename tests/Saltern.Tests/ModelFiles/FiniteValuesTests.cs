using Saltern.Checkpoints;
using Saltern.Evaluation;
using Saltern.Export;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Runs;
using Saltern.Tests.Runs;

namespace Saltern.Tests.ModelFiles;

public class FiniteValuesTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void OneValueThatIsNoNumber_IsFoundWhereverItStands()
    {
        float[] values = [.. Enumerable.Range(0, 67).Select(i => i % 2 == 0 ? float.MaxValue : -float.Epsilon)];
        Assert.True(FiniteValues.Are(values));
        Assert.True(FiniteValues.Are([]));
        foreach (float wrong in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            for (int i = 0; i < values.Length; i++)
            {
                float[] changed = [.. values];
                changed[i] = wrong;
                Assert.False(FiniteValues.Are(changed));
            }
        }
    }

    [Fact]
    public void EveryReaderOfWeights_NamesTensorAndCount()
    {
        using var folder = new TemporaryFolder();
        using var source = new TemporaryFolder();
        FamilyModel.Write(source, "llama");
        PublishedFile.Overwrite(
            source[ModelFolder.WeightsFile],
            "model.norm.weight",
            [.. BitConverter.GetBytes(float.NaN), .. BitConverter.GetBytes(float.NegativeInfinity)]
        );
        Action[] readers =
        [
            () => ModelImport.Run(source.Path, folder["imported"], cancellation: Cancellation),
            () => ModelFolder.Load(source.Path, trainable: false).Dispose(),
            () => TaskModel.Load("m", source.Path, 8).Dispose(),
            () => Export(ExportFormat.HuggingFace),
            () => Export(ExportFormat.Gguf),
            () =>
                GrowRequest.Run(
                    new GrowRequest
                    {
                        From = new InitFromConfig { Path = source.Path, Grow = new GrowthConfig() },
                        Sizes = new GrowthModelConfig { NumHiddenLayers = 4 },
                        Target = folder["grown"],
                    }
                ),
        ];
        foreach (Action reader in readers)
        {
            string message = Assert.Throws<DataFormatException>(reader).Message;
            Assert.Contains(ModelFolder.WeightsFile, message, StringComparison.Ordinal);
            Assert.Contains(
                "model.norm.weight is not finite: 1 NaN and 1 infinite values of 24",
                message,
                StringComparison.Ordinal
            );
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));

        void Export(ExportFormat format) =>
            ModelExport.Run(
                source.Path,
                folder["exported"],
                new ExportOptions { Format = format },
                cancellation: Cancellation
            );
    }

    [Theory]
    [InlineData("mistral", 0x7C00)] // float16: infinity
    [InlineData("qwen3", 0x7FC0)] // bfloat16: NaN
    public void NarrowTypes_AreLookedAtToo(string family, int bits)
    {
        using var source = new TemporaryFolder();
        FamilyModel.Write(source, family);
        PublishedFile.Overwrite(
            source[ModelFolder.WeightsFile],
            "model.layers.1.mlp.up_proj.weight",
            BitConverter.GetBytes((ushort)bits)
        );
        Assert.Contains(
            "model.layers.1.mlp.up_proj.weight is not finite",
            Assert.Throws<DataFormatException>(() => ModelFolder.Load(source.Path, trainable: false).Dispose()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void OfARun_TheMessageSaysWhichModelItIs()
    {
        using var folder = new TemporaryFolder();
        string teacher = new CheckpointStore(TinyRun.Shared.TeacherFolder).PathOf(40);
        Directory.CreateDirectory(folder["broken"]);
        foreach (string file in new[] { ModelFolder.ConfigFile, ModelFolder.WeightsFile, ModelFolder.TokenizerFile })
        {
            File.Copy(Path.Combine(teacher, file), folder["broken/" + file]);
        }

        PublishedFile.Overwrite(
            folder["broken/" + ModelFolder.WeightsFile],
            "model.norm.weight",
            BitConverter.GetBytes(float.NaN)
        );
        RunConfig taught = TinyRun.Shared.Salt(
            "taught",
            5,
            new DistillationConfig { Transition = TransitionKind.Constant }
        ) with
        {
            Teacher = new TeacherConfig { Path = folder["broken"] },
        };
        RunConfig begun = TinyRun.Shared.Plain("begun", 5) with
        {
            Model = TinyRun.TeacherShape,
            InitFrom = new InitFromConfig { Path = folder["broken"] },
        };
        Assert.Contains("The teacher cannot be used", Message(taught), StringComparison.Ordinal);
        Assert.Contains($"init_from = {folder["broken"]} cannot be used", Message(begun), StringComparison.Ordinal);
        Assert.Contains(
            "The teacher cannot be used",
            Assert
                .Throws<DataFormatException>(() =>
                    TeachRun.Run(
                        new TeachRequest
                        {
                            Teacher = folder["broken"],
                            Recipe = taught,
                            Out = folder["pass"],
                            Threads = 2,
                        },
                        _ => { },
                        Cancellation
                    )
                )
                .Message,
            StringComparison.Ordinal
        );

        string Message(RunConfig config)
        {
            string message = Assert
                .Throws<DataFormatException>(() =>
                    TrainingRun.Open(config, folder[config.Name], TinyRun.Quick).Dispose()
                )
                .Message;
            Assert.Contains("model.norm.weight is not finite: 1 NaN", message, StringComparison.Ordinal);
            return message;
        }
    }
}
