using Saltern.Checkpoints;
using Saltern.Growth;
using Saltern.Guidance;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tests.Runs;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.ModelFiles;

public class ModelImportTests
{
    public static TheoryData<string> Families => new(FamilyModel.Names);

    [Theory]
    [MemberData(nameof(Families))]
    public void ImportSaveImport_KeepsEveryBit(string family)
    {
        using var folder = new TemporaryFolder();
        using var source = new TemporaryFolder();
        FamilyModel.Write(source, family);
        TransformerConfig config = ModelImport.Run(source.Path, folder["first"], cancellation: Cancellation).Shape;
        using Transformer direct = ModelFolder.Load(source.Path, trainable: false);
        using Transformer imported = ModelFolder.Load(folder["first"], trainable: false);
        Assert.Equal(
            direct.Parameters.FlatWeights.data<float>().ToArray(),
            imported.Parameters.FlatWeights.data<float>().ToArray()
        );
        Assert.Equal(config, imported.Config);

        Directory.CreateDirectory(folder["saved"]);
        ModelFolder.Save(folder["saved"], imported);
        File.Copy(folder["first/tokenizer.json"], folder["saved/tokenizer.json"]);
        Assert.Equal(config, ModelImport.Run(folder["saved"], folder["second"], cancellation: Cancellation).Shape);
        foreach (string file in new[] { ModelFolder.ConfigFile, ModelFolder.WeightsFile, ModelFolder.TokenizerFile })
        {
            Assert.Equal(File.ReadAllBytes(folder["first/" + file]), File.ReadAllBytes(folder["second/" + file]));
        }
    }

    [Fact]
    public void Progress_EndsAtTheWholeModel()
    {
        using var folder = new TemporaryFolder();
        using var source = new TemporaryFolder();
        FamilyModel.Write(source, "qwen2");
        var seen = new List<WeightProgress>();
        TransformerConfig config = ModelImport
            .Run(source.Path, folder["model"], progress: new Collector(seen), cancellation: Cancellation)
            .Shape;
        Assert.Equal(ModelFlops.Parameters(config), seen[^1].Values);
        Assert.Equal(seen[^1].Values, seen[^1].TotalValues);
    }

