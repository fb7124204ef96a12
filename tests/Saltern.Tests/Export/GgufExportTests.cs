using System.Text.Json.Nodes;
using Saltern.Export;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Tests.ModelFiles;
using Saltern.Tokenization;

namespace Saltern.Tests.Export;

/// <summary>What GGUF files hold, by NumPy's reading of them; what they cannot hold.</summary>
public class GgufExportTests
{
    public static TheoryData<string, Enum> Models =>
        [
            .. from name in ExportedModel.Names
            from type in WeightTypes.Names.Select(WeightTypes.Parse)
            select (name, (Enum)type),
        ];

    // The rest are refused, below.
    public static TheoryData<string> Families =>
        [
            "llama",
            "llama-3.1",
            "llama-linear",
            "mistral",
            "qwen2",
            "qwen3",
            "pythia",
            "olmo2",
            "granite",
            "gemma",
            "phi",
            "gpt2",
            "gpt2-untied",
        ];

    [Theory]
    [MemberData(nameof(Models))]
    public void NumPy_FindsTheSourcesValues(string name, Enum stored)
    {
        var type = (WeightType)stored;
        using var folder = new TemporaryFolder();
        ExportedModel.Write(folder, name);
        Export(folder["model"], folder["model.gguf"], type);
        JsonNode found = JsonNode.Parse(
            PythonRuns.WithNumPy("Export/check_export.py", folder["model"], folder["model.gguf"])
        )!;
        Assert.Equal(name == "mistral" ? "llama" : name.Split('-')[0], found["architecture"]!.GetValue<string>());
        Assert.True(found["types"]![WeightTypes.NameOf(type).ToUpperInvariant()]!.GetValue<int>() >= 10);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void OtherTypesAndSeveralFiles_AreReadTheSame(string family)
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        Export(folder.Path, folder["model.gguf"], WeightType.F32);
        Assert.Equal(
            "gpt-2",
            JsonNode.Parse(PythonRuns.WithNumPy("Export/check_export.py", folder.Path, folder["model.gguf"]))![
                "pre"
            ]!.GetValue<string>()
        );
    }

