// The whole decoder, top to bottom: embedding → L × (attention, feed-forward) → norm; the output head is the loss's business.
// Llama-style unless told otherwise: RMS norms before each layer, rotary positions, grouped-query attention, SwiGLU. Options: biases, norms of queries and keys, attention window,
// tied head, and what GPT-NeoX and GPT-2 do otherwise: LayerNorm, GELU without a gate, rotary positions for part of a head, learned positions, both branches in parallel.
//
// B = sequences, T = tokens of a sequence, N = B·T, D = hidden size, H = query heads, G = key/value heads, A = head size, A_r = elements of a head that are turned,
// F = feed-forward size, V = vocabulary.
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>A decoder over one flat parameter buffer.</summary>
/// <remarks>Weights are named as in Hugging Face's Llama (DecoderLayout.cs); query, key, value and gate, up are adjacent, so that each triple or pair is one product.</remarks>
public sealed class Transformer : IDisposable
{
    private const long FirstPositions = 4096;
    private readonly DecoderLayout _layout;
    private RotaryTable? _rotary;
    private FusedDecoder? _fused;

    /// <summary>Allocates the model with all weights zero; see <see cref="Initialize"/>.</summary>
    /// <param name="config">A resolved shape (<see cref="TransformerConfig.Resolve"/>).</param>
    /// <param name="trainable">Whether gradients are kept.</param>
    /// <param name="type">Type of weights and activations.</param>
    /// <param name="device">Where the weights live; the CPU by default.</param>
    public Transformer(
        TransformerConfig config,
        bool trainable,
        ScalarType type = ScalarType.Float32,
        Device? device = null
    )
    {
        Config = config;
        _layout = new DecoderLayout(config);
        Parameters = new ParameterSet(_layout.Parameters, trainable, type, device);
        ProductType = type;
        UsesKernels = OwnKernels.Cover(type, Parameters.Device.type);
    }

    /// <summary>The resolved shape.</summary>
    public TransformerConfig Config { get; }

    /// <summary>Block of the embedding, [V, D].</summary>
    internal int Embedding => _layout.Embedding;

    /// <summary>Block of the last norm's weight, [D].</summary>
    internal int FinalNorm => _layout.FinalNorm;

    /// <summary>Blocks of the last norm.</summary>
    internal NormBlocks FinalNorms => new(_layout.FinalNorm, _layout.FinalNormBias);

    /// <summary>Block of the learned positions; null for rotary ones.</summary>
    internal int? Positions => _layout.Positions;

    /// <summary>Weights and gradients.</summary>
    internal ParameterSet Parameters { get; }

    /// <summary>Output head, [V, D]: the embedding itself where tied. Owned by the model.</summary>
    public Tensor Head => Parameters[_layout.Head];

    /// <summary>View of the head's gradient, [V, D]; the caller owns the view.</summary>
    internal Tensor HeadGradient() => Parameters.Gradient(_layout.Head);

    /// <summary>Fills the weights: normal with <see cref="TransformerConfig.InitializerRange"/>, divided by √(2L) for the projections into the residual stream; norms one, biases zero.</summary>
    /// <param name="seed">The same seed and shape give the same weights, bit for bit, whatever was drawn before.</param>
    internal void Initialize(long seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        double deviation = Config.InitializerRange;
        double residual = deviation / Math.Sqrt(2.0 * Config.NumHiddenLayers);
        foreach ((int index, ParameterBlock block) in Parameters.Layout.Blocks.Index())
        {
            if (_layout.IsNorm(index))
            {
                Parameters[index].fill_(1.0);
            }
            else if (block.Shape.Length == 2)
            {
                foreach (ParameterSlice slice in block.Slices)
                {
                    Tensor values = randn(slice.Shape, ScalarType.Float32, CPU, generator: generator)
                        .mul_(_layout.IsIntoResidual(index) ? residual : deviation);
                    Parameters.Weight(slice).copy_(values);
                }
            }
        }
    }

