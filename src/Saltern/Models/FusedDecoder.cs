// The decoder's passes on the CPU in float32 with own kernels between libtorch's products: forward for evaluation and teachers, forward and backward for training.
// What it computes is Transformer.cs; how is here. Gradients of weights are added straight into the flat gradient, activations live in reused buffers, and what is cheap
// (norms, SwiGLU, attention shares) is made again in the backward pass instead of being kept.
//
// N = tokens of the pass, D = hidden size, H = query heads, G = key/value heads, A = head size, F = feed-forward size.
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Forward and backward passes of a <see cref="Transformer"/> without automatic differentiation; float32 on the CPU.</summary>
/// <remarks>The plain twin is the transformer's own path through libtorch's operations. One pass at a time: a backward pass belongs to the last forward pass that kept its activations.</remarks>
internal sealed unsafe class FusedDecoder : IDisposable
{
    private readonly Transformer _model;
    private readonly TransformerConfig _config;
    private readonly AttentionShape _shape;
    private readonly Kept[] _kept;
    private readonly ActivationBuffer _residual;
    private readonly ActivationBuffer _normed;
    private readonly ActivationBuffer _branch;
    private readonly ActivationBuffer _hidden;
    private readonly ActivationBuffer _finalScales;
    private readonly ActivationBuffer _gradient;
    private readonly ActivationBuffer _mixedGradient;
    private readonly ActivationBuffer _qkvGradient;
    private ParallelOptions _parallel = new();
    private (Tensor Tokens, AttentionRanges? Ranges, bool Recompute)? _pending;

    /// <summary>Plans the buffers; none is mapped before the first pass.</summary>
    /// <param name="model">Float32 on the CPU; owned by the caller, who disposes of this first.</param>
    public FusedDecoder(Transformer model)
    {
        (_model, _config) = (model, model.Config);
        int width = _config.HiddenSize;
        int heads = _config.NumAttentionHeads * _config.HeadDim;
        _shape = new AttentionShape(0, 0, _config.NumAttentionHeads, _config.NumKeyValueHeads, _config.HeadDim);
        _kept = [.. Enumerable.Range(0, _config.NumHiddenLayers).Select(_ => new Kept(_config, _shape.RowStride))];
        (_residual, _normed, _branch, _gradient) = (new(width), new(width), new(width), new(width));
        (_hidden, _finalScales) = (new(_config.IntermediateSize), new(1));
        (_mixedGradient, _qkvGradient) = (new(heads), new(_shape.RowStride));
    }

    /// <summary>Final hidden states, normalised.</summary>
    /// <param name="tokens">Ids, [B, T], int64.</param>
    /// <param name="ranges">Keys each query sees; null for causal attention.</param>
    /// <param name="recompute">Whether only each layer's input is kept, and the rest made again in the backward pass.</param>
    /// <param name="layers">Layers to run, without the last norm where there are more; null for all.</param>
    /// <returns>[N, D]; the caller owns it.</returns>
    public Tensor Forward(Tensor tokens, AttentionRanges? ranges, bool keep, bool recompute, int? layers = null)
    {
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();

        // Every pass writes over what the one before has kept, whose backward pass is no longer possible.
        _pending?.Tokens.Dispose();
        _pending = null;
        LastPass++;
        int rows = (int)(tokens.shape[0] * tokens.shape[1]);
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() };
        Tensor x = Embed(tokens, keep ? _kept[0].Input : _residual, rows);
        bool addBranch = false;
        for (int i = 0; i < (layers ?? _kept.Length); i++)
        {
            // A pass that keeps nothing uses the first layer's buffers for all layers, and adds to the residual stream in place.
            Kept kept = _kept[keep && !recompute ? i : 0];
            ActivationBuffer input = _residual;
            ActivationBuffer middle = _residual;
            if (keep)
            {
                (input, middle) = (_kept[i].Input, kept.Middle);
            }

            Norm(x, addBranch, input, _model.Layer(i).AttentionNorm, kept.AttentionScales);
            x = RunLayer(i, input.Rows(rows), kept, middle, tokens, ranges, keep);
            addBranch = true;
        }

        if (layers < _kept.Length)
        {
            // The residual stream between two layers, with the branch that the next norm would have added.
            return x.add(_branch.Rows(rows)).MoveToOuterDisposeScope();
        }

        Tensor hidden = empty(rows, _config.HiddenSize);
        Tensor last = keep ? _residual.Rows(rows) : x;
        using (StepProfile.Of(StepPart.ElementWise))
        {
            RmsNormKernel.Forward(
                Start(x),
                _branch.Start,
                Start(last),
                Weight(_model.FinalNorm),
                Start(hidden),
                Start(_finalScales.Rows(rows)),
                rows,
                _config.HiddenSize,
                _config.RmsNormEps,
                _parallel
            );
        }

