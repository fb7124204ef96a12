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
        "gpt2",
        "gpt2-untied",
        "qwen2-linear",
        "olmo2",
        "smollm3",
        "granite",
        "gemma",
        "gemma2",
        "gemma3",
        "gemma3-linear",
        "phi2",
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

    private static readonly TransformerConfig Gpt2 = Plain with
    {
        NumKeyValueHeads = 4,
        LayerNormEps = 1e-5,
        LearnedPositions = true,
        HiddenAct = Activation.GeluNew,
        AttentionBias = true,
        MlpBias = true,
    };

    private static readonly TransformerConfig Gemma = Plain with
    {
        HeadDim = 32,
        HiddenAct = Activation.GeluNew,
        GatedMlp = true,
        NormUnitOffset = true,
        ScaleEmbeddings = true,
        TieWordEmbeddings = true,
    };

    private static readonly TransformerConfig Gemma3 = Gemma with
    {
        NumHiddenLayers = 6,
        NormPlacement = NormPlacement.Around,
        QkNorm = true,
        RopeTheta = 1e6,
        RopeLocalBaseFreq = 1e4,
        SlidingWindow = 8,
        WindowPattern = "SSSSSL",
    };

    private static readonly RopeScalingConfig Linear = new() { RopeType = RopeType.Linear, Factor = 4 };

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
            double centre =
                slice.Name.EndsWith("norm.weight", StringComparison.Ordinal) && !config.NormUnitOffset ? 1 : 0;
            float[] values =
            [
                .. Enumerable
                    .Range(0, (int)slice.Count)
                    .Select(_ => (float)((((random.NextDouble() * 2) - 1) * 0.4) + centre)),
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
            "gpt2" => Gpt2 with { TieWordEmbeddings = true },
            "gpt2-untied" => Gpt2,
            "qwen2-linear" => Plain with { QkvBias = true, RopeScaling = Linear },
            "olmo2" => Plain with { NormPlacement = NormPlacement.After, QkNorm = true, QkNormWhole = true },
            "smollm3" => Plain with { NumHiddenLayers = 4, RopePattern = "RRRN", TieWordEmbeddings = true },
            "granite" => Plain with
            {
                TieWordEmbeddings = true,
                EmbeddingMultiplier = 3,
                AttentionMultiplier = 0.5,
                ResidualMultiplier = 0.4,
                LogitsScaling = 2,
            },
            "gemma" => Gemma,
            "gemma2" => Gemma with
            {
                NormPlacement = NormPlacement.Around,
                SlidingWindow = 8,
                WindowPattern = "SL",
                AttnLogitSoftcapping = 5,
                FinalLogitSoftcapping = 10,
            },
            "gemma3" => Gemma3,
            "gemma3-linear" => Gemma3 with { RopeScaling = Linear },
            "phi2" => Neox with
            {
                NumKeyValueHeads = 2,
                SharedAttentionNorm = true,
                UseParallelResidual = true,
                LmHeadBias = true,
                PartialRotaryFactor = 0.5,
            },
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
}
