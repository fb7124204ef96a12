using Saltern.Checkpoints;
using Saltern.Files;
using Saltern.ModelFiles;
using Saltern.Models;

namespace Saltern.Tests.Checkpoints;

public class CheckpointTests
{
    private static readonly TransformerConfig Shape = new TransformerConfig
    {
        HiddenSize = 8,
        NumHiddenLayers = 1,
        NumAttentionHeads = 2,
        NumKeyValueHeads = 1,
        IntermediateSize = 8,
        AttentionBias = true,
    }.Resolve(11, 16);

    [Fact]
    public void ModelFolder_ComesBackBitForBit()
    {
        using var folder = new TemporaryFolder();
        using var model = new Transformer(Shape, trainable: false);
        model.Initialize(3);
        Directory.CreateDirectory(folder["m"]);
        ModelFolder.Save(folder["m"], model);
        using Transformer loaded = ModelFolder.Load(folder["m"], trainable: false);
        Assert.Equal(model.Config with { Preset = null }, loaded.Config);
        Assert.Equal(
            model.Parameters.FlatWeights.data<float>().ToArray(),
            loaded.Parameters.FlatWeights.data<float>().ToArray()
        );
    }

    [Fact]
    public void ModelFolder_OfAnotherShape_IsNamed()
    {
        using var folder = new TemporaryFolder();
        using var model = new Transformer(Shape, trainable: false);
        Directory.CreateDirectory(folder["m"]);
        ModelFolder.Save(folder["m"], model);
        string config = folder["m/config.json"];
        File.WriteAllText(
            config,
            File.ReadAllText(config)
                .Replace("\"intermediate_size\": 8", "\"intermediate_size\": 12", StringComparison.Ordinal)
        );
        string message = Assert
            .Throws<DataFormatException>(() => ModelFolder.Load(folder["m"], trainable: false))
            .Message;
        Assert.Contains("mlp.gate_proj.weight is F32 [8, 8], expected [12, 8]", message, StringComparison.Ordinal);
        string text = File.ReadAllText(config);
        File.WriteAllText(
            config,
            text.Replace(
                "\"hidden_act\"",
                "\"rope_scaling\": {\"factor\": 8}, \"hidden_act\"",
                StringComparison.Ordinal
            )
        );
        Assert.Contains(
            "rope_scaling.factor",
            Assert.Throws<DataFormatException>(() => ModelFolder.LoadConfig(folder["m"])).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(config, text.Replace("silu", "gelu", StringComparison.Ordinal));
        Assert.Contains(
            "hidden_act is 'gelu'",
            Assert.Throws<DataFormatException>(() => ModelFolder.LoadConfig(folder["m"])).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(
            config,
            text.Replace("\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3", StringComparison.Ordinal)
        );
        Assert.Contains(
            "describes no model that can exist",
            Assert.Throws<DataFormatException>(() => ModelFolder.LoadConfig(folder["m"])).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(config, text.Replace("llama", "bloom", StringComparison.Ordinal));
        Assert.Contains(
            "model_type is 'bloom'",
            Assert.Throws<DataFormatException>(() => ModelFolder.LoadConfig(folder["m"])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void FailedWrite_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<InvalidOperationException>(() =>
            DurableFolder.Write(
                folder["c/step-00000001"],
                temporary =>
                {
                    File.WriteAllText(Path.Combine(temporary, "half"), "half");
                    throw new InvalidOperationException("disk full");
                }
            )
        );
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder["c"]));
    }

    [Fact]
    public void Manifest_NoticesEveryKindOfDamage()
    {
        using var folder = new TemporaryFolder();
        folder.Write("c/a.bin", "abc");
        Assert.Contains("never finished", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
        CheckpointManifest.Write(folder["c"]);
        Assert.Null(CheckpointManifest.Problem(folder["c"]));
        folder.Write("c/a.bin", "abd");
        Assert.Contains("checksum", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
        folder.Write("c/a.bin", "ab");
        Assert.Contains("2 bytes, expected 3", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
        File.Delete(folder["c/a.bin"]);
        Assert.Contains("a.bin is missing", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
        folder.Write("c/manifest.json", "{\"schema\": \"saltern.checkpoint/1\", \"files\": {}}");
        Assert.Contains("0 files", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
        folder.Write("c/manifest.json", "{\"schema\": \"saltern.checkpoint/1\", \"files\": {\"a.bin\": null}}");
        Assert.Contains("says nothing of a.bin", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
        folder.Write("c/manifest.json", "{\"schema\": ");
        Assert.Contains("damaged", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
        folder.Write(
            "c/manifest.json",
            "{\"schema\": \"saltern.checkpoint/1\", \"files\": {\"../../etc/hostname\": {\"bytes\": 1, \"sha256\": \"\"}}}"
        );
        Assert.Contains("is missing", CheckpointManifest.Problem(folder["c"]), StringComparison.Ordinal);
    }

    [Fact]
    public void UnfinishedFolders_AreNotCheckpoints()
    {
        using var folder = new TemporaryFolder();
        folder.Write("run/checkpoints/.writing-step-00000020/model.safetensors", "x");
        folder.Write("run/checkpoints/step-00000010/a", "x");
        var store = new CheckpointStore(folder["run"]);
        CheckpointManifest.Write(store.PathOf(10));
        Assert.Equal([10], store.Steps());
        (int? step, IReadOnlyList<string> skipped) = store.NewestGood();
        Assert.Null(step); // whole by its manifest, but no checkpoint
        Assert.Contains("config.json is missing", Assert.Single(skipped), StringComparison.Ordinal);
        Assert.Contains(
            ".writing-step-00000020",
            Assert.Single(DurableFolder.RemoveLeftovers(store.Folder)),
            StringComparison.Ordinal
        );
        Assert.Equal(
            ["step-00000010"],
            Directory.EnumerateDirectories(store.Folder).Select(path => Path.GetFileName(path))
        );
    }
}