    [Fact]
    public void ACancelledImport_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        using var source = new TemporaryFolder();
        FamilyModel.Write(source, "llama");
        Assert.Throws<OperationCanceledException>(() =>
            ModelImport.Run(source.Path, folder["model"], cancellation: new CancellationToken(canceled: true))
        );
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public void AnExistingTarget_IsKept()
    {
        using var folder = new TemporaryFolder();
        folder.Write("model/precious", "");
        Assert.Contains(
            "there is something already",
            Assert
                .Throws<ConfigurationException>(() =>
                    ModelImport.Run(folder.Path, folder["model"], cancellation: Cancellation)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ATiedModelThatKeptItsHeadAlone_IsRead()
    {
        using var folder = new TemporaryFolder();
        using var source = new TemporaryFolder();
        FamilyModel.Write(source, "gpt2");
        using Transformer whole = ModelFolder.Load(source.Path, trainable: false);
        PublishedFile.Rename(source[ModelFolder.WeightsFile], "wte.weight", "lm_head.weight");
        using Transformer headAlone = ModelFolder.Load(source.Path, trainable: false);
        ModelImport.Run(source.Path, folder["imported"], cancellation: Cancellation);
        using Transformer imported = ModelFolder.Load(folder["imported"], trainable: false);
        float[] wanted = whole.Parameters.FlatWeights.data<float>().ToArray();
        Assert.Equal(wanted, headAlone.Parameters.FlatWeights.data<float>().ToArray());
        Assert.Equal(wanted, imported.Parameters.FlatWeights.data<float>().ToArray());
        Assert.Contains(
            SafeTensorsFile.ReadHeader(folder["imported/" + ModelFolder.WeightsFile]),
            tensor => tensor.Name == "transformer.wte.weight"
        );

        // Where the two are not tied, the head is no embedding.
        PublishedFile.AddKeys(source["config.json"], "\"tie_word_embeddings\": false");
        Assert.Contains(
            "has no tensor 'transformer.wte.weight'",
            Assert.Throws<DataFormatException>(() => ModelFolder.Load(source.Path, trainable: false).Dispose()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TensorsTooManyOrTooFew_AreNamed()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "qwen2");
        string config = File.ReadAllText(folder["config.json"]);
        folder.Write(
            "config.json",
            config
                .Replace("\"qwen2\"", "\"qwen3\"", StringComparison.Ordinal)
                .Replace("{", "{\"head_dim\":6,", StringComparison.Ordinal)
        );
        Assert.Contains("no tensor 'model.layers.0.self_attn.q_norm.weight'", Refusal(), StringComparison.Ordinal);
        folder.Write(
            "config.json",
            config
                .Replace("\"qwen2\"", "\"mistral\"", StringComparison.Ordinal)
                .Replace("\"use_sliding_window\":false,", "", StringComparison.Ordinal)
                .Replace("\"max_window_layers\":1,", "", StringComparison.Ordinal)
        );
        Assert.Contains(
            "tensors that the model does not know: model.layers.0.self_attn.q_proj.bias",
            Refusal(),
            StringComparison.Ordinal
        );

        string Refusal() =>
            Assert.Throws<DataFormatException>(() => ModelFolder.Load(folder.Path, trainable: false)).Message;
    }

    [Fact]
    public void TablesOfOlderFiles_MustSayWhatTheConfigSays()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "pythia");
        string config = File.ReadAllText(folder["config.json"]);
        using (Transformer model = ModelFolder.Load(folder.Path, trainable: false))
        {
            Assert.Equal(4, model.Config.RotaryDim);
        }

        folder.Write(
            "config.json",
            config.Replace("\"rotary_emb_base\":10000", "\"rotary_emb_base\":5000", StringComparison.Ordinal)
        );
        Assert.Contains("inv_freq has the frequency 0.01", Refusal(), StringComparison.Ordinal);
        folder.Write(
            "config.json",
            config.Replace("\"max_position_embeddings\":64", "\"max_position_embeddings\":32", StringComparison.Ordinal)
        );
        Assert.Contains(
            "attention.bias is [1, 1, 64, 64], expected [1, 1, 32, 32]",
            Refusal(),
            StringComparison.Ordinal
        );
        folder.Write(
            "config.json",
            config.Replace("\"num_hidden_layers\":2", "\"num_hidden_layers\":1", StringComparison.Ordinal)
        );
        Assert.Contains(
            "tensors that the model does not know: gpt_neox.layers.1.",
            Refusal(),
            StringComparison.Ordinal
        ); // a layer that is not there has no masks either

        string Refusal() =>
            Assert.Throws<DataFormatException>(() => ModelFolder.Load(folder.Path, trainable: false)).Message;
    }

    [Fact]
    public void ASecondCopyOfATiedHead_MustBeACopy()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama"); // untied
        folder.Write(
            "config.json",
            File.ReadAllText(folder["config.json"])
                .Replace("\"tie_word_embeddings\":false", "\"tie_word_embeddings\":true", StringComparison.Ordinal)
        );
        Assert.Contains(
            "lm_head.weight differs from model.embed_tokens.weight",
            Assert.Throws<DataFormatException>(() => ModelFolder.Load(folder.Path, trainable: false)).Message,
            StringComparison.Ordinal
        );

        IReadOnlyList<SafeTensorsEntry> entries = SafeTensorsFile.ReadHeader(folder["model.safetensors"]);
        byte[] file = File.ReadAllBytes(folder["model.safetensors"]);
        SafeTensorsEntry from = entries.Single(entry => entry.Name == "model.embed_tokens.weight");
        SafeTensorsEntry to = entries.Single(entry => entry.Name == "lm_head.weight");
        file.AsSpan((int)from.Offset, (int)from.Length).CopyTo(file.AsSpan((int)to.Offset));
        folder.Write("model.safetensors", file);
        using Transformer model = ModelFolder.Load(folder.Path, trainable: false);
        Assert.True(model.Config.IsTied);
    }

    [Theory]
    [InlineData("mistral")]
    [InlineData("qwen3")]
    [InlineData("pythia")]
    [InlineData("neox-sequential")]
    [InlineData("gpt2")]
    public void Cache_GivesTheSameAsWholeSequences(string family)
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using Transformer model = ModelFolder.Load(folder.Path, trainable: false);
        Tensor tokens = arange(24).mul(11).remainder(FamilyModel.Vocabulary).view(2, 12);
        Tensor whole = model.HiddenStates(tokens).view(2, 12, -1);
        using var cache = new KeyValueCache(model.Config, 2, 12, ScalarType.Float32, CPU);
        Tensor first = model.HiddenStates(tokens.narrow(1, 0, 8), cache).view(2, 8, -1); // longer than Mistral's window of 5
        // hidden states are of size 1, and float32 has 7 digits
        Assert.True((first - whole.narrow(1, 0, 8)).abs().max().item<float>() < 2e-5f);
        for (int t = 8; t < 12; t++)
        {
            Tensor one = model.HiddenStates(tokens.narrow(1, t, 1), cache);
            Assert.True((one - whole.select(1, t)).abs().max().item<float>() < 2e-5f, $"position {t}");
        }
    }

