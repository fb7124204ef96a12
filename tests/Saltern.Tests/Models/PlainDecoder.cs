// The decoder as one would write it first: separate projections, masked softmax attention, composed norms, whole logits, automatic differentiation.
// B = sequences, T = tokens, N = B·T, D = hidden size, H = heads, G = key/value heads, A = head size, F = feed-forward size, V = vocabulary.
using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;
using Parameter = TorchSharp.Modules.Parameter;

namespace Saltern.Tests.Models;

/// <summary>The naive eager twin of <see cref="Transformer"/>: what the fast paths must equal, and what they are timed against.</summary>
/// <remarks>It shares no code with the model it stands beside, and keeps one leaf tensor per named weight with a gradient of its own.</remarks>
internal sealed class PlainDecoder : IDisposable
{
    private readonly TransformerConfig _config;
    private readonly Dictionary<string, Parameter> _weights = [];
    private readonly Tensor _cosines;
    private readonly Tensor _sines;
    private readonly ScalarType _type;

    /// <summary>Copies a model's weights.</summary>
    /// <param name="model">The model to stand beside.</param>
    /// <param name="trainable">Whether gradients are wanted.</param>
    /// <param name="type">Type to compute in.</param>
    public PlainDecoder(Transformer model, bool trainable, ScalarType type = ScalarType.Float32)
    {
        (_config, _type) = (model.Config, type);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        foreach (ParameterSlice slice in model.Parameters.Layout.Slices)
        {
            var weight = new Parameter(model.Parameters.Weight(slice).to(type).clone(), trainable);
            weight.DetachFromDisposeScope();
            _weights.Add(slice.Name, weight);
        }

        // RoFormer's angles t·θ^(−2i/A), each for the elements i and i + A/2 of a head.
        Tensor frequencies = pow(
            _config.RopeTheta,
            arange(0, _config.HeadDim, 2, ScalarType.Float64).div(-_config.HeadDim)
        );
        Tensor angles = outer(arange(_config.MaxPositionEmbeddings, ScalarType.Float64), frequencies);
        angles = cat([angles, angles], dim: 1);
        _cosines = angles.cos().to(type).DetachFromDisposeScope();
        _sines = angles.sin().to(type).DetachFromDisposeScope();
    }

    /// <summary>Every weight, for an optimizer.</summary>
    public IEnumerable<Parameter> Weights => _weights.Values;

    /// <summary>A weight by its name.</summary>
    public Parameter this[string name] => _weights[name];

    /// <summary>Whole logits, [N, V]; the caller owns them.</summary>
    /// <param name="tokens">[B, T], int64.</param>
    /// <param name="ranges">Keys each query sees; null for causal attention.</param>
    public Tensor Logits(Tensor tokens, AttentionRanges? ranges = null)
    {
        using DisposeScope scope = NewDisposeScope();
        long batch = tokens.shape[0];
        long length = tokens.shape[1];
        Tensor mask = Mask(batch, length, ranges);
        Tensor x = _weights["model.embed_tokens.weight"].index_select(0, tokens.reshape(-1)).view(batch, length, -1); // [B, T, D]
        for (int i = 0; i < _config.NumHiddenLayers; i++)
        {
            string at = $"model.layers.{i}.";
            x = x + Attention(Norm(x, at + "input_layernorm"), at + "self_attn.", mask, batch, length);
            Tensor normed = Norm(x, at + "post_attention_layernorm");
            Tensor gate = nn.functional.silu(Linear(normed, at + "mlp.gate_proj")); // [B, T, F]
            x = x + Linear(gate * Linear(normed, at + "mlp.up_proj"), at + "mlp.down_proj");
        }

        Tensor head = _weights[_config.IsTied ? "model.embed_tokens.weight" : "lm_head.weight"];
        return nn.functional.linear(Norm(x, "model.norm").view(batch * length, -1), head).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Parameter weight in _weights.Values)
        {
            weight.Dispose();
        }

        _cosines.Dispose();
        _sines.Dispose();
    }

    private Tensor Attention(Tensor x, string at, Tensor mask, long batch, long length)
    {
        int heads = _config.NumAttentionHeads;
        int groups = _config.NumKeyValueHeads;
        int size = _config.HeadDim;
        Tensor q = Rotate(Linear(x, at + "q_proj").view(batch, length, heads, size)).transpose(1, 2); // [B, H, T, A]
        Tensor k = Rotate(Linear(x, at + "k_proj").view(batch, length, groups, size)).transpose(1, 2); // [B, G, T, A]
        Tensor v = Linear(x, at + "v_proj").view(batch, length, groups, size).transpose(1, 2);
        if (groups != heads)
        {
            k = k.repeat_interleave(heads / groups, dim: 1);
            v = v.repeat_interleave(heads / groups, dim: 1);
        }

        Tensor scores = q.matmul(k.transpose(2, 3)) / Math.Sqrt(size); // [B, H, T, T]
        Tensor shares = nn.functional.softmax(scores.masked_fill(mask, double.NegativeInfinity), -1);
        return Linear(shares.matmul(v).transpose(1, 2).reshape(batch, length, heads * size), at + "o_proj");
    }

    // True where a query must not look: [T, T], or [B, 1, T, T] with ranges of its own for each sequence.
    private static Tensor Mask(long batch, long length, AttentionRanges? ranges)
    {
        if (ranges is null)
        {
            return ones(length, length, ScalarType.Bool).triu(1);
        }

        Tensor keys = arange(length).view(1, 1, 1, length);
        Tensor first = tensor(ranges.First).view(batch, 1, length, 1);
        Tensor end = tensor(ranges.End).view(batch, 1, length, 1);
        return keys.lt(first).logical_or(keys.ge(end));
    }

    private Tensor Rotate(Tensor x)
    {
        long half = x.shape[^1] / 2;
        long length = x.shape[1];
        Tensor cosines = _cosines.narrow(0, 0, length).unsqueeze(1);
        Tensor sines = _sines.narrow(0, 0, length).unsqueeze(1);
        Tensor turned = cat([x.narrow(-1, half, half).neg(), x.narrow(-1, 0, half)], dim: -1);
        return (x * cosines) + (turned * sines);
    }

    private Tensor Norm(Tensor x, string name) =>
        x * x.pow(2).mean([-1L], keepdim: true).add(_config.RmsNormEps).rsqrt() * _weights[name + ".weight"];

    private Tensor Linear(Tensor x, string name) =>
        nn.functional.linear(x, _weights[name + ".weight"], _weights.GetValueOrDefault(name + ".bias"));
}
