using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Tests.Tokenization;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Tests.Export;

/// <summary>Small random models to export: every option that GGUF can say, weights so large that each option shows in the probabilities.</summary>
internal static class ExportedModel
{
    private const int Vocabulary = 600;

    /// <summary>What llama.cpp is to run.</summary>
    public static readonly string[] Names =
    [
        "llama",
        "llama-tied-padded",
        "llama-biases",
        "llama-3.1",
        "mistral",
        "qwen2",
        "qwen3",
        "gptneox",
        "gptneox-sequential-tied",
    ];

    private static readonly TransformerConfig Plain = new()
    {
        HiddenSize = 64,
        NumHiddenLayers = 2,
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        IntermediateSize = 96,
        MaxPositionEmbeddings = 96,
        InitializerRange = 0.02,
    };

    private static readonly TransformerConfig Neox = Plain with
    {
        NumKeyValueHeads = 4,
        LayerNormEps = 1e-5,
        HiddenAct = Activation.GeluNew,
        AttentionBias = true,
        MlpBias = true,
    };

    private static readonly ConcurrentDictionary<SplitPattern, BpeTokenizer> Trained = [];

    /// <summary>Writes a model folder with a trained tokenizer.</summary>
    public static TransformerConfig Write(
        TemporaryFolder folder,
        string name,
        SplitPattern pattern = SplitPattern.Llama3,
        string at = "model"
    ) => Write(folder, name, Tokenizer(pattern), at);

    /// <summary>Writes a model folder with a tokenizer of one's own.</summary>
    public static TransformerConfig Write(TemporaryFolder folder, string name, BpeTokenizer tokenizer, string at)
    {
        TransformerConfig config = Shape(name).Resolve(tokenizer.VocabularySize, Plain.MaxPositionEmbeddings);
        using DisposeScope scope = torch.NewDisposeScope();
        using IDisposable _ = torch.no_grad();
        using var model = new Transformer(config, trainable: false);
        var random = new Random(name.Length);
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            bool isNorm = slice.Name.EndsWith("norm.weight", StringComparison.Ordinal);
            float[] values =
            [
                .. Enumerable
                    .Range(0, (int)slice.Count)
                    .Select(_ => (float)((((random.NextDouble() * 2) - 1) * 0.4) + (isNorm ? 1 : 0))),
            ];
            model.Parameters.FlatWeights.narrow(0, slice.Offset, slice.Count).copy_(torch.tensor(values));
        }

        Directory.CreateDirectory(folder[at]);
        ModelFolder.Save(folder[at], model);
        tokenizer.Save(folder[at + "/tokenizer.json"]);
        return config;
    }

    /// <summary>A tokenizer over text of many kinds, trained once.</summary>
    public static BpeTokenizer Tokenizer(SplitPattern pattern) =>
        Trained.GetOrAdd(
            pattern,
            _ =>
                TestTraining.Train(
                    SampleTexts.All,
                    new BpeTrainerOptions
                    {
                        VocabularySize = Vocabulary,
                        MinimumFrequency = 1,
                        Pattern = pattern,
                    }
                )
        );

    /// <summary>Gives a written model's tokenizer a token that begins each text; the model must have a row to spare.</summary>
    /// <returns>The token's id.</returns>
    public static int AddBegin(TemporaryFolder folder, string at = "model")
    {
        string path = folder[at + "/tokenizer.json"];
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(path))!;
        tokenizer["added_tokens"]!
            .AsArray()
            .Add(
                JsonNode.Parse(
                    $$"""{"id":{{Vocabulary}},"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":"""
                        + $$"""false,"special":true}"""
                )
            );
        tokenizer["post_processor"] = JsonNode.Parse(
            """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":"""
                + """{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","tokens":["<s>"]}}}"""
        );
        tokenizer["post_processor"]!["special_tokens"]!["<s>"]!["ids"] = new JsonArray(Vocabulary);
        File.WriteAllText(path, tokenizer.ToJsonString());
        return Vocabulary;
    }

    private static TransformerConfig Shape(string name) =>
        name switch
        {
            "llama" => Plain,
            "llama-tied-padded" => Plain with { TieWordEmbeddings = true, VocabSize = Vocabulary + 40 },
            "llama-biases" => Plain with { AttentionBias = true, MlpBias = true, HeadDim = 24 },
            "llama-3.1" => Plain with
            {
                TieWordEmbeddings = true,
                RopeTheta = 50,
                RopeScaling = new RopeScalingConfig
                {
                    RopeType = RopeType.Llama3,
                    Factor = 8,
                    LowFreqFactor = 1,
                    HighFreqFactor = 4,
                    OriginalMaxPositionEmbeddings = 16,
                },
            },
            "mistral" => Plain with { SlidingWindow = 40 },
            "qwen2" => Plain with { QkvBias = true, TieWordEmbeddings = true, RopeTheta = 1e6, RmsNormEps = 1e-6 },
            "qwen3" => Plain with { QkNorm = true, HeadDim = 32, RopeTheta = 1e6 },
            "gptneox" => Neox with { UseParallelResidual = true, PartialRotaryFactor = 0.25 },
            "gptneox-sequential-tied" => Neox with { TieWordEmbeddings = true, RopeTheta = 500 },
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
}
