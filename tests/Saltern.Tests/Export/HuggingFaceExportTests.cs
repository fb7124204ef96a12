using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Export;
using Saltern.ModelFiles;
using Saltern.Tests.ModelFiles;
using Saltern.Tokenization;

namespace Saltern.Tests.Export;

public class HuggingFaceExportTests
{
    public static TheoryData<string, Enum> FamiliesAndTypes =>
        [
            .. from family in FamilyModel.Names
            from type in new[] { WeightType.F32, WeightType.F16, WeightType.BF16 }
            select (family, type),
        ];

    // FamilyModel's own type of each family, which its values have exactly.
    public static TheoryData<string, Enum> StoredTypes =>
        new()
        {
            { "llama", WeightType.F32 },
            { "llama-3.1", WeightType.BF16 },
            { "mistral", WeightType.F16 },
            { "qwen2", WeightType.BF16 },
            { "qwen3", WeightType.BF16 },
            { "pythia", WeightType.F16 },
            { "neox-sequential", WeightType.BF16 },
            { "gpt2", WeightType.F32 },
            { "gpt2-untied", WeightType.BF16 },
        };

    [Theory]
    [MemberData(nameof(StoredTypes))]
    public void ImportExportImport_KeepsEveryBit(string family, Enum stored)
    {
        var type = (WeightType)stored;
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        ModelImport.Run(folder.Path, folder["first"], cancellation: Cancellation);
        Export(folder["first"], folder["exported"], type, shardBytes: 20_000);
        ModelImport.Run(folder["exported"], folder["second"], cancellation: Cancellation);
        foreach (string file in new[] { ModelFolder.ConfigFile, ModelFolder.WeightsFile, ModelFolder.TokenizerFile })
        {
            Assert.Equal(File.ReadAllBytes(folder["first/" + file]), File.ReadAllBytes(folder["second/" + file]));
        }

        // The exported tensors are also those of the family's own files, byte by byte.
        using WeightFiles own = WeightFiles.Open(folder.Path);
        using WeightFiles exported = WeightFiles.Open(folder["exported"]);
        Assert.True(exported.Entries.Count > 10);
        Assert.All(
            exported.Entries,
            tensor =>
            {
                string name = own.Entries.ContainsKey(tensor.Key)
                    ? tensor.Key
                    : tensor.Key[StoredWeights.Gpt2Prefix.Length..]; // GPT-2's first files leave it out
                Assert.Equal(own.Entries[name].Type, tensor.Value.Type);
                Assert.Equal(Bytes(own, name), Bytes(exported, tensor.Key));
            }
        );
    }

    [Theory]
    [MemberData(nameof(FamiliesAndTypes))]
    public void NumPy_FindsTheSourcesValues(string family, Enum stored)
    {
        var type = (WeightType)stored;
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        Export(folder.Path, folder["exported"], type, shardBytes: 30_000);
        string found = PythonRuns.WithNumPy("Export/check_export.py", folder.Path, folder["exported"]);
        Assert.Equal(
            [WeightTypes.NameOf(type).ToUpperInvariant()],
            JsonNode.Parse(found)!["types"]!.AsObject().Select(entry => entry.Key)
        );
    }

    [Fact]
    public void Files_HoldNoMoreThanAsked_AndTheIndexNamesThem()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama");
        const long limit = 30_000; // embedding and head have 257·24·4 = 24,672 bytes, the layers a few thousand each
        ExportResult result = Export(folder.Path, folder["exported"], WeightType.F32, limit);
        Assert.True(result.Files.Count > 2);
        Assert.Equal(
            [.. Directory.GetFiles(folder["exported"], "*.safetensors").Order(StringComparer.Ordinal)],
            result.Files
        );
        Assert.EndsWith(
            $"model-00001-of-{result.Files.Count:00000}.safetensors",
            result.Files[0],
            StringComparison.Ordinal
        );
        long total = 0;
        foreach (string file in result.Files)
        {
            IReadOnlyList<SafeTensorsEntry> entries = SafeTensorsFile.ReadHeader(file);
            long bytes = entries.Sum(entry => entry.Length);
            Assert.InRange(bytes, 1, limit);
            total += bytes;
        }

        JsonNode index = JsonNode.Parse(File.ReadAllText(folder["exported/" + WeightFiles.IndexFile]))!;
        Assert.Equal(total, index["metadata"]!["total_size"]!.GetValue<long>());

