using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Models;

/// <summary>What the feed-forward layer does between its projections; the words are Hugging Face's. Whether there is a gate: <see cref="TransformerConfig.GatedMlp"/>.</summary>
public enum Activation
{
    /// <summary>x·σ(x); gated: silu(gate(x)) · up(x) (SwiGLU, arXiv:2002.05202).</summary>
    Silu,

    /// <summary>x·Φ(x), the exact form (arXiv:1606.08415).</summary>
    Gelu,

    /// <summary>The same with tanh, x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).</summary>
    GeluNew,

    /// <summary>As <see cref="GeluNew"/>: another library's word for it.</summary>
    GeluFast,

    /// <summary>As <see cref="GeluNew"/>: another library's word for it.</summary>
    GeluPytorchTanh,

    /// <summary>max(x, 0) (OPT).</summary>
    Relu,
}

/// <summary>Where the norms of a layer's two branches stand; the last norm, before the output head, is there in any case.</summary>
public enum NormPlacement
{
    /// <summary>Before each branch (Llama).</summary>
    Before,

    /// <summary>After each branch, before it is added (OLMo-2): branches read the residual stream as it is.</summary>
    After,

    /// <summary>Before and after each branch (Gemma 2 and 3).</summary>
    Around,
}

/// <summary>Shape of a decoder; the keys are those of Hugging Face's <c>config.json</c>. Which options go together: <see cref="OptionRules"/>.</summary>
public sealed record TransformerConfig : IValidated
{
    /// <summary>ε of the RMS norms where nothing is given.</summary>
    internal const double DefaultRmsNormEps = 1e-5;

    /// <summary>Base of the rotary frequencies where nothing is given.</summary>
    internal const double DefaultRopeTheta = 10_000.0;

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

    /// <summary>Width of one head, even with rotary positions; 0 takes hidden_size / num_attention_heads.</summary>
    [Range(0, 4_096)]
    public int HeadDim { get; init; }

    /// <summary>F, width inside the feed-forward layer; 0 takes the preset's, or 8/3 of the hidden size rounded up to a multiple of 32.</summary>
    [Range(0, 262_144)]
    public int IntermediateSize { get; init; }

    /// <summary>What the feed-forward layer does between its projections.</summary>
    public Activation HiddenAct { get; init; }

    /// <summary>Whether the feed-forward layer has a gate, f(gate(x)) · up(x); null for one with <see cref="Activation.Silu"/> and none with the others. Gemma has one with a GELU.</summary>
    public bool? GatedMlp { get; init; }

    /// <summary>Where the norms of a layer's branches stand.</summary>
    public NormPlacement NormPlacement { get; init; }

    /// <summary>ε of the RMS normalisation.</summary>
    [Range(1e-12, 1e-1)]
    public double RmsNormEps { get; init; } = DefaultRmsNormEps;

    /// <summary>ε of LayerNorm, with weight and bias, in place of the RMS norms (GPT-NeoX, GPT-2); null for RMS norms.</summary>
    [Range(1e-12, 1e-1)]
    public double? LayerNormEps { get; init; }

    /// <summary>Whether attention and feed-forward layer both read the block's input and are added together (GPT-NeoX), instead of one after the other.</summary>
    public bool UseParallelResidual { get; init; }

    /// <summary>Whether one norm serves both parallel branches (Phi); only with <see cref="UseParallelResidual"/>.</summary>
    public bool SharedAttentionNorm { get; init; }

    /// <summary>Whether the weights of the RMS norms are kept as w − 1 (Gemma): they start at 0, and weight decay draws them towards a factor of 1.</summary>
    public bool NormUnitOffset { get; init; }

    /// <summary>Whether each position adds a learned vector to the embedding (GPT-2), instead of turning queries and keys.</summary>
    public bool LearnedPositions { get; init; }

    /// <summary>Rows of the learned positions before the first position's, which nothing reads (OPT has 2).</summary>
    [Range(0, 1_000)]
    public int PositionOffset { get; init; }

    /// <summary>Share of each head, from its first element on, that rotary positions turn; in (0, 1], an even number of elements.</summary>
    [Range(0.0, 1.0)]
    public double PartialRotaryFactor { get; init; } = 1.0;

    /// <summary>Base of the rotary position frequencies.</summary>
    [Range(1.0, 1e12)]
    public double RopeTheta { get; init; } = DefaultRopeTheta;

    /// <summary>Scaling of those frequencies; null for none.</summary>
    public RopeScalingConfig? RopeScaling { get; init; }

    /// <summary>Base of the frequencies in layers with a window (Gemma 3), not scaled; null for <see cref="RopeTheta"/> and its scaling there too.</summary>
    [Range(1.0, 1e12)]
    public double? RopeLocalBaseFreq { get; init; }

    /// <summary>Which layers turn queries and keys, a letter each, repeated over the layers: R turns, N does not (SmolLM3's RRRN); null for all of them.</summary>
    public string? RopePattern { get; init; }

