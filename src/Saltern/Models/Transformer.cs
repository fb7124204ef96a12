// The whole decoder, top to bottom: embedding → L × (attention, feed-forward) → norm; the output head is the loss's business.
// Llama-style unless told otherwise: RMS norms before each branch, rotary positions, grouped-query attention, SwiGLU. Options: biases, norms of queries and keys, norms after the
// branches, attention windows in all layers or some, tied head; what GPT-NeoX and GPT-2 do otherwise: LayerNorm, activations without a gate, rotary positions for part of a head
// or for some layers, learned positions, both branches in parallel; and factors and caps of embeddings, scores, branches and logits (Granite, Gemma).
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
    private readonly DecoderLayout _layout;
    private readonly RotaryTables _rotary;
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
        : this(config, trainable, WeightForm.Float32, type, device) { }

    /// <summary>As the other, with packed weights; those are trained by own kernels in bfloat16 products alone.</summary>
    internal Transformer(
        TransformerConfig config,
        bool trainable,
        WeightForm form,
        ScalarType type = ScalarType.Float32,
        Device? device = null
    )
    {
        Config = config;
        _layout = new DecoderLayout(config);
        Parameters = new ParameterSet(_layout.Parameters, trainable, type, device, form);
        _rotary = new RotaryTables(config, type, Parameters.Device);
        ProductType = type;
        UsesKernels = OwnKernels.Cover(type, Parameters.Device.type);
    }

    /// <summary>The resolved shape.</summary>
    public TransformerConfig Config { get; }

    /// <summary>Block of the embedding, [V, D].</summary>
    internal int Embedding => _layout.Embedding;

    /// <summary>Blocks of the last norm.</summary>
    internal NormBlocks FinalNorm => _layout.FinalNorm;

    /// <summary>Block of the learned positions; null for rotary ones.</summary>
    internal int? Positions => _layout.Positions;

    /// <summary>Weights and gradients.</summary>
    internal ParameterSet Parameters { get; }

    /// <summary>Adapters beside weights that are not trained; null where the weights themselves are. Owned by the model.</summary>
    internal LowRankAdapters? Adapters { get; private set; }

    /// <summary>What a training step changes: the weights, or their adapters.</summary>
    internal ParameterSet Trained => Adapters?.Parameters ?? Parameters;

    /// <summary>Gives a model without gradients adapters, which are trained in place of its weights.</summary>
    /// <param name="seed">Of the adapters' first values.</param>
    /// <exception cref="ConfigurationException">The model has none of a projection that is named.</exception>
    internal void Adapt(LowRankConfig config, long seed)
    {
        Adapters?.Dispose();
        Adapters = new LowRankAdapters(config, Parameters, seed);
    }

    /// <summary>Takes the adapters away, for weights that have them merged in.</summary>
    internal void RemoveAdapters()
    {
        Adapters?.Dispose();
        Adapters = null;
    }

    /// <summary>Output head, [V, D]: the embedding itself where tied; of packed weights the bfloat16 numbers that products read. Owned by the model.</summary>
    public Tensor Head => Parameters.Operand(_layout.Head);

    /// <summary>What makes logits of the head's products, beside the head itself; null where they are the logits. Owned by the model.</summary>
    internal HeadForm? HeadForm
    {
        get
        {
            Tensor? bias = _layout.HeadBias is int block ? Parameters[block] : null;
            if (bias is null && Config.FinalLogitSoftcapping is null)
            {
                return null;
            }

            return new HeadForm(bias, Config.FinalLogitSoftcapping);
        }
    }

    /// <summary>View of the head's gradient, [V, D]; the caller owns the view.</summary>
    internal Tensor HeadGradient() => Parameters.Gradient(_layout.Head);

    /// <summary>View of the gradient of the head's biases, [V]; null where it has none. The caller owns the view.</summary>
    internal Tensor? HeadBiasGradient()
    {
        if (_layout.HeadBias is int bias)
        {
            return Parameters.Gradient(bias);
        }

        return null;
    }

    /// <summary>Next-token scores from final hidden states.</summary>
    /// <param name="hidden">[N, D].</param>
    /// <returns>[N, V]; the caller owns it.</returns>
    internal Tensor LogitsOf(Tensor hidden)
    {
        Tensor products = nn.functional.linear(hidden, Parameters[_layout.Head]);
        if (HeadForm is not HeadForm form)
        {
            return products;
        }

        using (products)
        {
            return form.Apply(products);
        }
    }

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
                Parameters[index].fill_(Config.NormUnitOffset ? 0.0 : 1.0); // a vector: never packed
            }
            else if (block.Shape.Length == 2)
            {
                foreach (ParameterSlice slice in block.Slices)
                {
                    // One weight's at a time: together they would be as much as the model again.
                    using DisposeScope one = NewDisposeScope();
                    Tensor values = randn(slice.Shape, ScalarType.Float32, CPU, generator: generator)
                        .mul_(_layout.IsIntoResidual(index) ? residual : deviation);
                    Parameters.SetWeight(slice, values);
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

    /// <summary>First layers of which a training pass keeps only the input and makes the rest again on the way back: less memory for up to a third more arithmetic.</summary>
    internal int RecomputedLayers { get; set; }

    /// <summary>Whether all layers are recomputed.</summary>
    internal bool Recomputes
    {
        get => RecomputedLayers == Config.NumHiddenLayers;
        set => RecomputedLayers = value ? Config.NumHiddenLayers : 0;
    }

    /// <summary>Final hidden states of whole sequences, normalised, ready for the output head.</summary>
    /// <param name="tokens">Token ids, [B, T], int64, on the model's device.</param>
    /// <param name="ranges">Keys each query sees; null for causal attention.</param>
    /// <returns>[N, D] with N = B·T, in the order of the tokens; the caller owns it. Without <see cref="no_grad"/> it carries a graph for automatic differentiation.</returns>
    public Tensor HiddenStates(Tensor tokens, AttentionRanges? ranges = null)
    {
        if (UsesKernels && !is_grad_enabled())
        {
            return Fused.Forward(tokens, Ranges(ranges, tokens), keep: false, recomputed: 0);
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

    private Tensor LayersFromTokens(int layers, Tensor tokens, LayerRanges ranges)
    {
        if (UsesKernels)
        {
            return Fused.Forward(tokens, ranges, keep: false, recomputed: 0, layers);
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

        if (Parameters.IsPacked && !(UsesKernels && ProductType == ScalarType.BFloat16))
        {
            throw new InvalidOperationException(
                "Packed weights are trained by own kernels in bfloat16 products alone."
            );
        }

        if (UsesKernels)
        {
            return new FusedPass(
                Fused,
                Fused.Forward(tokens, Ranges(ranges, tokens), keep: true, RecomputedLayers),
                innerLayer
            );
        }

        if (RecomputedLayers > 0)
        {
            return new RecomputingPass(this, tokens, Ranges(ranges, tokens), innerLayer, RecomputedLayers);
        }

        return new AutogradPass(this, tokens, Ranges(ranges, tokens), innerLayer);
    }

    /// <summary>As <see cref="HiddenStates(Tensor, AttentionRanges?)"/>, continuing the sequences that the cache holds, and adding to it.</summary>
    /// <param name="tokens">The next ids of each sequence, [B, T].</param>
    /// <param name="cache">Keys and values of the tokens before.</param>
    internal Tensor HiddenStates(Tensor tokens, KeyValueCache cache)
    {
        LayerRanges ranges = default;
        if (cache.Length == 0)
        {
            ranges = Ranges(cache.FirstRanges((int)tokens.shape[1]), tokens);
        }

        return HiddenStates(tokens, ranges, cache);
    }

    private Tensor HiddenStates(Tensor tokens, LayerRanges ranges, KeyValueCache? cache)
    {
        using DisposeScope scope = NewDisposeScope();
        PlainPass pass = Pass(tokens, ranges, cache);
        Tensor x = RunLayers(Embed(tokens, cache?.Length ?? 0), pass, 0, _layout.Layers.Length); // [N, D]
        cache?.Advance(pass.Length);
        return Finish(x).MoveToOuterDisposeScope();
    }

    /// <summary>What the layers of one plain pass share: angles and mask. The caller's scope owns the tensors.</summary>
    internal PlainPass Pass(Tensor tokens, LayerRanges ranges, KeyValueCache? cache)
    {
        long length = tokens.shape[1];
        long start = cache?.Length ?? 0;
        Layers used = LayersUsed();
        return new PlainPass(
            tokens.shape[0],
            length,
            used.Rotated ? _rotary.Rows(isLocal: false, start, length) : null,
            used.Local ? _rotary.Rows(isLocal: true, start, length) : null,
            used.Full ? MaskOf(ranges.All, cache, length, window: 0) : null,
            used.Windowed ? MaskOf(ranges.InWindow, cache, length, Config.SlidingWindow) : null,
            cache
        );
    }

    private Tensor? MaskOf(AttentionRanges? ranges, KeyValueCache? cache, long length, int window)
    {
        if (cache is { Length: > 0 })
        {
            return cache.NextMask(length, window);
        }

        return ranges?.Mask().to(Parameters.Device);
    }

    // Which kinds of layers there are.
    private Layers LayersUsed()
    {
        int[] layers = [.. Enumerable.Range(0, Config.NumHiddenLayers)];
        return new Layers(
            layers.Any(layer => Config.IsRotated(layer) && !Config.HasLocalBase(layer)),
            layers.Any(layer => Config.IsRotated(layer) && Config.HasLocalBase(layer)),
            layers.Any(layer => Config.WindowOf(layer) == 0),
            layers.Any(layer => Config.WindowOf(layer) > 0)
        );
    }

    private readonly record struct Layers(bool Rotated, bool Local, bool Full, bool Windowed);

    /// <summary>Embedding of every token, with its position's where positions are learned, [N, D].</summary>
    /// <param name="start">Position of the first token of each sequence.</param>
    internal Tensor Embed(Tensor tokens, long start = 0)
    {
        Tensor embedded = Parameters[Embedding].index_select(0, tokens.reshape(-1));
        if (Config.EmbeddingScale != 1)
        {
            using Tensor plain = embedded;
            embedded = plain * Config.EmbeddingScale;
        }

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
        Tensor rows = Parameters[positions].narrow(0, start + Config.PositionOffset, tokens.shape[1]); // [T, D]
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
        Tensor mixed = Attention(layer, NormIf(x, layer.AttentionNorm), pass);
        Tensor attended = x + Branch(mixed, layer.AfterAttention);
        Tensor read = Config.UseParallelResidual ? x : attended;
        Tensor inner = FeedForward(layer, NormIf(read, layer.FeedForwardNorm), pass.Cache);
        return (attended + Branch(inner, layer.AfterFeedForward)).MoveToOuterDisposeScope();
    }

    // What a branch adds to the residual stream. [N, D] → [N, D]
    private Tensor Branch(Tensor x, NormBlocks? after)
    {
        if (after is NormBlocks norm)
        {
            x = Norm(x.to(Parameters.Type), norm);
        }

        return Config.ResidualMultiplier == 1 ? x : x * Config.ResidualMultiplier;
    }

    /// <summary>The last norm, and what divides the logits, [N, D] → [N, D].</summary>
    internal Tensor Finish(Tensor x)
    {
        Tensor normed = Norm(x, FinalNorm);
        if (Config.LogitsScaling == 1)
        {
            return normed;
        }

        using (normed)
        {
            return normed / Config.LogitsScaling;
        }
    }

    /// <summary>Next-token scores of whole sequences; training never calls it, because [N, V] is the largest tensor there is.</summary>
    /// <returns>[N, V]; the caller owns it.</returns>
    public Tensor Logits(Tensor tokens)
    {
        using Tensor hidden = HiddenStates(tokens);
        return LogitsOf(hidden);
    }

    /// <summary>Frees weights and gradients.</summary>
    public void Dispose()
    {
        _fused?.Dispose();
        _rotary.Dispose();
        Adapters?.Dispose();
        Parameters.Dispose();
    }

    // What was asked for, and, for layers with a window, cut to it where sequences are longer.
    private LayerRanges Ranges(AttentionRanges? ranges, Tensor tokens)
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
            return new LayerRanges(ranges, ranges);
        }

        return new LayerRanges(
            ranges,
            ranges?.Within(Config.SlidingWindow)
                ?? AttentionRanges.Window((int)batch, (int)length, Config.SlidingWindow)
        );
    }

    /// <summary>Blocks of a layer.</summary>
    internal DecoderLayer Layer(int index) => _layout.Layers[index];

    // Grouped-query attention. [N, D] → [N, D]
    private Tensor Attention(DecoderLayer layer, Tensor x, PlainPass pass)
    {
        int heads = Config.NumAttentionHeads;
        int groups = Config.NumKeyValueHeads;
        int size = Config.HeadDim;
        int window = Config.WindowOf(layer.Index);
        Tensor? mask = window > 0 ? pass.WindowMask : pass.Mask;
        Tensor qkv = Linear(x, layer.Qkv, layer.QkvBias, pass.Cache)
            .view(pass.Batch, pass.Length, heads + (2 * groups), size); // [B, T, H+2G, A]
        (Tensor q, Tensor k) = Rotated(layer, qkv, pass); // [B, H, T, A], [B, G, T, A]
        Tensor v = qkv.narrow(2, heads + groups, groups).transpose(1, 2); // [B, G, T, A]
        if (pass.Cache is not null)
        {
            (k, v) = pass.Cache.Append(layer.Index, k, v); // [B, G, T so far, A]
            if (pass.Length == 1 && window > 0 && k.shape[2] > window)
            {
                long left = k.shape[2] - window;
                (k, v) = (k.narrow(2, left, window), v.narrow(2, left, window));
                mask = mask?.narrow(3, left, window);
            }
        }

        if (groups != heads)
        {
            k = k.repeat_interleave(heads / groups, dim: 1); // [B, H, T, A]
            v = v.repeat_interleave(heads / groups, dim: 1);
        }

        Tensor mixed = Mix(q, k.to(ProductType), v.to(ProductType), mask, isCausal: mask is null && pass.Length > 1); // [B, H, T, A]
        return Linear(
            mixed.transpose(1, 2).reshape(pass.Batch * pass.Length, heads * size),
            layer.Output,
            layer.OutputBias,
            pass.Cache
        );
    }

    // A single new token sees everything that is left; whole sequences are masked, causally unless told otherwise.
    private Tensor Mix(Tensor q, Tensor k, Tensor v, Tensor? mask, bool isCausal)
    {
        if (Config.AttnLogitSoftcapping is double cap)
        {
            // Scores of rounded operands, in the weights' own type, as own kernels have them.
            Tensor scores = q.to(ProductType)
                .to(Parameters.Type)
                .matmul(k.to(Parameters.Type).transpose(2, 3))
                .mul(Config.ScoreScale / cap)
                .tanh()
                .mul(cap); // [B, H, T, T so far]
            if (isCausal)
            {
                mask = ones(scores.shape[2], scores.shape[3], ScalarType.Bool, scores.device).tril();
            }

            if (mask is not null)
            {
                scores = scores.masked_fill(mask.logical_not(), double.NegativeInfinity);
            }

            return nn.functional.softmax(scores, -1).to(ProductType).matmul(v);
        }

        if (Config.AttentionMultiplier is double scale)
        {
            // libtorch's own factor is 1/√A.
            q = q * (scale * Math.Sqrt(Config.HeadDim));
        }

        return nn.functional.scaled_dot_product_attention(
            q.to(ProductType),
            k,
            v,
            attn_mask: mask,
            is_casual: // TorchSharp's spelling
            isCausal
        );
    }

    private Tensor NormIf(Tensor x, NormBlocks? norm) => norm is NormBlocks blocks ? Norm(x, blocks) : x;

    // LayerNorm where there is a bias, otherwise an RMS norm. [N, D] → [N, D]
    private Tensor Norm(Tensor x, NormBlocks norm)
    {
        if (norm.Bias is int b && Config.LayerNormEps is double epsilon)
        {
            return TensorMath.LayerNorm(x, Parameters[norm.Weight], Parameters[b], epsilon);
        }

        return RmsNorm(x, norm.Weight);
    }

    private Tensor RmsNorm(Tensor x, int weight)
    {
        if (!Config.NormUnitOffset)
        {
            return TensorMath.RmsNorm(x, Parameters[weight], Config.RmsNormEps);
        }

        using Tensor factors = Parameters[weight] + 1;
        return TensorMath.RmsNorm(x, factors, Config.RmsNormEps);
    }

    // RMS norm over each head, or over all together, where the family has one. [B, T, heads, A]
    private Tensor HeadNorm(Tensor x, int? weight)
    {
        if (weight is not int w)
        {
            return x;
        }

        if (Config.QkNormWhole)
        {
            return RmsNorm(x.flatten(2), w).view(x.shape);
        }

        return RmsNorm(x, w);
    }

    // Queries and keys with norm and position, heads before tokens. Turned as one tensor where no norm comes between: half the operations, each of which a GPU waits for.
    private (Tensor Queries, Tensor Keys) Rotated(DecoderLayer layer, Tensor qkv, PlainPass pass)
    {
        int heads = Config.NumAttentionHeads;
        int groups = Config.NumKeyValueHeads;
        if (layer.QueryNorm is null && layer.KeyNorm is null)
        {
            Tensor both = Rotate(qkv.narrow(2, 0, heads + groups), layer, pass).transpose(1, 2); // [B, H+G, T, A]
            return (both.narrow(1, 0, heads), both.narrow(1, heads, groups));
        }

        Tensor queries = HeadNorm(qkv.narrow(2, 0, heads), layer.QueryNorm);
        Tensor keys = HeadNorm(qkv.narrow(2, heads, groups), layer.KeyNorm);
        return (Rotate(queries, layer, pass).transpose(1, 2), Rotate(keys, layer, pass).transpose(1, 2));
    }

    // The first A_r elements of each head turned, the others as they are. [B, T, heads, A]
    private Tensor Rotate(Tensor x, DecoderLayer layer, PlainPass pass)
    {
        (Tensor, Tensor)? angles = Config.HasLocalBase(layer.Index) ? pass.LocalAngles : pass.Angles;
        if (!Config.IsRotated(layer.Index) || angles is not (Tensor cosines, Tensor sines))
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

    // down(f(gate(x)) · up(x)), or down(f(up(x))). [N, D] → [N, D]
    private Tensor FeedForward(DecoderLayer layer, Tensor x, KeyValueCache? cache)
    {
        Tensor inner = Linear(x, layer.GateUp, layer.GateUpBias, cache); // [N, 2F], without a gate [N, F]
        Tensor activated = TensorMath.Activate(inner, Config.HiddenAct, Config.IsGated);
        return Linear(activated, layer.Down, layer.DownBias, cache);
    }

    // Weights of a wider type than the products' are rounded for this use; their gradients come back in the weights' own type.
    private Tensor Linear(Tensor x, int weight, int? bias, KeyValueCache? cache)
    {
        Tensor read = x.to(ProductType);
        Tensor y = nn.functional.linear(
            read,
            Operand(weight, cache),
            bias is int b ? Parameters[b].to(ProductType) : null
        );
        Adapters?.AddTo(y, read, weight);
        return y;
    }

    // A weight as products read it; a text that is generated rounds it once, not for every token.
    private Tensor Operand(int weight, KeyValueCache? cache)
    {
        if (ProductType != Parameters.Type && cache is not null)
        {
            return cache.Rounded(weight, Parameters[weight], ProductType);
        }

        return Parameters[weight].to(ProductType);
    }

    /// <summary>Cosines and sines of some positions, each [1, length, 1, A_r], as a layer turns by them; the caller owns the views. Null where it does not turn.</summary>
    internal (Tensor Cosines, Tensor Sines)? RotaryRows(int layer, long start, long length)
    {
        if (!Config.IsRotated(layer))
        {
            return null;
        }

        return _rotary.Rows(Config.HasLocalBase(layer), start, length);
    }
}