        // A tensor above the limit has a file of its own.
        Assert.Equal(
            SafeTensorsFile.ReadHeader(folder["model.safetensors"]).Count,
            Export(folder.Path, folder["each"], WeightType.F32, 1).Files.Count
        );
    }

    [Fact]
    public void Companions_SayWhereTextsBeginAndEnd()
    {
        using var folder = new TemporaryFolder();
        ExportedModel.Write(folder, "llama-tied-padded");
        int end = BpeTokenizer.Load(folder["model/tokenizer.json"]).EndOfTextId;
        Check("<|endoftext|>", end, "plain"); // as GPT-2 has it: where no token begins a text, the end of the one before does
        int begin = ExportedModel.AddBegin(folder);
        Check("<s>", begin, "beginning");

        void Check(string name, int id, string target)
        {
            Export(folder["model"], folder[target], WeightType.BF16, 1 << 20);
            JsonElement config = Json(target + "/config.json");
            JsonElement generation = Json(target + "/generation_config.json");
            JsonElement tokenizer = Json(target + "/tokenizer_config.json");
            Assert.Equal(
                (id, end),
                (config.GetProperty("bos_token_id").GetInt32(), config.GetProperty("eos_token_id").GetInt32())
            );
            Assert.Equal(
                (id, end),
                (generation.GetProperty("bos_token_id").GetInt32(), generation.GetProperty("eos_token_id").GetInt32())
            );
            Assert.Equal(
                (name, "<|endoftext|>"),
                (tokenizer.GetProperty("bos_token").GetString(), tokenizer.GetProperty("eos_token").GetString())
            );
            Assert.Equal(
                File.ReadAllText(folder["model/tokenizer.json"]),
                File.ReadAllText(folder[target + "/tokenizer.json"])
            );
        }

        JsonElement Json(string file) => JsonDocument.Parse(File.ReadAllText(folder[file])).RootElement;
    }

    [Fact]
    public void WhatCannotBeWritten_IsRefusedAndLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama");
        int before = Directory.EnumerateFileSystemEntries(folder.Path).Count();
        Assert.Contains(
            "q8_0 is a type of GGUF files",
            Assert
                .Throws<ConfigurationException>(() => Export(folder.Path, folder["x"], WeightType.Q8, 1 << 20))
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "can hold nothing",
            Assert.Throws<ConfigurationException>(() => Export(folder.Path, folder["x"], WeightType.F32, 0)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "there is something already",
            Assert.Throws<ConfigurationException>(() => Export(folder.Path, folder.Path, WeightType.F32, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<OperationCanceledException>(() =>
            ModelExport.Run(
                folder.Path,
                folder["x"],
                new ExportOptions { Format = ExportFormat.HuggingFace },
                null,
                new CancellationToken(canceled: true)
            )
        );

        byte[] file = File.ReadAllBytes(folder["model.safetensors"]);
        SafeTensorsEntry norm = SafeTensorsFile
            .ReadHeader(folder["model.safetensors"])
            .Single(entry => entry.Name == "model.norm.weight");
        BitConverter.GetBytes(70_000f).CopyTo(file, (int)norm.Offset + 8);
        folder.Write("model.safetensors", file);
        string message = Assert
            .Throws<DataFormatException>(() => Export(folder.Path, folder["x"], WeightType.F16, 1 << 20))
            .Message;
        Assert.Contains("model.norm.weight holds 70000, which f16 cannot hold", message, StringComparison.Ordinal);
        Assert.Equal(before, Directory.EnumerateFileSystemEntries(folder.Path).Count());
    }

    [Fact]
    public void ATokenizerWithMoreIdsThanRows_IsRefused()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama");
        ExportedModel.Tokenizer(SplitPattern.Llama3).Save(folder["tokenizer.json"]);
        Assert.Contains(
            "has 600 ids, but vocab_size = 257",
            Assert.Throws<DataFormatException>(() => Export(folder.Path, folder["x"], WeightType.F32, 1 << 20)).Message,
            StringComparison.Ordinal
        );
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static ExportResult Export(string source, string target, WeightType type, long shardBytes) =>
        ModelExport.Run(
            source,
            target,
            new ExportOptions
            {
                Format = ExportFormat.HuggingFace,
                Type = type,
                ShardBytes = shardBytes,
            },
            null,
            Cancellation
        );

    private static byte[] Bytes(WeightFiles files, string name)
    {
        byte[] bytes = new byte[files.Entries[name].Length];
        SafeTensorsFile.ReadBytes(files.PathOf(name), files.Entries[name], bytes);
        return bytes;
    }
}