    /// <summary>Keys each query sees at most, its own included, tokens; 0 for all before it.</summary>
    [Range(0, 10_000_000)]
    public int SlidingWindow { get; init; }

    /// <summary>Which layers have the window, a letter each, repeated over the layers: S has it (short), L sees all (long), as in Gemma 2's SL, Gemma 3's SSSSSL, GPT-Neo's LS; null for all of them.</summary>
    public string? WindowPattern { get; init; }

    /// <summary>Whether the output head is the embedding matrix itself; null takes the preset's, else false.</summary>
    public bool? TieWordEmbeddings { get; init; }

    /// <summary>Whether the four attention projections have biases.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether the query, key and value projections alone have biases (Qwen2).</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether the output projection of attention alone has biases (GPT-Neo).</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Whether each query and key head has an RMS norm before it is rotated (Qwen3).</summary>
    public bool QkNorm { get; init; }

    /// <summary>Whether that norm is one over all query heads together, and one over all key heads (OLMo-2).</summary>
    public bool QkNormWhole { get; init; }

    /// <summary>Whether the feed-forward projections have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Whether the output head has biases (Phi).</summary>
    public bool LmHeadBias { get; init; }

    /// <summary>Factor of the scores of attention in place of 1/√A (Granite; Gemma's query_pre_attn_scalar^−½; GPT-Neo's 1); null for that.</summary>
    [Range(1e-6, 1e3)]
    public double? AttentionMultiplier { get; init; }

    /// <summary>c of c·tanh(s/c), which holds the scores of attention in (−c, c) before the softmax (Gemma 2); null for none.</summary>
    [Range(1e-3, 1e6)]
    public double? AttnLogitSoftcapping { get; init; }

    /// <summary>The same of the output head's logits; null for none.</summary>
    [Range(1e-3, 1e6)]
    public double? FinalLogitSoftcapping { get; init; }

    /// <summary>Whether the embedding is multiplied by √(hidden size) before the first layer (Gemma).</summary>
    public bool ScaleEmbeddings { get; init; }

    /// <summary>Factor of the embedding before the first layer (Granite).</summary>
    [Range(1e-6, 1e6)]
    public double EmbeddingMultiplier { get; init; } = 1.0;

    /// <summary>Factor of each branch when it is added to the residual stream (Granite).</summary>
    [Range(1e-6, 1e3)]
    public double ResidualMultiplier { get; init; } = 1.0;

    /// <summary>What divides the logits (Granite): the final hidden states are divided by it.</summary>
    [Range(1e-6, 1e6)]
    public double LogitsScaling { get; init; } = 1.0;

    /// <summary>Longest sequence the model is meant for, tokens; 0 takes the data's sequence length.</summary>
    [Range(0, 10_000_000)]
    public int MaxPositionEmbeddings { get; init; }

    /// <summary>Standard deviation of the initial weights; projections into the residual stream get it divided by √(2L) (GPT-2).
    /// 0 takes √(2/(5D)) (arXiv:1910.05895): GPT-2's 0.02 fits its width of 768, narrow models learn nothing for hundreds of steps with it.</summary>
    [Range(0.0, 1.0)]
    public double InitializerRange { get; init; }

    /// <summary>Whether the output head is the embedding; what is open counts as false.</summary>
    internal bool IsTied => TieWordEmbeddings ?? false;

    /// <summary>Whether every product has an even depth, as bfloat16's pairs need it.</summary>
    internal bool HasEvenWidths => HiddenSize % 2 == 0 && IntermediateSize % 2 == 0 && HeadDim % 2 == 0;

    /// <summary>Whether the feed-forward layer has a gate.</summary>
    internal bool IsGated => GatedMlp ?? HiddenAct == Activation.Silu;

    /// <summary>Factor of the embedding.</summary>
    internal double EmbeddingScale => ScaleEmbeddings ? Math.Sqrt(HiddenSize) : EmbeddingMultiplier;

    /// <summary>Factor of the scores of attention.</summary>
    internal double ScoreScale => AttentionMultiplier ?? 1.0 / Math.Sqrt(HeadDim);

    /// <summary>Rows of the learned positions.</summary>
    internal int PositionRows => MaxPositionEmbeddings + PositionOffset;

    /// <summary>Whether the number of positions is part of what is computed: learned ones are weights, and some scalings of rotary ones go by it.</summary>
    internal bool NeedsPositions =>
        LearnedPositions
        || RopeScaling
            is { RopeType: RopeType.Dynamic }
                or { RopeType: RopeType.Yarn, OriginalMaxPositionEmbeddings: null };

    /// <summary>Whether branches have norms before them.</summary>
    internal bool HasNormsBefore => NormPlacement != NormPlacement.After;

    /// <summary>Whether branches have norms after them.</summary>
    internal bool HasNormsAfter => NormPlacement != NormPlacement.Before;