    [Theory]
    [InlineData(
        """[{"type":"Split","pattern":{"Regex":"\\s"},"behavior":"Isolated","invert":false}]""",
        """cuts text by '\s', for which llama.cpp has no name"""
    )]
    [InlineData("""[]""", "cuts text by nothing")]
    [InlineData("""[{"type":"Digits","individual_digits":true}]""", "cuts text by '\\p{N}',")]
    public void ACutWithoutAName_IsRefused(string rules, string reason)
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama");
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(folder["tokenizer.json"]))!;
        JsonArray all = JsonNode.Parse(rules)!.AsArray();
        all.Add(
            JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""")
        );
        tokenizer["pre_tokenizer"] = new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = all };
        folder.Write("tokenizer.json", tokenizer.ToJsonString());
        Assert.Contains(reason, Refusal(folder.Path, folder["x.gguf"], WeightType.F32), StringComparison.Ordinal);
        Assert.False(Path.Exists(folder["x.gguf"]));
    }

    [Theory]
    [InlineData(SplitPattern.Llama3, false, "smaug-bpe")]
    [InlineData(SplitPattern.Llama3, true, "llama-bpe")]
    [InlineData(SplitPattern.Qwen2, false, "qwen2")]
    [InlineData(SplitPattern.Gpt2, false, "gpt-2")]
    [InlineData(SplitPattern.Qwen2, true, "qwen2")] // merging makes every token: the option decides nothing
    [InlineData(SplitPattern.Qwen2, true, null)] // but for one that no merge makes
    public void TheNameOfACut_DependsOnWholeWordsToo(SplitPattern pattern, bool wholeWords, string? expected)
    {
        using var folder = new TemporaryFolder();
        ExportedModel.Write(folder, "llama", pattern);
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(folder["model/tokenizer.json"]))!;
        tokenizer["model"]!["ignore_merges"] = wholeWords;
        if (expected is null)
        {
            // In the place of the last token, so that the rows still suffice.
            JsonObject vocabulary = tokenizer["model"]!["vocab"]!.AsObject();
            string last = vocabulary
                .Where(entry => entry.Key[0] != '<')
                .MaxBy(entry => entry.Value!.GetValue<int>())
                .Key;
            vocabulary["qxqxqx"] = vocabulary[last]!.GetValue<int>();
            vocabulary.Remove(last);
            JsonArray merges = tokenizer["model"]!["merges"]!.AsArray();
            foreach (
                JsonNode? merge in merges
                    .Where(merge => string.Concat(merge!.GetValue<string>().Split(' ')) == last)
                    .ToArray()
            )
            {
                merges.Remove(merge);
            }
        }

        folder.Write("model/tokenizer.json", tokenizer.ToJsonString());
        if (expected is null)
        {
            Assert.Contains(
                "with ignore_merges, for which",
                Refusal(folder["model"], folder["x.gguf"], WeightType.F32),
                StringComparison.Ordinal
            );
            return;
        }

        Export(folder["model"], folder["x.gguf"], WeightType.F32);
        Assert.Equal(
            expected,
            JsonNode.Parse(PythonRuns.WithNumPy("Export/check_export.py", folder["model"], folder["x.gguf"]))![
                "pre"
            ]!.GetValue<string>()
        );
    }

    [Fact]
    public void WhatOnlyTheTokenizerCanSay_IsWarnedOf()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama");
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(folder["tokenizer.json"]))!;
        tokenizer["normalizer"] = JsonNode.Parse("""{"type":"NFC"}""");
        tokenizer["added_tokens"]![0]!["lstrip"] = true;
        folder.Write("tokenizer.json", tokenizer.ToJsonString());
        IReadOnlyList<string> warnings = Export(folder.Path, folder["x.gguf"], WeightType.F32).Warnings;
        Assert.Equal(2, warnings.Count);
        Assert.Contains("composes text (NFC)", warnings[0], StringComparison.Ordinal);
        Assert.Contains("'<|endoftext|>' will be found just as", warnings[1], StringComparison.Ordinal);
    }

    [Fact]
    public void AWindow_BecomesTheLongestContext()
    {
        using var folder = new TemporaryFolder();
        ExportedModel.Write(folder, "mistral");
        Assert.Contains(
            "the window of 40 tokens as the longest context",
            Assert.Single(Export(folder["model"], folder["x.gguf"], WeightType.F32).Warnings),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("neox-sequential", "without attention_bias")]
    [InlineData("opt", "OPT models cannot be exported to GGUF: llama.cpp has no architecture")]
    [InlineData("gpt-neo", "GPT-Neo models cannot be exported to GGUF: llama.cpp has no architecture")]
    [InlineData("gemma2", "query_pre_attn_scalar other than head_dim")]
    [InlineData("gemma3", "query_pre_attn_scalar other than head_dim")]
    [InlineData("smollm3", "Layers of these kinds")]
    [InlineData("llama-yarn", "rope_scaling yarn with a factor")]
    public void FamiliesThatNoArchitectureFits_AreRefused(string family, string reason)
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, family);
        Assert.Contains(reason, Refusal(folder.Path, folder["x.gguf"], WeightType.F32), StringComparison.Ordinal);
    }

    [Fact]
    public void AnExactGelu_IsWarnedOf()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "pythia");
        Assert.Contains(
            "approximation with tanh",
            Assert.Single(Export(folder.Path, folder["x.gguf"], WeightType.F32).Warnings),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ShapesThatNoArchitectureHas_AreRefused()
    {
        var shape = new TransformerConfig { QkNorm = true, AttentionBias = true };
        Assert.Contains(
            "attention_bias beside norms",
            Assert.Throws<DataFormatException>(() => new GgufArchitecture(shape)).Message,
            StringComparison.Ordinal
        );
        var scaled = new TransformerConfig
        {
            QkvBias = true,
            RopeScaling = new RopeScalingConfig
            {
                RopeType = RopeType.Llama3,
                Factor = 8,
                LowFreqFactor = 1,
                HighFreqFactor = 4,
                OriginalMaxPositionEmbeddings = 64,
            },
        };
        Assert.Contains(
            "rope_scaling llama3",
            Assert.Throws<DataFormatException>(() => new GgufArchitecture(scaled)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void RowsThatAreNoWholeBlocks_AreRefusedForQ8()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama"); // 24 wide
        Assert.Contains(
            "model.embed_tokens.weight has 24 columns",
            Refusal(folder.Path, folder["x.gguf"], WeightType.Q8),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ACancelledExport_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama");
        int before = Directory.EnumerateFileSystemEntries(folder.Path).Count();
        Assert.Throws<OperationCanceledException>(() =>
            ModelExport.Run(
                folder.Path,
                folder["x.gguf"],
                new ExportOptions { Format = ExportFormat.Gguf },
                null,
                new CancellationToken(canceled: true)
            )
        );
        Assert.Equal(before, Directory.EnumerateFileSystemEntries(folder.Path).Count());
    }

    [Fact]
    public void OfAPairThatOccursTwice_TheLaterRuleIsWritten()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "qwen2");
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(folder["tokenizer.json"]))!;
        (tokenizer["model"]!["vocab"]!["ab"], tokenizer["model"]!["vocab"]!["bc"]) = (257, 258);
        tokenizer["model"]!["merges"] = JsonNode.Parse("""["a b","b c","a b"]""");
        folder.Write("tokenizer.json", tokenizer.ToJsonString());
        using var metadata = new GgufMetadata();
        GgufTokenizer.Describe(BpeTokenizer.Load(folder["tokenizer.json"]), [256, 7, 8], 300, metadata);
        using var bytes = new MemoryStream();
        metadata.WriteTo(bytes);
        string text = System.Text.Encoding.Latin1.GetString(bytes.ToArray());
        Assert.Equal(text.LastIndexOf("a b", StringComparison.Ordinal), text.IndexOf("a b", StringComparison.Ordinal));
        Assert.True(text.IndexOf("b c", StringComparison.Ordinal) < text.IndexOf("a b", StringComparison.Ordinal));
    }

    private static ExportResult Export(string source, string target, WeightType type) =>
        ModelExport.Run(
            source,
            target,
            new ExportOptions { Format = ExportFormat.Gguf, Type = type },
            null,
            TestContext.Current.CancellationToken
        );

    private static string Refusal(string source, string target, WeightType type) =>
        Assert.Throws<DataFormatException>(() => Export(source, target, type)).Message;
}
