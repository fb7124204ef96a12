using Saltern.Models;

namespace Saltern.Tests.Models;

/// <summary>Small shapes of the families that do something otherwise than Llama, for tests of the passes.</summary>
internal static class FamilyShapes
{
    private static readonly TransformerConfig Plain = new()
    {
        HiddenSize = 36,
        NumHiddenLayers = 2,
        NumAttentionHeads = 3,
        IntermediateSize = 50,
    };

    private static readonly TransformerConfig Norm = Plain with
    {
        LayerNormEps = 1e-5,
        AttentionBias = true,
        MlpBias = true,
    };

    private static readonly TransformerConfig Grouped = Plain with
    {
        NumAttentionHeads = 4,
        NumKeyValueHeads = 2,
        HeadDim = 10,
    };

    private static readonly TransformerConfig Gemma = Grouped with
    {
        HiddenAct = Activation.GeluPytorchTanh,
        GatedMlp = true,
        NormUnitOffset = true,
        ScaleEmbeddings = true,
        TieWordEmbeddings = true,
    };

    // Large enough heads for attention's own products in float32.
    private static readonly TransformerConfig Gemma2 = Gemma with
    {
        HeadDim = 32,
        NormPlacement = NormPlacement.Around,
        AttentionMultiplier = 0.3,
        AttnLogitSoftcapping = 4,
        FinalLogitSoftcapping = 6,
        SlidingWindow = 20,
        WindowPattern = "SL",
    };

    /// <summary>A shape of each, by its name.</summary>
    public static IReadOnlyDictionary<string, TransformerConfig> All { get; } =
        new Dictionary<string, TransformerConfig>
        {
            ["head norms"] = Grouped with { QkNorm = true },
            ["NeoX"] = Norm with { UseParallelResidual = true, HiddenAct = Activation.Gelu, PartialRotaryFactor = 0.5 },
            ["NeoX, one after the other"] = Norm with { HiddenAct = Activation.GeluFast, PartialRotaryFactor = 0.5 },
            ["GPT-2"] = Norm with { LearnedPositions = true, HiddenAct = Activation.GeluNew },
            ["Phi"] = Norm with
            {
                UseParallelResidual = true,
                SharedAttentionNorm = true,
                LmHeadBias = true,
                HiddenAct = Activation.GeluNew,
                PartialRotaryFactor = 0.5,
            },
            ["OPT"] = Norm with { LearnedPositions = true, PositionOffset = 2, HiddenAct = Activation.Relu },
            ["GPT-Neo"] = Norm with
            {
                AttentionBias = false,
                AttentionOutputBias = true,
                LearnedPositions = true,
                HiddenAct = Activation.GeluNew,
                AttentionMultiplier = 1,
                SlidingWindow = 9,
                WindowPattern = "LS",
            },
            ["OLMo-2"] = Grouped with
            {
                HeadDim = 0,
                HiddenSize = 40,
                NormPlacement = NormPlacement.After,
                QkNorm = true,
                QkNormWhole = true,
            },
            ["SmolLM3"] = Grouped with { HeadDim = 0, HiddenSize = 40, RopePattern = "RN" },
            ["Granite"] = Grouped with
            {
                HeadDim = 0,
                HiddenSize = 40,
                AttentionMultiplier = 0.2,
                EmbeddingMultiplier = 6,
                ResidualMultiplier = 0.3,
                LogitsScaling = 4,
            },
            ["Qwen3, two kinds of layers"] = Grouped with { QkNorm = true, SlidingWindow = 11, WindowPattern = "LS" },
            ["Gemma"] = Gemma,
            ["Gemma 2"] = Gemma2,
            ["Gemma 3"] = Gemma2 with
            {
                QkNorm = true,
                AttnLogitSoftcapping = null,
                FinalLogitSoftcapping = null,
                RopeLocalBaseFreq = 50,
                RopeTheta = 5000,
                RopeScaling = new RopeScalingConfig { RopeType = RopeType.Linear, Factor = 4 },
            },
        };

    /// <summary>Their names.</summary>
    public static TheoryData<string> Names => [.. All.Keys];

    /// <summary>A model of a shape, with weights far enough from their first values that every one of them matters.</summary>
    public static Transformer Model(string family, int vocabulary, int length)
    {
        var model = new Transformer(All[family].Resolve(vocabulary, length), trainable: true);
        model.Initialize(7);
        TorchSharp.torch.manual_seed(8);
        using IDisposable _ = TorchSharp.torch.no_grad();
        using TorchSharp.torch.Tensor noise = TorchSharp.torch.randn_like(model.Parameters.FlatWeights) * 0.05;
        model.Parameters.FlatWeights.add_(noise);
        return model;
    }
}