    /// <summary>Keys that each query of a layer sees at most; 0 for all before it.</summary>
    internal int WindowOf(int layer) => LetterOf(WindowPattern, layer, 'S') == 'S' ? SlidingWindow : 0;

    /// <summary>Whether a layer turns queries and keys.</summary>
    internal bool IsRotated(int layer) => !LearnedPositions && LetterOf(RopePattern, layer, 'R') == 'R';

    /// <summary>Whether a layer has the base of layers with a window.</summary>
    internal bool HasLocalBase(int layer) => RopeLocalBaseFreq is not null && WindowOf(layer) > 0;

    // The letter of a layer in a pattern that repeats.
    private static char LetterOf(string? pattern, int layer, char otherwise)
    {
        if (string.IsNullOrEmpty(pattern))
        {
            return otherwise;
        }

        return pattern[layer % pattern.Length];
    }

    /// <summary>Elements of a head that rotary positions turn.</summary>
    internal int RotaryDim
    {
        get
        {
            if (LearnedPositions)
            {
                return 0;
            }

            return (int)(HeadDim * PartialRotaryFactor);
        }
    }

    /// <summary>Fills what is open: the preset's values, then the derived ones.</summary>
    /// <param name="tokenizerVocabulary">Number of token ids, used where <see cref="VocabSize"/> is 0.</param>
    /// <param name="sequenceLength">Tokens, used where <see cref="MaxPositionEmbeddings"/> is 0.</param>
    internal TransformerConfig Resolve(int tokenizerVocabulary, int sequenceLength)
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
            IntermediateSize = Given(
                IntermediateSize,
                Given(shape.IntermediateSize, ((hidden * 8 / 3) + 31) / 32 * 32)
            ),
            TieWordEmbeddings = TieWordEmbeddings ?? shape.TieWordEmbeddings ?? false,
            MaxPositionEmbeddings = Given(MaxPositionEmbeddings, sequenceLength),
            InitializerRange = ResolveInitializerRange(hidden),
            GatedMlp = IsGated == (HiddenAct == Activation.Silu) ? null : IsGated,
            WindowPattern = Shortest(WindowPattern, 'S', Given(NumHiddenLayers, shape.NumHiddenLayers)),
            RopePattern = Shortest(RopePattern, 'R', Given(NumHiddenLayers, shape.NumHiddenLayers)),
        };
    }

    /// <summary>The shortest pattern that gives the same letters over some layers; null where all are the letter that the absence of a pattern means.</summary>
    internal static string? Shortest(string? pattern, char otherwise, int layers)
    {
        if (string.IsNullOrEmpty(pattern) || layers < 1)
        {
            return pattern;
        }

        char[] letters = [.. Enumerable.Range(0, layers).Select(layer => LetterOf(pattern, layer, otherwise))];
        if (letters.All(letter => letter == otherwise))
        {
            return null;
        }

        int period = 1;
        while (letters.Skip(period).Where((letter, i) => letter != letters[i]).Any())
        {
            period++;
        }

        return new string(letters, 0, period);
    }

    /// <inheritdoc/>
    IEnumerable<ConfigurationProblem> IValidated.Validate()
    {
        if (Preset is not null && !ModelPresets.Names.Contains(Preset))
        {
            yield return new ConfigurationProblem(
                "preset",
                $"'{Preset}' is not a preset. Allowed: {string.Join(", ", ModelPresets.Names)}."
            );
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
            yield return new ConfigurationProblem(
                "num_attention_heads",
                $"= {c.NumAttentionHeads} does not divide hidden_size = {c.HiddenSize}. Change one of them, or give head_dim."
            );
        }
        else if (!LearnedPositions && c.HeadDim % 2 != 0)
        {
            yield return new ConfigurationProblem(
                "head_dim",
                $"= {c.HeadDim} is odd. Rotary positions turn pairs, so it must be even."
            );
        }
        else if (!LearnedPositions && (c.RotaryDim < 2 || c.RotaryDim % 2 != 0))
        {
            yield return new ConfigurationProblem(
                "partial_rotary_factor",
                $"= {PartialRotaryFactor} turns {c.RotaryDim} of a head's {c.HeadDim} elements. "
                    + "Rotary positions turn pairs, so it must be even, and at least 2."
            );
        }

        if (c.NumAttentionHeads % c.NumKeyValueHeads != 0)
        {
            yield return new ConfigurationProblem(
                "num_key_value_heads",
                $"= {c.NumKeyValueHeads} does not divide num_attention_heads = {c.NumAttentionHeads}."
            );
        }

        foreach (ConfigurationProblem problem in OptionRules.Problems(c))
        {
            yield return problem;
        }
    }

    private double ResolveInitializerRange(int hidden)
    {
        if (InitializerRange == 0 && hidden > 0)
        {
            return Math.Sqrt(2.0 / (5.0 * hidden));
        }

        return InitializerRange;
    }

    private static int Given(int value, int otherwise)
    {
        if (value == 0)
        {
            return otherwise;
        }

        return value;
    }
}