    [Fact]
    public void AWindow_IsRefusedWhereItHasNoMeaning()
    {
        // A prefix of 4 that sees itself, in sequences of 6, longer than the window of 5.
        var prefix = new AttentionRanges([0, 0, 0, 0, 0, 0], [4, 4, 4, 4, 5, 6], 6);
        Assert.Contains(
            "sliding_window = 5",
            Assert.Throws<ConfigurationException>(() => prefix.Within(5)).Message,
            StringComparison.Ordinal
        );

        // Within documents it is exact: the later of the document's and the window's start.
        var documents = new AttentionRanges([0, 0, 0, 3, 3, 3], [1, 2, 3, 4, 5, 6], 6);
        Assert.Equal([0, 0, 1, 3, 3, 4], documents.Within(2).First);
        Assert.Equal([0, 0, 1, 2, 3, 4], AttentionRanges.Window(1, 6, 2).First);
    }

    public static TheoryData<string> OtherFamilies => new("qwen3", "gpt_neox", "gpt2");

    [Theory]
    [MemberData(nameof(OtherFamilies))]
    public void AFolderOfAnotherFamily_TeachesAndIsGoneOnFrom(string family)
    {
        using var folder = new TemporaryFolder();
        TransformerConfig shape = family switch
        {
            "gpt_neox" => TinyRun.GptNeoxShape,
            "gpt2" => TinyRun.Gpt2Shape,
            _ => TinyRun.TeacherShape with { QkNorm = true },
        };
        RunConfig first = TinyRun.Shared.Plain("first", 5) with { Model = shape };
        Train(first, folder["first"]);
        string teacher = new CheckpointStore(folder["first"]).PathOf(5);
        string config = File.ReadAllText(Path.Combine(teacher, ModelFolder.ConfigFile));
        Assert.Contains($"\"{family}\"", config, StringComparison.Ordinal);

        ModelImport.Run(teacher, folder["hf"], cancellation: Cancellation); // a bare Hugging Face folder, without anything of a run
        RunConfig salt = TinyRun.Shared.Plain("salt", 5);
        salt = salt with
        {
            Model = shape,
            InitFrom = new InitFromConfig { Path = folder["hf"] },
            Teacher = new TeacherConfig { Path = folder["hf"] },
            Distillation = new DistillationConfig { Transition = TransitionKind.Constant, FromOwnOrigin = true },
            Training = salt.Training with { LogEvery = 1 },
        };
        Train(salt, folder["salt"]);

        // Teacher and student start as one model: at the first step they agree, to float32's rounding of the losses.
        Assert.Equal(0, RunRecord.Load(folder["salt"]).Metrics.Series("train/kl_teacher_student")[0].Value, 5);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static void Train(RunConfig config, string folder)
    {
        using TrainingRun run = TrainingRun.Open(config, folder, TinyRun.Quick);
        run.Continue(config.Training.Steps, Cancellation);
        run.Finish();
    }

    private sealed class Collector(List<WeightProgress> seen) : IProgress<WeightProgress>
    {
        public void Report(WeightProgress value) => seen.Add(value);
    }
}