    /// <summary>Whether passes go through own kernels; possible for float32 weights on the CPU, and on there unless switched off. Stays off for products without a fused path.</summary>
    internal bool UsesKernels
    {
        get =>
            field
            && OwnKernels.CoverProducts(ProductType, Parameters.Device.type)
            && (ProductType == ScalarType.Float32 || Config.HasEvenWidths);
        set;
    }

    /// <summary>Type of matrix products and attention: the weights' own, or a narrower one (bfloat16), with weights, norms, residual stream and gradients of weights as they are.</summary>
    internal ScalarType ProductType
    {
        get;
        set
        {
            if (field != value)
            {
                _fused?.Dispose();
                _fused = null;
            }

            field = value;
        }
    }

    /// <summary>Whether a training pass keeps only each layer's input and makes the rest again on the way back: less memory for about a third more arithmetic.</summary>
    internal bool Recomputes { get; set; }

    /// <summary>Final hidden states of whole sequences, normalised, ready for the output head.</summary>
    /// <param name="tokens">Token ids, [B, T], int64, on the model's device.</param>
    /// <param name="ranges">Keys each query sees; null for causal attention.</param>
    /// <returns>[N, D] with N = B·T, in the order of the tokens; the caller owns it. Without <see cref="no_grad"/> it carries a graph for automatic differentiation.</returns>
    public Tensor HiddenStates(Tensor tokens, AttentionRanges? ranges = null)
    {
        if (UsesKernels && !is_grad_enabled())
        {
            return Fused.Forward(tokens, Ranges(ranges, tokens), keep: false, recompute: false);
        }

        return HiddenStates(tokens, Ranges(ranges, tokens), cache: null);
    }

    /// <summary>Hidden states after some layers, as Hugging Face numbers them: the residual stream after layer l for l below L, the final hidden states for l = L. The layers above are not computed.</summary>
    /// <param name="layers">l, from 1 to L.</param>
    /// <param name="tokens">Token ids, [B, T], int64, on the model's device.</param>
    /// <param name="ranges">Keys each query sees; null for causal attention.</param>
    /// <returns>[N, D]; the caller owns it. Carries no graph.</returns>
    internal Tensor HiddenStatesAfter(int layers, Tensor tokens, AttentionRanges? ranges = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(layers, Config.NumHiddenLayers);
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        return LayersFromTokens(layers, tokens, Ranges(ranges, tokens)).MoveToOuterDisposeScope();
    }

    private FusedDecoder Fused => _fused ??= new FusedDecoder(this);

    private Tensor LayersFromTokens(int layers, Tensor tokens, AttentionRanges? ranges)
    {
        if (UsesKernels)
        {
            return Fused.Forward(tokens, ranges, keep: false, recompute: false, layers);
        }

        if (layers == Config.NumHiddenLayers)
        {
            return HiddenStates(tokens, ranges, cache: null);
        }

        return RunLayers(Embed(tokens), Pass(tokens, ranges, cache: null), 0, layers);
    }

    /// <summary>The forward pass of a training step.</summary>
    /// <param name="tokens">Token ids, [B, T], int64, on the model's device.</param>
    /// <param name="ranges">Keys each query sees; null for causal attention.</param>
    /// <param name="innerLayer">Layer, from 1 to L − 1, whose output is asked for too; null for none.</param>
    /// <returns>Hidden states and the way back; the caller disposes of it before the next pass.</returns>
    internal TrainingPass Train(Tensor tokens, AttentionRanges? ranges = null, int? innerLayer = null)
    {
        if (innerLayer < 1 || innerLayer >= Config.NumHiddenLayers)
        {
            throw new ArgumentOutOfRangeException(
                nameof(innerLayer),
                innerLayer,
                $"Inner layers go from 1 to {Config.NumHiddenLayers - 1}."
            );
        }

        if (UsesKernels)
        {
            return new FusedPass(
                Fused,
                Fused.Forward(tokens, Ranges(ranges, tokens), keep: true, Recomputes),
                innerLayer
            );
        }

        if (Recomputes)
        {
            return new RecomputingPass(this, tokens, Ranges(ranges, tokens), innerLayer);
        }

        return new AutogradPass(this, tokens, Ranges(ranges, tokens), innerLayer);
    }