        if (keep)
        {
            _pending = (tokens.alias().DetachFromDisposeScope(), ranges, recompute);
        }

        return hidden.MoveToOuterDisposeScope();
    }

    /// <summary>Number of the last forward pass, by which its backward pass is asked for.</summary>
    public long LastPass { get; private set; }

    /// <summary>Residual stream after some layers of a pass that kept its activations, [N, D]; owned by this, to be read before the backward pass.</summary>
    /// <param name="pass">Number of the forward pass.</param>
    /// <param name="layers">From 1 to L − 1.</param>
    public Tensor KeptAfter(long pass, int layers)
    {
        if (pass == LastPass && _pending is not null)
        {
            return _kept[layers].Input.Rows((int)_pending.Value.Tokens.numel());
        }

        throw Gone();
    }

    /// <summary>Adds the gradients of all weights but the output head's to the flat gradient; a tied head's share is the caller's, as an untied one's is.</summary>
    /// <param name="pass">Number of the forward pass.</param>
    /// <param name="hiddenGradient">∂ℒ/∂(final hidden states), [N, D], contiguous.</param>
    /// <param name="innerGradient">What a loss on the residual stream after some layers adds to the gradient there; null for none.</param>
    /// <exception cref="InvalidOperationException">It kept nothing, another pass has followed it, or its backward pass was made already.</exception>
    public void Backward(long pass, Tensor hiddenGradient, (int Layers, Tensor Values)? innerGradient = null)
    {
        if (pass != LastPass || _pending is not (Tensor tokens, var ranges, var recompute))
        {
            throw Gone();
        }

        _pending = null;
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        using Tensor disposed = tokens;
        int rows = (int)(tokens.shape[0] * tokens.shape[1]);
        Tensor dx = _gradient.Rows(rows);
        Tensor branch = _branch.Rows(rows);
        NormBackward(_residual.Rows(rows), _model.FinalNorm, _finalScales, hiddenGradient, dx, overwrite: true);
        for (int i = _kept.Length - 1; i >= 0; i--)
        {
            Kept kept = _kept[recompute ? 0 : i];
            Tensor input = _kept[i].Input.Rows(rows);
            if (recompute)
            {
                Norm(input, addBranch: false, _kept[i].Input, _model.Layer(i).AttentionNorm, kept.AttentionScales);
                RunLayer(i, input, kept, kept.Middle, tokens, ranges, keep: true);
            }

            FeedForwardBackward(_model.Layer(i), kept, dx, branch, rows);
            AttentionBackward(_model.Layer(i), kept, input, dx, branch, tokens, ranges);
            if (i == innerGradient?.Layers)
            {
                dx.add_(innerGradient.Value.Values);
            }
        }

        AddToEmbedding(tokens, dx);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pending?.Tokens.Dispose();
        _pending = null;
        foreach (
            ActivationBuffer buffer in new[]
            {
                _residual,
                _normed,
                _branch,
                _hidden,
                _finalScales,
                _gradient,
                _mixedGradient,
                _qkvGradient,
            }
        )
        {
            buffer.Dispose();
        }

        foreach (Kept kept in _kept)
        {
            kept.Dispose();
        }
    }

    private static InvalidOperationException Gone() =>
        new("The activations of this pass are gone: each is gone back once, before the model's next pass.");

    // From the layer's normalised input on: attention, then the feed-forward layer whose result stays in _branch. Returns the residual stream between the two.
    private Tensor RunLayer(
        int index,
        Tensor input,
        Kept kept,
        ActivationBuffer middle,
        Tensor tokens,
        AttentionRanges? ranges,
        bool keep
    )
    {
        DecoderLayer layer = _model.Layer(index);
        int rows = (int)input.shape[0];
        Tensor qkv = kept.Qkv.Rows(rows);
        Tensor mixed = kept.Mixed.Rows(rows);
        Tensor branch = _branch.Rows(rows);
        Project(_normed.Rows(rows), layer.Qkv, layer.QkvBias, qkv);
        Attend(
            tokens,
            ranges,
            (shape, cosines, sines, first, end) =>
                AttentionKernel.Forward(
                    shape,
                    Start(qkv),
                    cosines,
                    sines,
                    first,
                    end,
                    Start(mixed),
                    keep ? Start(kept.LogSums.Rows(rows)) : null,
                    _parallel
                )
        );
        Project(mixed, layer.Output, layer.OutputBias, branch);
        Norm(input, addBranch: true, middle, layer.FeedForwardNorm, kept.FeedForwardScales);
        Tensor gateUp = kept.GateUp.Rows(rows);
        Tensor hidden = _hidden.Rows(rows);
        Project(_normed.Rows(rows), layer.GateUp, layer.GateUpBias, gateUp);
        SwiGlu(gateUp, hidden);
        Project(hidden, layer.Down, layer.DownBias, branch);
        return middle.Rows(rows);
    }

    // dx is ∂ℒ/∂(the layer's output) and becomes ∂ℒ/∂(the stream between attention and feed-forward layer).
    private void FeedForwardBackward(DecoderLayer layer, Kept kept, Tensor dx, Tensor branch, int rows)
    {
        Tensor gateUp = kept.GateUp.Rows(rows);
        Tensor hidden = _hidden.Rows(rows);
        Tensor middle = kept.Middle.Rows(rows);
        ProjectBack(dx, layer.Down, hidden); // [N, F]
        SwiGluBackward(gateUp, hidden);
        AddWeightGradient(layer.Down, layer.DownBias, dx, hidden);
        Renorm(middle, layer.FeedForwardNorm, kept.FeedForwardScales);
        AddWeightGradient(layer.GateUp, layer.GateUpBias, gateUp, _normed.Rows(rows));
        ProjectBack(gateUp, layer.GateUp, branch); // [N, D]
        NormBackward(middle, layer.FeedForwardNorm, kept.FeedForwardScales, branch, dx);
    }

    // dx goes on to become ∂ℒ/∂(the layer's input).
    private void AttentionBackward(
        DecoderLayer layer,
        Kept kept,
        Tensor input,
        Tensor dx,
        Tensor branch,
        Tensor tokens,
        AttentionRanges? ranges
    )
    {
        int rows = (int)input.shape[0];
        Tensor mixed = kept.Mixed.Rows(rows);
        Tensor dMixed = _mixedGradient.Rows(rows);
        Tensor dQkv = _qkvGradient.Rows(rows);
        ProjectBack(dx, layer.Output, dMixed); // [N, H·A]
        AddWeightGradient(layer.Output, layer.OutputBias, dx, mixed);
        Attend(
            tokens,
            ranges,
            (shape, cosines, sines, first, end) =>
                AttentionKernel.Backward(
                    shape,
                    kept.Qkv.Start,
                    cosines,
                    sines,
                    first,
                    end,
                    Start(mixed),
                    kept.LogSums.Start,
                    Start(dMixed),
                    Start(dQkv),
                    _parallel
                )
        );
        Renorm(input, layer.AttentionNorm, kept.AttentionScales);
        AddWeightGradient(layer.Qkv, layer.QkvBias, dQkv, _normed.Rows(rows));
        ProjectBack(dQkv, layer.Qkv, branch); // [N, D]
        NormBackward(input, layer.AttentionNorm, kept.AttentionScales, branch, dx);
    }

    private Tensor Embed(Tensor tokens, ActivationBuffer to, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        Tensor x = to.Rows(rows);
        Tensor flat = tokens.contiguous();
        int width = _config.HiddenSize;
        var ids = (long*)TensorAddress.Of(flat);
        float* weights = Weight(_model.Embedding);
        float* start = to.Start;
        for (int row = 0; row < rows; row++)
        {
            if ((ulong)ids[row] >= (ulong)_config.VocabSize)
            {
                throw new ArgumentOutOfRangeException(
                    nameof(tokens),
                    ids[row],
                    $"Token ids go from 0 to {_config.VocabSize - 1}."
                );
            }

            new ReadOnlySpan<float>(weights + (ids[row] * width), width).CopyTo(
                new Span<float>(start + ((long)row * width), width)
            );
        }

        return x;
    }

    // Rows in order, shared out by columns: each sum is made by one thread in one order.
    private void AddToEmbedding(Tensor tokens, Tensor dx)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        Tensor flat = tokens.contiguous();
        int width = _config.HiddenSize;
        int rows = (int)dx.shape[0];
        int parts = Math.Min(_parallel.MaxDegreeOfParallelism, width);
        nint ids = TensorAddress.Of(flat);
        nint from = (nint)Start(dx);
        nint to = (nint)Gradient(_model.Embedding);
        ParallelRanges.Run(
            parts,
            _parallel,
            part =>
            {
                int first = (int)((long)width * part / parts);
                int end = (int)((long)width * (part + 1) / parts);
                for (int row = 0; row < rows; row++)
                {
                    float* source = (float*)from + ((long)row * width);
                    float* target = (float*)to + (((long*)ids)[row] * width);
                    for (int i = first; i < end; i++)
                    {
                        target[i] += source[i];
                    }
                }
            }
        );
    }

    private void Norm(Tensor x, bool addBranch, ActivationBuffer sum, int weight, ActivationBuffer scales)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        int rows = (int)x.shape[0];
        RmsNormKernel.Forward(
            Start(x),
            addBranch ? _branch.Start : null,
            Start(sum.Rows(rows)),
            Weight(weight),
            Start(_normed.Rows(rows)),
            Start(scales.Rows(rows)),
            rows,
            _config.HiddenSize,
            _config.RmsNormEps,
            _parallel
        );
    }

    private void Renorm(Tensor x, int weight, ActivationBuffer scales)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        RmsNormKernel.Repeat(
            Start(x),
            Weight(weight),
            _normed.Start,
            scales.Start,
            (int)x.shape[0],
            _config.HiddenSize,
            _parallel
        );
    }

    private void NormBackward(
        Tensor x,
        int weight,
        ActivationBuffer scales,
        Tensor gradient,
        Tensor dx,
        bool overwrite = false
    )
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        RmsNormKernel.Backward(
            Start(x),
            Weight(weight),
            scales.Start,
            Start(gradient),
            Start(dx),
            Gradient(weight),
            overwrite,
            (int)x.shape[0],
            _config.HiddenSize,
            _parallel
        );
    }

    private void SwiGlu(Tensor gateUp, Tensor hidden)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        SwiGluKernel.Forward(Start(gateUp), Start(hidden), (int)hidden.shape[0], _config.IntermediateSize, _parallel);
    }

    private void SwiGluBackward(Tensor gateUp, Tensor hidden)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        SwiGluKernel.Backward(Start(gateUp), Start(hidden), (int)hidden.shape[0], _config.IntermediateSize, _parallel);
    }

    // ∂x = g·w
    private void ProjectBack(Tensor g, int weight, Tensor to)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.LayerProducts);
        MatrixProduct.Into(to, g, _model.Parameters[weight].detach(), 0);
    }

    // y = x·wᵀ + b
    private void Project(Tensor x, int weight, int? bias, Tensor y)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.LayerProducts);
        using Tensor transposed = _model.Parameters[weight].detach().t();
        MatrixProduct.Into(y, x, transposed, 0);
        if (bias is int b)
        {
            y.add_(_model.Parameters[b].detach());
        }
    }

    // ∂w += gᵀ·x, ∂b += Σ g
    private void AddWeightGradient(int weight, int? bias, Tensor g, Tensor x)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.LayerProducts);
        using Tensor gradient = _model.Parameters.Gradient(weight);
        using Tensor transposed = g.t();
        MatrixProduct.Into(gradient, transposed, x, 1);
        if (bias is int b)
        {
            using Tensor biasGradient = _model.Parameters.Gradient(b);
            biasGradient.add_(g.sum(dim: 0L));
        }
    }

    private void Attend(Tensor tokens, AttentionRanges? ranges, Attention attention)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Attention);
        int length = (int)tokens.shape[1];
        AttentionShape shape = _shape with { Batch = (int)tokens.shape[0], Length = length };
        (Tensor cosines, Tensor sines) = _model.RotaryRows(0, length);
        fixed (int* first = ranges?.First)
        fixed (int* end = ranges?.End)
        {
            attention(shape, Start(cosines), Start(sines), first, end);
        }
    }

    private float* Weight(int block) =>
        (float*)TensorAddress.Of(_model.Parameters.FlatWeights) + _model.Parameters.Layout.Blocks[block].Offset;

    private float* Gradient(int block) =>
        (float*)TensorAddress.Of(_model.Parameters.FlatGradients) + _model.Parameters.Layout.Blocks[block].Offset;

    private static float* Start(Tensor tensor) => (float*)TensorAddress.Of(tensor);

    private delegate void Attention(AttentionShape shape, float* cosines, float* sines, int* first, int* end);

    // What one layer keeps for its backward pass.
    private sealed class Kept(TransformerConfig config, int qkvWidth) : IDisposable
    {
        // Residual stream before the layer and between attention and feed-forward layer, [N, D].
        public ActivationBuffer Input { get; } = new(config.HiddenSize);

        public ActivationBuffer Middle { get; } = new(config.HiddenSize);

        // Factors of the two norms, [N, 1].
        public ActivationBuffer AttentionScales { get; } = new(1);

        public ActivationBuffer FeedForwardScales { get; } = new(1);

        // Queries and keys after rotation, and values, [N, (H + 2G)·A].
        public ActivationBuffer Qkv { get; } = new(qkvWidth);

        public ActivationBuffer LogSums { get; } = new(config.NumAttentionHeads);

        public ActivationBuffer Mixed { get; } = new(config.NumAttentionHeads * config.HeadDim);

        // Gate and up before SwiGLU, [N, 2F].
        public ActivationBuffer GateUp { get; } = new(2 * config.IntermediateSize);

        public void Dispose()
        {
            foreach (
                ActivationBuffer buffer in new[]
                {
                    Input,
                    Middle,
                    AttentionScales,
                    FeedForwardScales,
                    Qkv,
                    LogSums,
                    Mixed,
                    GateUp,
                }
            )
            {
                buffer.Dispose();
            }
        }
    }
}
