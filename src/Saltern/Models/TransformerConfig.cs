using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Models;

/// <summary>Shape of a Llama-style decoder; the keys are those of Hugging Face's <c>config.json</c>.</summary>
public sealed record TransformerConfig : IValidated
{
    /// <summary>A named shape whose values stand where this section gives none; null for none. See <see cref="ModelPresets"/>.</summary>
    public string? Preset { get; init; }

    /// <summary>Rows of the embedding and of the output head, tokens; 0 takes the tokenizer's vocabulary.</summary>
    [Range(0, 1_000_000)]
    public int VocabSize { get; init; }

    /// <summary>D, width of the residual stream; 0 takes the preset's.</summary>
    [Range(0, 65_536)]
    public int HiddenSize { get; init; }

    /// <summary>L, number of blocks; 0 takes the preset's.</summary>
    [Range(0, 1_000)]
    public int NumHiddenLayers { get; init; }

    /// <summary>H, query heads per block; 0 takes the preset's.</summary>
    [Range(0, 1_024)]
    public int NumAttentionHeads { get; init; }

    /// <summary>Key/value heads per block, a divisor of the query heads; 0 takes as many as query heads.</summary>
    [Range(0, 1_024)]
    public int NumKeyValueHeads { get; init; }

    /// <summary>Width of one head, even; 0 takes hidden_size / num_attention_heads.</summary>
    [Range(0, 4_096)]
    public int HeadDim { get; init; }

    /// <summary>F, width inside the gated feed-forward layer; 0 takes the preset's, or 8/3 of the hidden size rounded up to a multiple of 32.</summary>
    [Range(0, 262_144)]
    public int IntermediateSize { get; init; }

    /// <summary>ε of the RMS normalisation.</summary>
    [Range(1e-12, 1e-1)]
    public double RmsNormEps { get; init; } = 1e-5;

    /// <summary>θ, base of the rotary position frequencies.</summary>
    [Range(1.0, 1e12)]
    public double RopeTheta { get; init; } = 10_000.0;

    /// <summary>Scaling of those frequencies; null for none.</summary>
    public RopeScalingConfig? RopeScaling { get; init; }

    /// <summary>Keys each query sees at most, its own included, tokens; 0 for all before it.</summary>
    [Range(0, 10_000_000)]
    public int SlidingWindow { get; init; }

    /// <summary>Whether the output head is the embedding matrix itself; null takes the preset's, else false.</summary>
    public bool? TieWordEmbeddings { get; init; }

    /// <summary>Whether the four attention projections have biases.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether the query, key and value projections alone have biases (Qwen2).</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether each query and key head has an RMS norm before it is rotated (Qwen3).</summary>
    public bool QkNorm { get; init; }

    /// <summary>Whether the three feed-forward projections have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Longest sequence the model is meant for, tokens; 0 takes the data's sequence length.</summary>
    [Range(0, 10_000_000)]
    public int MaxPositionEmbeddings { get; init; }

    /// <summary>Standard deviation of the initial weights; projections into the residual stream get it divided by √(2L) (GPT-2).
    /// 0 takes √(2/(5D)) (arXiv:1910.05895): GPT-2's 0.02 fits its width of 768, narrow models learn nothing for hundreds of steps with it.</summary>
    [Range(0.0, 1.0)]
    public double InitializerRange { get; init; }

    /// <summary>Whether the output head is the embedding; what is open counts as false.</summary>
    public bool IsTied => TieWordEmbeddings ?? false;

    /// <summary>Whether own kernels exist for every part of the shape.</summary>
    public bool HasFusedPath => !QkNorm;