    /// <summary>As <see cref="HiddenStates(Tensor, AttentionRanges?)"/>, continuing the sequences that the cache holds, and adding to it.</summary>
    /// <param name="tokens">The next ids of each sequence, [B, T].</param>
    /// <param name="cache">Keys and values of the tokens before.</param>
    internal Tensor HiddenStates(Tensor tokens, KeyValueCache cache)
    {
        AttentionRanges? ranges = null;
        if (cache.Length == 0)
        {
            ranges = Ranges(cache.FirstRanges((int)tokens.shape[1]), tokens);
        }

        return HiddenStates(tokens, ranges, cache);
    }

    private Tensor HiddenStates(Tensor tokens, AttentionRanges? ranges, KeyValueCache? cache)
    {
        using DisposeScope scope = NewDisposeScope();
        PlainPass pass = Pass(tokens, ranges, cache);
        Tensor x = RunLayers(Embed(tokens, cache?.Length ?? 0), pass, 0, _layout.Layers.Length); // [N, D]
        cache?.Advance(pass.Length);
        return Finish(x).MoveToOuterDisposeScope();
    }

    /// <summary>What the layers of one plain pass share: angles and mask. The caller's scope owns the tensors.</summary>
    internal PlainPass Pass(Tensor tokens, AttentionRanges? ranges, KeyValueCache? cache)
    {
        long length = tokens.shape[1];
        Tensor? mask = null;
        if (cache is { Length: > 0 })
        {
            mask = cache.NextMask(length, Config.SlidingWindow);
        }
        else if (ranges is not null)
        {
            mask = ranges.Mask().to(Parameters.Device);
        }

        return new PlainPass(
            tokens.shape[0],
            length,
            Config.LearnedPositions ? null : RotaryRows(cache?.Length ?? 0, length),
            mask,
            cache
        );
    }

