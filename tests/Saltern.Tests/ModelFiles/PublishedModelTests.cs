using System.Text.Json.Nodes;
using Saltern.Evaluation;
using Saltern.Export;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tests.Runs;

namespace Saltern.Tests.ModelFiles;

// The keys of the config.json files of small models that people use, as they are published; sizes are small here, weights random.
public class PublishedModelTests
{
    private const int SequenceLength = 32; // longer than the windows of the shrunken models
    private static readonly JsonObject Published = JsonNode
        .Parse(
            File.ReadAllText(
                Path.Combine(RepositoryFolder.Path, "tests/Saltern.Tests/ModelFiles/published_models.json")
            )
        )!
        .AsObject();

    public static TheoryData<string> Names => new(Published.Select(model => model.Key));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public void EachIsImportedMeasuredATeacherAndExported(string name)
    {
        using var folder = new TemporaryFolder();
        TransformerConfig shape = Write(name, folder);
        ConfigReading imported = ModelImport.Run(folder["hf"], folder["imported"], cancellation: Cancellation);
        Assert.Equal(shape, imported.Shape);
        Assert.Equal(Weights(folder["hf"]), Weights(folder["imported"]));

        using (var data = TokenDataset.OpenAny(TinyRun.Shared.DataFolder, null, cancellation: Cancellation))
        {
            // Random weights know nothing: near the logarithm of 300 ids, 5.7 nats, or worse.
            FinalScores scores = DatasetEvaluation.Run(folder["imported"], data, SequenceLength, tokens: 500);
            Assert.InRange(scores.Loss, 4, 40);
        }

        RunConfig salt = TinyRun.Shared.Salt(
            "salt",
            3,
            new DistillationConfig { Transition = TransitionKind.Constant, Weight = 0.5 }
        ) with
        {
            Teacher = new TeacherConfig { Path = folder["imported"] },
        };
        using (TrainingRun run = TrainingRun.Open(salt, folder["run"], TinyRun.Quick))
        {
            run.Continue(3, Cancellation);
            Assert.InRange(run.Finish().Final!.Loss, 1, 12);
        }

        Export(ExportFormat.HuggingFace, folder["exported"]);
        Assert.Equal(shape, ModelFolder.LoadConfig(folder["exported"]));
        Assert.Equal(Weights(folder["hf"]), Weights(folder["exported"]));
        if (GgufRefusal(() => Export(ExportFormat.Gguf, folder["model.gguf"])) is string refusal)
        {
            TestContext.Current.SendDiagnosticMessage($"{name}: {refusal}");
            Assert.Contains("Export as hf", refusal, StringComparison.Ordinal);
        }
        else
        {
            Assert.True(new FileInfo(folder["model.gguf"]).Length > 0);
        }

        void Export(ExportFormat format, string target) =>
            ModelExport.Run(
                folder["imported"],
                target,
                new ExportOptions { Format = format },
                cancellation: Cancellation
            );
    }

    // Null where the form exists.
    private static string? GgufRefusal(Action export)
    {
        try
        {
            export();
            return null;
        }
        catch (DataFormatException refused)
        {
            return refused.Message;
        }
    }

    private static TransformerConfig Write(string name, TemporaryFolder folder)
    {
        folder.Write("hf/config.json", Published[name]!.ToJsonString());
        File.Copy(
            Path.Combine(TinyRun.Shared.DataFolder, DatasetManifest.TokenizerFileName),
            folder["hf/tokenizer.json"]
        );
        TransformerConfig shape;
        try
        {
            shape = ModelFolder.LoadConfig(folder["hf"]);
        }
        catch (DataFormatException refused) when (refused.Message.Contains("model_type is", StringComparison.Ordinal))
        {
            Assert.Skip($"The family is not computed: {refused.Message}");
            throw;
        }

        var random = new Random(name.Length);
        SafeTensorsFile.WriteFloat32(
            folder["hf/model.safetensors"],
            [
                .. StoredWeights
                    .Of(shape)
                    .Select(tensor =>
                        (
                            tensor.Name,
                            tensor.Shape,
                            (Func<ReadOnlyMemory<byte>>)(() => Values(random, tensor.Count, tensor.Shape.Length == 1))
                        )
                    ),
            ],
            new Dictionary<string, string> { ["format"] = "pt" }
        );
        return shape;
    }

    private static ReadOnlyMemory<byte> Values(Random random, long count, bool isVector)
    {
        float centre = isVector ? 1 : 0;
        float[] values =
        [
            .. Enumerable.Range(0, (int)count).Select(_ => centre + (float)((random.NextDouble() - 0.5) * 0.2)),
        ];
        return System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray();
    }

    private static float[] Weights(string folder)
    {
        using Transformer model = ModelFolder.Load(folder, trainable: false);
        return model.Parameters.FlatWeights.data<float>().ToArray();
    }
}