    /// <summary>Fills what is open: the preset's values, then the derived ones.</summary>
    /// <param name="tokenizerVocabulary">Number of token ids, used where <see cref="VocabSize"/> is 0.</param>
    /// <param name="sequenceLength">Tokens, used where <see cref="MaxPositionEmbeddings"/> is 0.</param>
    public TransformerConfig Resolve(int tokenizerVocabulary, int sequenceLength)
    {
        TransformerConfig shape = Preset is null ? new TransformerConfig() : ModelPresets.Get(Preset);
        int hidden = Given(HiddenSize, shape.HiddenSize);
        int heads = Given(NumAttentionHeads, shape.NumAttentionHeads);
        return this with
        {
            VocabSize = Given(VocabSize, tokenizerVocabulary),
            HiddenSize = hidden,
            NumHiddenLayers = Given(NumHiddenLayers, shape.NumHiddenLayers),
            NumAttentionHeads = heads,
            NumKeyValueHeads = Given(NumKeyValueHeads, Given(shape.NumKeyValueHeads, heads)),
            HeadDim = Given(HeadDim, Given(shape.HeadDim, heads == 0 ? 0 : hidden / heads)),
            IntermediateSize = Given(IntermediateSize, Given(shape.IntermediateSize, ((hidden * 8 / 3) + 31) / 32 * 32)),
            TieWordEmbeddings = TieWordEmbeddings ?? shape.TieWordEmbeddings ?? false,
            MaxPositionEmbeddings = Given(MaxPositionEmbeddings, sequenceLength),
            InitializerRange = InitializerRange == 0 && hidden > 0 ? Math.Sqrt(2.0 / (5.0 * hidden)) : InitializerRange,
        };
    }

    /// <inheritdoc/>
    public IEnumerable<ConfigurationProblem> Validate()
    {
        if (Preset is not null && !ModelPresets.Names.Contains(Preset))
        {
            yield return new ConfigurationProblem("preset", $"'{Preset}' is not a preset. Allowed: {string.Join(", ", ModelPresets.Names)}.");
            yield break;
        }

        TransformerConfig c = Resolve(1, 1);
        if (c.HiddenSize == 0)
        {
            yield return new ConfigurationProblem("hidden_size", "is missing. Give it, or a preset.");
        }

        if (c.NumHiddenLayers == 0)
        {
            yield return new ConfigurationProblem("num_hidden_layers", "is missing. Give it, or a preset.");
        }

        if (c.NumAttentionHeads == 0)
        {
            yield return new ConfigurationProblem("num_attention_heads", "is missing. Give it, or a preset.");
            yield break;
        }

        if (HeadDim == 0 && c.HiddenSize % c.NumAttentionHeads != 0)
        {
            yield return new ConfigurationProblem("num_attention_heads", $"= {c.NumAttentionHeads} does not divide hidden_size = {c.HiddenSize}. Change one of them, or give head_dim.");
        }
        else if (c.HeadDim % 2 != 0)
        {
            yield return new ConfigurationProblem("head_dim", $"= {c.HeadDim} is odd. Rotary positions turn pairs, so it must be even.");
        }

        // Each pair below would be a model that no program but this one could read.
        if (QkvBias && (AttentionBias || QkNorm))
        {
            yield return new ConfigurationProblem("qkv_bias", "goes with neither attention_bias nor qk_norm: no family of models has both.");
        }

        if (MlpBias && (QkvBias || QkNorm || SlidingWindow > 0))
        {
            yield return new ConfigurationProblem("mlp_bias", "goes with none of qkv_bias, qk_norm and sliding_window: no family of models has both.");
        }

        if (SlidingWindow > 0 && AttentionBias && !QkNorm)
        {
            yield return new ConfigurationProblem("sliding_window", "does not go with attention_bias, unless there is qk_norm: no family of models has both.");
        }

        if (c.NumAttentionHeads % c.NumKeyValueHeads != 0)
        {
            yield return new ConfigurationProblem("num_key_value_heads", $"= {c.NumKeyValueHeads} does not divide num_attention_heads = {c.NumAttentionHeads}.");
        }
    }

    private static int Given(int value, int otherwise) => value == 0 ? otherwise : value;
}