    /// <summary>Embedding of every token, with its position's where positions are learned, [N, D].</summary>
    /// <param name="start">Position of the first token of each sequence.</param>
    internal Tensor Embed(Tensor tokens, long start = 0)
    {
        Tensor embedded = Parameters[Embedding].index_select(0, tokens.reshape(-1));
        if (_layout.Positions is not int positions)
        {
            return embedded;
        }

        if (start + tokens.shape[1] > Config.MaxPositionEmbeddings)
        {
            throw new ArgumentException(
                $"The model has learned {Config.MaxPositionEmbeddings} positions; {start} + {tokens.shape[1]} do not fit.",
                nameof(tokens)
            );
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor rows = Parameters[positions].narrow(0, start, tokens.shape[1]); // [T, D]
        return (embedded.view(tokens.shape[0], tokens.shape[1], Config.HiddenSize) + rows)
            .view(embedded.shape)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Some layers by libtorch's operations, [N, D] → [N, D]; the caller's scope owns the result.</summary>
    internal Tensor RunLayers(Tensor x, PlainPass pass, int first, int end)
    {
        for (int i = first; i < end; i++)
        {
            x = RunLayer(i, x, pass);
        }

        return x;
    }

    /// <summary>One layer by libtorch's operations, [N, D] → [N, D]; the caller owns the result.</summary>
    internal Tensor RunLayer(int index, Tensor x, PlainPass pass)
    {
        using DisposeScope scope = NewDisposeScope();
        DecoderLayer layer = _layout.Layers[index];
        Tensor attended = x + Attention(layer, Norm(x, layer.AttentionNorm, layer.AttentionNormBias), pass, index);
        Tensor read = Config.UseParallelResidual ? x : attended;
        return (
            attended + FeedForward(layer, Norm(read, layer.FeedForwardNorm, layer.FeedForwardNormBias), pass.Cache)
        ).MoveToOuterDisposeScope();
    }

    /// <summary>The last norm, [N, D] → [N, D].</summary>
    internal Tensor Finish(Tensor x) => Norm(x, FinalNorm, _layout.FinalNormBias);

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
        _fused?.Dispose();
        _rotary?.Dispose();
        Parameters.Dispose();
    }

    // What was asked for, cut to the model's window where sequences are longer than it.
    private AttentionRanges? Ranges(AttentionRanges? ranges, Tensor tokens)
    {
        (long batch, long length) = (tokens.shape[0], tokens.shape[1]);
        if (ranges is not null && !(ranges.SequenceLength == length && ranges.First.Length == batch * length))
        {
            throw new ArgumentException(
                $"There are {ranges.First.Length} ranges over {ranges.SequenceLength} positions "
                    + $"for tokens of shape [{batch}, {length}].",
                nameof(ranges)
            );
        }

        if (Config.SlidingWindow == 0 || length <= Config.SlidingWindow)
        {
            return ranges;
        }

        return ranges?.Within(Config.SlidingWindow)
            ?? AttentionRanges.Window((int)batch, (int)length, Config.SlidingWindow);
    }

    /// <summary>Blocks of a layer.</summary>
    internal DecoderLayer Layer(int index) => _layout.Layers[index];

    // Grouped-query attention. [N, D] → [N, D]
    private Tensor Attention(DecoderLayer layer, Tensor x, PlainPass pass, int index)
    {
        int heads = Config.NumAttentionHeads;
        int groups = Config.NumKeyValueHeads;
        int size = Config.HeadDim;
        Tensor qkv = Linear(x, layer.Qkv, layer.QkvBias, pass.Cache)
            .view(pass.Batch, pass.Length, heads + (2 * groups), size); // [B, T, H+2G, A]
        (Tensor q, Tensor k) = Rotated(layer, qkv, pass); // [B, H, T, A], [B, G, T, A]
        Tensor v = qkv.narrow(2, heads + groups, groups).transpose(1, 2); // [B, G, T, A]
        if (pass.Cache is not null)
        {
            (k, v) = pass.Cache.Append(index, k, v); // [B, G, T so far, A]
            if (pass.Length == 1 && Config.SlidingWindow > 0 && k.shape[2] > Config.SlidingWindow)
            {
                long left = k.shape[2] - Config.SlidingWindow;
                (k, v) = (k.narrow(2, left, Config.SlidingWindow), v.narrow(2, left, Config.SlidingWindow));
                pass = pass with { Mask = pass.Mask?.narrow(3, left, Config.SlidingWindow) };
            }
        }

        if (groups != heads)
        {
            k = k.repeat_interleave(heads / groups, dim: 1); // [B, H, T, A]
            v = v.repeat_interleave(heads / groups, dim: 1);
        }

        // A single new token sees everything that is left; whole sequences are masked, causally unless told otherwise.
        Tensor mixed = nn.functional.scaled_dot_product_attention(
            q.to(ProductType),
            k.to(ProductType),
            v.to(ProductType),
            attn_mask: pass.Mask,
            is_casual: // TorchSharp's spelling
            pass.Mask is null && pass.Length > 1
        ); // [B, H, T, A]
        return Linear(
            mixed.transpose(1, 2).reshape(pass.Batch * pass.Length, heads * size),
            layer.Output,
            layer.OutputBias,
            pass.Cache
        );
    }

    // LayerNorm where there is a bias, otherwise an RMS norm. [N, D] → [N, D]
    private Tensor Norm(Tensor x, int weight, int? bias)
    {
        if (bias is int b && Config.LayerNormEps is double epsilon)
        {
            return TensorMath.LayerNorm(x, Parameters[weight], Parameters[b], epsilon);
        }

        return TensorMath.RmsNorm(x, Parameters[weight], Config.RmsNormEps);
    }

    // RMS norm over each head, where the family has one. [B, T, heads, A]
    private Tensor HeadNorm(Tensor x, int? weight)
    {
        if (weight is int w)
        {
            return TensorMath.RmsNorm(x, Parameters[w], Config.RmsNormEps);
        }

        return x;
    }

    // Queries and keys with norm and position, heads before tokens. Turned as one tensor where no norm comes between: half the operations, each of which a GPU waits for.
    private (Tensor Queries, Tensor Keys) Rotated(DecoderLayer layer, Tensor qkv, PlainPass pass)
    {
        int heads = Config.NumAttentionHeads;
        int groups = Config.NumKeyValueHeads;
        if (layer.QueryNorm is null && layer.KeyNorm is null)
        {
            Tensor both = Rotate(qkv.narrow(2, 0, heads + groups), pass).transpose(1, 2); // [B, H+G, T, A]
            return (both.narrow(1, 0, heads), both.narrow(1, heads, groups));
        }

        Tensor queries = HeadNorm(qkv.narrow(2, 0, heads), layer.QueryNorm);
        Tensor keys = HeadNorm(qkv.narrow(2, heads, groups), layer.KeyNorm);
        return (Rotate(queries, pass).transpose(1, 2), Rotate(keys, pass).transpose(1, 2));
    }

    // The first A_r elements of each head turned, the others as they are. [B, T, heads, A]
    private Tensor Rotate(Tensor x, PlainPass pass)
    {
        if (pass.Angles is not (Tensor cosines, Tensor sines))
        {
            return x;
        }

        int turned = Config.RotaryDim;
        int kept = Config.HeadDim - turned;
        if (kept == 0)
        {
            return TensorMath.Rotate(x, cosines, sines);
        }

        return cat([TensorMath.Rotate(x.narrow(-1, 0, turned), cosines, sines), x.narrow(-1, turned, kept)], dim: -1);
    }

    // SwiGLU, down(silu(gate(x)) · up(x)), or down(gelu(up(x))). [N, D] → [N, D]
    private Tensor FeedForward(DecoderLayer layer, Tensor x, KeyValueCache? cache)
    {
        Tensor inner = Linear(x, layer.GateUp, layer.GateUpBias, cache); // [N, 2F], without a gate [N, F]
        Tensor activated = Config.IsGated ? TensorMath.SwiGlu(inner) : TensorMath.Gelu(inner, Config.HiddenAct);
        return Linear(activated, layer.Down, layer.DownBias, cache);
    }

    // Weights of a wider type than the products' are rounded for this use; their gradients come back in the weights' own type.
    private Tensor Linear(Tensor x, int weight, int? bias, KeyValueCache? cache) =>
        nn.functional.linear(
            x.to(ProductType),
            Operand(weight, cache),
            bias is int b ? Parameters[b].to(ProductType) : null
        );

    // A weight as products read it; a text that is generated rounds it once, not for every token.
    private Tensor Operand(int weight, KeyValueCache? cache)
    {
        if (ProductType != Head.dtype && cache is not null)
        {
            return cache.Rounded(weight, Parameters[weight], ProductType);
        }

        return Parameters[weight].to(ProductType);
    }

    /// <summary>Cosines and sines of some positions, each [1, length, 1, A_r]; the caller owns the views.</summary>
    internal (Tensor Cosines, Tensor Sines) RotaryRows(long start, long length)
    {
        if (_rotary is null || _rotary.Length < start + length)
        {
            // Not the whole of what the model is meant for at once: a hundred thousand positions would take more memory than a small model's weights.
            long room = Math.Min(Config.MaxPositionEmbeddings, Math.Max(FirstPositions, 2 * (_rotary?.Length ?? 0)));
            _rotary?.Dispose();
            _rotary = new RotaryTable(Math.Max(start + length, room), Config, Head.dtype, Parameters.Device);
        }

        return _rotary.Rows(start, length);
    }
}
