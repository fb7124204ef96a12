// The whole decoder, top to bottom: embedding → L × (attention, gated feed-forward) → norm; the output head is the loss's business.
// Llama-style: RMS norms before each layer, rotary positions, grouped-query attention, SwiGLU, optional biases, optional tied head.
//
// B = sequences, T = tokens of a sequence, N = B·T, D = hidden size, H = query heads, G = key/value heads, A = head size,
// F = feed-forward size, V = vocabulary.
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>A Llama-style decoder over one flat parameter buffer.</summary>
/// <remarks>Weights are named and laid out as in Hugging Face's Llama; q, k, v and gate, up are adjacent, so that each triple or pair is one product.</remarks>
public sealed class Transformer : IDisposable
{
    private readonly int _embedding;
    private readonly int _head;
    private readonly int _finalNorm;
    private readonly Layer[] _layers;
    private RotaryTable? _rotary;

    /// <summary>Allocates the model with all weights zero; see <see cref="Initialize"/>.</summary>
    /// <param name="config">A resolved shape (<see cref="TransformerConfig.Resolve"/>).</param>
    /// <param name="trainable">Whether gradients are kept.</param>
    /// <param name="type">Type of weights and activations.</param>
    /// <param name="device">Where the weights live; the CPU by default.</param>
    public Transformer(TransformerConfig config, bool trainable, ScalarType type = ScalarType.Float32, Device? device = null)
    {
        Config = config;
        int queryRows = config.NumAttentionHeads * config.HeadDim, keyRows = config.NumKeyValueHeads * config.HeadDim;
        var layout = new ParameterLayout();
        _embedding = layout.Add(config.HiddenSize, ("model.embed_tokens.weight", config.VocabSize));
        _layers = new Layer[config.NumHiddenLayers];
        for (int i = 0; i < _layers.Length; i++)
        {
            string at = $"model.layers.{i}.", attention = at + "self_attn.", mlp = at + "mlp.";
            _layers[i] = new Layer
            {
                AttentionNorm = layout.Add(null, (at + "input_layernorm.weight", config.HiddenSize)),
                Qkv = layout.Add(config.HiddenSize, (attention + "q_proj.weight", queryRows), (attention + "k_proj.weight", keyRows), (attention + "v_proj.weight", keyRows)),
                QkvBias = config.AttentionBias ? layout.Add(null, (attention + "q_proj.bias", queryRows), (attention + "k_proj.bias", keyRows), (attention + "v_proj.bias", keyRows)) : null,
                Output = layout.Add(queryRows, (attention + "o_proj.weight", config.HiddenSize)),
                OutputBias = config.AttentionBias ? layout.Add(null, (attention + "o_proj.bias", config.HiddenSize)) : null,
                FeedForwardNorm = layout.Add(null, (at + "post_attention_layernorm.weight", config.HiddenSize)),
                GateUp = layout.Add(config.HiddenSize, (mlp + "gate_proj.weight", config.IntermediateSize), (mlp + "up_proj.weight", config.IntermediateSize)),
                GateUpBias = config.MlpBias ? layout.Add(null, (mlp + "gate_proj.bias", config.IntermediateSize), (mlp + "up_proj.bias", config.IntermediateSize)) : null,
                Down = layout.Add(config.IntermediateSize, (mlp + "down_proj.weight", config.HiddenSize)),
                DownBias = config.MlpBias ? layout.Add(null, (mlp + "down_proj.bias", config.HiddenSize)) : null,
            };
        }

        _finalNorm = layout.Add(null, ("model.norm.weight", config.HiddenSize));
        _head = config.IsTied ? _embedding : layout.Add(config.HiddenSize, ("lm_head.weight", config.VocabSize));
        Parameters = new ParameterSet(layout, trainable, type, device);
    }

    /// <summary>The resolved shape.</summary>
    public TransformerConfig Config { get; }

    /// <summary>Weights and gradients.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Output head, [V, D]: the embedding itself where tied. Owned by the model.</summary>
    public Tensor Head => Parameters[_head];

    /// <summary>View of the head's gradient, [V, D]; the caller owns the view.</summary>
    public Tensor HeadGradient() => Parameters.Gradient(_head);

    /// <summary>Fills the weights: normal with <see cref="TransformerConfig.InitializerRange"/>, divided by √(2L) for the projections into the residual stream; norms one, biases zero.</summary>
    /// <param name="seed">The same seed and shape give the same weights, bit for bit, whatever was drawn before.</param>
    public void Initialize(long seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        double deviation = Config.InitializerRange, residual = deviation / Math.Sqrt(2.0 * Config.NumHiddenLayers);
        foreach (ParameterSlice slice in Parameters.Layout.Slices)
        {
            Tensor weight = Parameters.Weight(slice);
            if (slice.Name.EndsWith("norm.weight", StringComparison.Ordinal))
            {
                weight.fill_(1.0);
            }
            else if (slice.Shape.Length == 2)
            {
                bool intoResidual = slice.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || slice.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
                Tensor values = randn(slice.Shape, ScalarType.Float32, CPU, generator: generator).mul_(intoResidual ? residual : deviation);
                weight.copy_(values);
            }
        }
    }

    /// <summary>Final hidden states of whole sequences, normalised, ready for the head.</summary>
    /// <param name="tokens">Token ids, [B, T], int64, on the model's device.</param>
    /// <returns>[N, D] with N = B·T, in the order of the tokens; the caller owns it.</returns>
    public Tensor HiddenStates(Tensor tokens) => HiddenStates(tokens, cache: null);

    /// <summary>As <see cref="HiddenStates(Tensor)"/>, going on from the sequences that the cache holds, and adding to it.</summary>
    /// <param name="tokens">The next ids of each sequence, [B, T].</param>
    /// <param name="cache">Keys and values of the tokens before; null for none. Several tokens at once only into an empty cache.</param>
    public Tensor HiddenStates(Tensor tokens, KeyValueCache? cache)
    {
        using DisposeScope scope = NewDisposeScope();
        long batch = tokens.shape[0], length = tokens.shape[1], start = cache?.Length ?? 0;
        (Tensor cosines, Tensor sines) = RotaryRows(start, length);
        Tensor x = Parameters[_embedding].index_select(0, tokens.reshape(-1)); // [N, D]
        for (int i = 0; i < _layers.Length; i++)
        {
            Layer layer = _layers[i];
            Tensor normed = TensorMath.RmsNorm(x, Parameters[layer.AttentionNorm], Config.RmsNormEps);
            x = x + Attention(layer, normed, batch, length, cosines, sines, cache, i);
            normed = TensorMath.RmsNorm(x, Parameters[layer.FeedForwardNorm], Config.RmsNormEps);
            x = x + FeedForward(layer, normed);
        }

        cache?.Advance(length);
        return TensorMath.RmsNorm(x, Parameters[_finalNorm], Config.RmsNormEps).MoveToOuterDisposeScope();
    }

    /// <summary>Next-token scores of whole sequences; training never calls it, because [N, V] is the largest tensor there is.</summary>
    /// <returns>[N, V]; the caller owns it.</returns>
    public Tensor Logits(Tensor tokens)
    {
        using Tensor hidden = HiddenStates(tokens);
        return nn.functional.linear(hidden, Head);
    }

    /// <summary>Frees weights and gradients.</summary>
    public void Dispose()
    {
        _rotary?.Dispose();
        Parameters.Dispose();
    }

    // Causal grouped-query attention. [N, D] → [N, D]
    private Tensor Attention(Layer layer, Tensor x, long batch, long length, Tensor cosines, Tensor sines, KeyValueCache? cache, int index)
    {
        int heads = Config.NumAttentionHeads, groups = Config.NumKeyValueHeads, size = Config.HeadDim;
        Tensor qkv = Linear(x, layer.Qkv, layer.QkvBias).view(batch, length, heads + (2 * groups), size); // [B, T, H+2G, A]
        Tensor q = TensorMath.Rotate(qkv.narrow(2, 0, heads), cosines, sines).transpose(1, 2);            // [B, H, T, A]
        Tensor k = TensorMath.Rotate(qkv.narrow(2, heads, groups), cosines, sines).transpose(1, 2);       // [B, G, T, A]
        Tensor v = qkv.narrow(2, heads + groups, groups).transpose(1, 2);                                 // [B, G, T, A]
        if (cache is not null)
        {
            (k, v) = cache.Append(index, k, v); // [B, G, T so far, A]
        }

        if (groups != heads)
        {
            k = k.repeat_interleave(heads / groups, dim: 1); // [B, H, T, A]
            v = v.repeat_interleave(heads / groups, dim: 1);
        }

        // A single new token sees everything before it; whole sequences are masked causally.
        Tensor mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_casual: length > 1);        // [B, H, T, A]
        return Linear(mixed.transpose(1, 2).reshape(batch * length, heads * size), layer.Output, layer.OutputBias);
    }

    // SwiGLU: down(silu(gate(x)) · up(x)). [N, D] → [N, D]
    private Tensor FeedForward(Layer layer, Tensor x)
    {
        Tensor gateUp = Linear(x, layer.GateUp, layer.GateUpBias); // [N, 2F]
        return Linear(TensorMath.SwiGlu(gateUp), layer.Down, layer.DownBias);
    }

    private Tensor Linear(Tensor x, int weight, int? bias) => nn.functional.linear(x, Parameters[weight], bias is int b ? Parameters[b] : null);

    private (Tensor Cosines, Tensor Sines) RotaryRows(long start, long length)
    {
        if (_rotary is null || _rotary.Length < start + length)
        {
            _rotary?.Dispose();
            _rotary = new RotaryTable(Math.Max(start + length, Config.MaxPositionEmbeddings), Config.HeadDim, Config.RopeTheta, Head.dtype, Parameters.Device);
        }

        return _rotary.Rows(start, length);
    }

    // Block indices of one layer in the parameter set.
    private sealed class Layer
    {
        public required int AttentionNorm { get; init; }

        public required int Qkv { get; init; }

        public required int? QkvBias { get; init; }

        public required int Output { get; init; }

        public required int? OutputBias { get; init; }

        public required int FeedForwardNorm { get; init; }

        public required int GateUp { get; init; }

        public required int? GateUpBias { get; init; }

        public required int Down { get; init; }

        public required int? DownBias { get; init; }
    }
}
