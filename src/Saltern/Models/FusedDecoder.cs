// The decoder's passes on the CPU with own kernels between the products: forward for evaluation and teachers, forward and backward for training.
// What it computes is Transformer.cs; how is here. Gradients of weights are added straight into the flat gradient, activations live in reused buffers, and what is cheap
// (norms, SwiGLU, attention shares) is made again in the backward pass instead of being kept.
//
// What products read, and what they add to the residual stream, is float32 or bfloat16 (PassArithmetic.cs). Weights and their gradients, the stream and its gradient, norms,
// softmax and every sum are float32 in both. The stream between attention and feed-forward layer is not kept: it is the layer's input and the branch, added again.
//
// N = tokens of the pass, D = hidden size, H = query heads, G = key/value heads, A = head size, F = feed-forward size.
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Forward and backward passes of a <see cref="Transformer"/> without automatic differentiation; on the CPU.</summary>
/// <remarks>The plain twin is the transformer's own path through libtorch's operations. One pass at a time: a backward pass belongs to the last forward pass that kept its activations.</remarks>
internal sealed unsafe class FusedDecoder : IDisposable
{
    private readonly Transformer _model;
    private readonly TransformerConfig _config;
    private readonly AttentionShape _shape;
    private readonly PassArithmetic _arithmetic;
    private readonly Kept[] _kept;
    private readonly ActivationBuffer _residual;
    private readonly ActivationBuffer _normed;
    private readonly ActivationBuffer _branch;
    private readonly ActivationBuffer _hidden;
    private readonly ActivationBuffer _finalScales;
    private readonly ActivationBuffer _gradient;
    private readonly ActivationBuffer _branchGradient;
    private readonly ActivationBuffer _mixedGradient;
    private readonly ActivationBuffer _qkvGradient;
    private (Tensor Tokens, LayerRanges Ranges, int Recomputed)? _pending;

    /// <summary>Plans the buffers; none is mapped before the first pass.</summary>
    /// <param name="model">Float32 weights on the CPU; owned by the caller, who disposes of this first. Its type of products is that of the passes.</param>
    public FusedDecoder(Transformer model)
    {
        (_model, _config) = (model, model.Config);
        _arithmetic =
            model.ProductType == ScalarType.BFloat16 ? new BFloat16Arithmetic(model) : new Float32Arithmetic(model);
        ScalarType type = _arithmetic.Type;
        int width = _config.HiddenSize;
        int heads = _config.NumAttentionHeads * _config.HeadDim;
        _shape = new AttentionShape(
            0,
            0,
            _config.NumAttentionHeads,
            _config.NumKeyValueHeads,
            _config.HeadDim,
            _config.RotaryDim
        )
        {
            Form = FormOf(_config),
        };
        _kept =
        [
            .. Enumerable.Range(0, _config.NumHiddenLayers).Select(_ => new Kept(_config, _shape.RowStride, type)),
        ];
        (_residual, _normed, _branch, _gradient) = (new(width), new(width, type), new(width, type), new(width));
        _branchGradient = new(width);
        (_hidden, _finalScales) = (new(_config.IntermediateSize, type), new(ScalesOf(_config)));
        (_mixedGradient, _qkvGradient) = (new(heads, type), new(_shape.RowStride, type));
    }

    /// <summary>Final hidden states, normalised.</summary>
    /// <param name="tokens">Ids, [B, T], int64.</param>
    /// <param name="ranges">Keys each query sees; null for causal attention.</param>
    /// <param name="recomputed">First layers of which only the input is kept, and the rest made again in the backward pass.</param>
    /// <param name="layers">Layers to run, without the last norm where there are more; null for all.</param>
    /// <returns>[N, D]; the caller owns it.</returns>
    public Tensor Forward(Tensor tokens, LayerRanges ranges, bool keep, int recomputed, int? layers = null)
    {
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();

        // Every pass writes over what the one before has kept, whose backward pass is no longer possible.
        _pending?.Tokens.Dispose();
        _pending = null;
        LastPass++;
        int rows = (int)(tokens.shape[0] * tokens.shape[1]);
        _arithmetic.Parallel = new ParallelOptions { MaxDegreeOfParallelism = get_num_threads() };
        ActivationBuffer x = keep ? _kept[0].Input : _residual;
        Embed(tokens, x, rows);
        ActivationBuffer? branch = null;
        for (int i = 0; i < (layers ?? _kept.Length); i++)
        {
            // A pass that keeps nothing uses the first layer's buffers for all layers, and adds to the residual stream in place.
            Kept kept = _kept[keep && i >= recomputed ? i : 0];
            ActivationBuffer input = keep ? _kept[i].Input : _residual;
            DecoderLayer layer = _model.Layer(i);
            ActivationBuffer read = Read(
                new StreamSum(x, branch, input),
                layer.AttentionNorm,
                kept.AttentionScales,
                rows
            );
            RunLayer(layer, input, read, kept, new PassInputs(tokens, ranges, rows, keep));
            (x, branch) = (_residual, _branch);
        }

        if (layers < _kept.Length)
        {
            // The residual stream between two layers, with the branch that the next norm would have added.
            return _arithmetic.Sum(x, _branch, rows).MoveToOuterDisposeScope();
        }

        Tensor hidden = empty(rows, _config.HiddenSize);
        using (StepProfile.Of(StepPart.ElementWise))
        {
            var to = (float*)TensorAddress.Of(hidden);
            _arithmetic.LastNorm(new StreamSum(x, _branch, _residual), _model.FinalNorm, to, _finalScales, rows);
            if (_config.LogitsScaling != 1)
            {
                _arithmetic.Multiply((Float32*)to, (float)(1 / _config.LogitsScaling), rows);
            }
        }

        if (keep)
        {
            _pending = (tokens.alias().DetachFromDisposeScope(), ranges, recomputed);
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
    /// <param name="layerDone">Told of each layer whose gradients are whole, and at the end of −1 for all weights that are in none; null for nobody. It may change weights of that layer: they are not read again.</param>
    public void Backward(
        long pass,
        Tensor hiddenGradient,
        (int Layers, Tensor Values)? innerGradient = null,
        Action<int>? layerDone = null
    )
    {
        if (pass != LastPass || _pending is not (Tensor tokens, var ranges, var recomputed))
        {
            throw Gone();
        }

        _pending = null;
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        using Tensor disposed = tokens;
        int rows = (int)(tokens.shape[0] * tokens.shape[1]);
        var inputs = new PassInputs(tokens, ranges, rows, Keep: true);
        using (StepProfile.Of(StepPart.ElementWise))
        {
            if (_config.LogitsScaling != 1)
            {
                hiddenGradient = hiddenGradient * (1 / _config.LogitsScaling);
            }

            var gradient = (float*)TensorAddress.Of(hiddenGradient);
            _arithmetic.LastNormBackward(_residual, _model.FinalNorm, _finalScales, gradient, _gradient, rows);
        }

        for (int i = _kept.Length - 1; i >= 0; i--)
        {
            Kept kept = _kept[i < recomputed ? 0 : i];
            DecoderLayer layer = _model.Layer(i);
            ActivationBuffer input = _kept[i].Input;
            if (i < recomputed)
            {
                var stream = new StreamSum(input, null, input);
                ActivationBuffer read = Read(stream, layer.AttentionNorm, kept.AttentionScales, rows);
                RunLayer(layer, input, read, kept, inputs);
            }

            LayerBackward(layer, kept, input, inputs);
            if (i == innerGradient?.Layers)
            {
                _gradient.Rows(rows).add_(innerGradient.Value.Values);
            }

            layerDone?.Invoke(i);
        }

        if (_model.Adapters is null)
        {
            AddToEmbedding(tokens, rows);
        }

        layerDone?.Invoke(-1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pending?.Tokens.Dispose();
        _pending = null;
        _arithmetic.Dispose();
        foreach (
            ActivationBuffer buffer in new[]
            {
                _residual,
                _normed,
                _branch,
                _hidden,
                _finalScales,
                _gradient,
                _branchGradient,
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

    // From what the layer reads on: attention, then the feed-forward layer whose result stays in _branch; the residual stream after attention goes to _residual.
    private void RunLayer(
        DecoderLayer layer,
        ActivationBuffer input,
        ActivationBuffer read,
        Kept kept,
        PassInputs inputs
    )
    {
        int rows = inputs.Rows;
        Project(read, layer.Qkv, layer.QkvBias, kept.Qkv, rows);
        HeadNorm(layer, kept, inputs.Keep, rows);
        Attend(layer, inputs, kept);
        ActivationBuffer raw = layer.AfterAttention is null ? kept.Branch : kept.RawAttention;
        Project(kept.Mixed, layer.Output, layer.OutputBias, raw, rows);
        EndBranch(raw, layer.AfterAttention, kept.Branch, kept.AfterAttentionScales, rows);
        if (_config.UseParallelResidual)
        {
            // Both branches read the layer's input; that it may be where the sum goes is why the sum comes last.
            if (!HasSharedNorm(layer))
            {
                var stream = new StreamSum(input, null, input);
                read = Read(stream, layer.FeedForwardNorm, kept.FeedForwardScales, rows);
            }

            Add(input, kept.Branch, _residual, rows);
        }
        else
        {
            var stream = new StreamSum(input, kept.Branch, _residual);
            read = Read(stream, layer.FeedForwardNorm, kept.FeedForwardScales, rows);
        }

        Project(read, layer.GateUp, layer.GateUpBias, kept.Inner, rows);
        using (StepProfile.Of(StepPart.ElementWise))
        {
            _arithmetic.Activate(kept.Inner, _hidden, rows);
        }

        raw = layer.AfterFeedForward is null ? _branch : kept.RawFeedForward;
        Project(_hidden, layer.Down, layer.DownBias, raw, rows);
        EndBranch(raw, layer.AfterFeedForward, _branch, kept.AfterFeedForwardScales, rows);
    }

    // _gradient is ∂ℒ/∂(the layer's output) and becomes ∂ℒ/∂(its input).
    private void LayerBackward(DecoderLayer layer, Kept kept, ActivationBuffer input, PassInputs inputs)
    {
        int rows = inputs.Rows;
        if (_config.UseParallelResidual)
        {
            // Attention's branch has the gradient of the output too, before the other's part comes to it.
            ActivationBuffer dx = BranchGradient(null, kept.RawAttention, kept.AfterAttentionScales, rows);
            OutputBackward(layer, kept, dx, rows);
            FeedForwardBackward(layer, kept, dx, input, branch: null, rows);
        }
        else
        {
            ActivationBuffer dx = BranchGradient(
                layer.AfterFeedForward,
                kept.RawFeedForward,
                kept.AfterFeedForwardScales,
                rows
            );
            FeedForwardBackward(layer, kept, dx, input, kept.Branch, rows);
            dx = BranchGradient(layer.AfterAttention, kept.RawAttention, kept.AfterAttentionScales, rows);
            OutputBackward(layer, kept, dx, rows);
        }

        AttendBackward(layer, inputs, kept);
        HeadNormBackward(layer, kept, rows);
        ActivationBuffer read = ReadAgain(input, null, layer.AttentionNorm, kept.AttentionScales, rows);
        AddWeightGradient(layer.Qkv, layer.QkvBias, _qkvGradient, read, rows);
        ProjectBack(_qkvGradient, layer.Qkv, _branch, rows); // [N, D]
        ReadBackward(input, layer.AttentionNorm, kept.AttentionScales, rows);
    }

    // What attention has mixed, [N, H·A], and its projection's weights.
    private void OutputBackward(DecoderLayer layer, Kept kept, ActivationBuffer dx, int rows)
    {
        ProjectBack(dx, layer.Output, _mixedGradient, rows);
        AddWeightGradient(layer.Output, layer.OutputBias, dx, kept.Mixed, rows);
    }

    // Adds to _gradient what comes back from the layer's input, or the stream after attention's branch.
    private void FeedForwardBackward(
        DecoderLayer layer,
        Kept kept,
        ActivationBuffer dx,
        ActivationBuffer input,
        ActivationBuffer? branch,
        int rows
    )
    {
        ProjectBack(dx, layer.Down, _hidden, rows); // [N, F]
        using (StepProfile.Of(StepPart.ElementWise))
        {
            _arithmetic.ActivateBackward(kept.Inner, _hidden, rows);
        }

        AddWeightGradient(layer.Down, layer.DownBias, dx, _hidden, rows);
        ActivationBuffer scales = HasSharedNorm(layer) ? kept.AttentionScales : kept.FeedForwardScales;
        ActivationBuffer read = ReadAgain(input, branch, layer.FeedForwardNorm, scales, rows);
        AddWeightGradient(layer.GateUp, layer.GateUpBias, kept.Inner, read, rows);
        ProjectBack(kept.Inner, layer.GateUp, _branch, rows); // [N, D]
        ReadBackward(branch is null ? input : _residual, layer.FeedForwardNorm, scales, rows);
    }

    // Whether the feed-forward layer reads what attention does.
    private static bool HasSharedNorm(DecoderLayer layer) =>
        layer.FeedForwardNorm is not null && layer.FeedForwardNorm == layer.AttentionNorm;

    // What a branch reads, as an operand: the norm of the stream, or the stream itself. The sum is there afterwards in either case.
    private ActivationBuffer Read(StreamSum stream, NormBlocks? norm, ActivationBuffer scales, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        if (norm is NormBlocks blocks)
        {
            _arithmetic.Norm(stream, blocks, _normed, scales, rows);
            return _normed;
        }

        return Sum(stream, rows);
    }

    // The same from the factors that the norm found.
    private ActivationBuffer ReadAgain(
        ActivationBuffer x,
        ActivationBuffer? branch,
        NormBlocks? norm,
        ActivationBuffer scales,
        int rows
    )
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        var stream = new StreamSum(x, branch, _residual);
        if (norm is NormBlocks blocks)
        {
            _arithmetic.Renorm(stream, blocks, _normed, scales, rows);
            return _normed;
        }

        return Sum(stream, rows);
    }

    private ActivationBuffer Sum(StreamSum stream, int rows)
    {
        if (stream.Branch is null)
        {
            return _arithmetic.AsOperand(stream.X, rows);
        }

        _arithmetic.Add(stream.X, stream.Branch, stream.Sum, rows);
        return _arithmetic.AsOperand(stream.Sum, rows);
    }

    // _branch is ∂ℒ/∂(what was read); the stream's share of it is added to _gradient.
    private void ReadBackward(ActivationBuffer x, NormBlocks? norm, ActivationBuffer scales, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        if (norm is NormBlocks blocks)
        {
            _arithmetic.NormBackward(x, blocks, scales, _branch, _gradient, rows);
        }
        else
        {
            _arithmetic.Add(_gradient, _branch, _gradient, rows);
        }
    }

    // From what a branch's projection gives to what is added to the stream: its norm and its factor, where there are any.
    private void EndBranch(
        ActivationBuffer raw,
        NormBlocks? norm,
        ActivationBuffer to,
        ActivationBuffer scales,
        int rows
    )
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        if (norm is NormBlocks blocks)
        {
            _arithmetic.Norm(new StreamSum(raw, null, raw), blocks, to, scales, rows);
        }

        if (_config.ResidualMultiplier != 1)
        {
            _arithmetic.Multiply(to, (float)_config.ResidualMultiplier, rows);
        }
    }

    // ∂ℒ/∂(what the branch's projection gave) from _gradient, as an operand.
    private ActivationBuffer BranchGradient(NormBlocks? norm, ActivationBuffer raw, ActivationBuffer scales, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        ActivationBuffer gradient = _gradient;
        if (_config.ResidualMultiplier != 1)
        {
            _branchGradient.Reserve(rows);
            _arithmetic.Multiply(_gradient, _branchGradient, (float)_config.ResidualMultiplier, rows);
            gradient = _branchGradient;
        }

        if (norm is NormBlocks blocks)
        {
            // The first and only gradient of what the projection gave.
            _arithmetic.LastNormBackward(raw, blocks, scales, gradient.Start, _branchGradient, rows);
            gradient = _branchGradient;
        }

        return _arithmetic.AsOperand(gradient, rows);
    }

    private void Embed(Tensor tokens, ActivationBuffer to, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        to.Reserve(rows);
        Tensor flat = tokens.contiguous();
        int width = _config.HiddenSize;
        var ids = (long*)TensorAddress.Of(flat);
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

            ReadRow(_model.Embedding, ids[row], start + ((long)row * width));
        }

        if (_config.EmbeddingScale != 1)
        {
            _arithmetic.Multiply(to, to, (float)_config.EmbeddingScale, rows);
        }

        if (_model.Positions is int positions)
        {
            AddPositions((int)tokens.shape[1], positions, start, rows);
        }
    }

    // A row of a block of width D, as float32.
    private void ReadRow(int block, long row, float* to)
    {
        ParameterSet parameters = _model.Parameters;
        int width = _config.HiddenSize;
        if (parameters.IsPacked)
        {
            parameters.Load(parameters.Layout.Blocks[block].Offset + (row * width), width, to);
            return;
        }

        float* from = parameters.Address(block) + (row * width);
        new ReadOnlySpan<float>(from, width).CopyTo(new Span<float>(to, width));
    }

    // x_t += the learned vector of position t.
    private void AddPositions(int length, int positions, float* x, int rows)
    {
        if (length > _config.MaxPositionEmbeddings)
        {
            throw new ArgumentException(
                $"The model has learned {_config.MaxPositionEmbeddings} positions; {length} do not fit.",
                nameof(length)
            );
        }

        int width = _config.HiddenSize;
        float[] position = new float[width];
        fixed (float* from = position)
        {
            for (int row = 0; row < rows; row++)
            {
                ReadRow(positions, _config.PositionOffset + (row % length), from);
                RmsNormKernel.AddRow(x + ((long)row * width), (Float32*)from, x + ((long)row * width), width);
            }
        }
    }

    // Rows in order, shared out by columns: each sum is made by one thread in one order.
    private void AddToEmbedding(Tensor tokens, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        if (_config.EmbeddingScale != 1)
        {
            _arithmetic.Multiply(_gradient, _gradient, (float)_config.EmbeddingScale, rows);
        }

        Tensor flat = tokens.contiguous();
        int width = _config.HiddenSize;
        int parts = Math.Min(_arithmetic.Parallel.MaxDegreeOfParallelism, width);
        nint ids = TensorAddress.Of(flat);
        nint from = (nint)_gradient.Start;
        nint to = (nint)_model.Parameters.GradientAddress(_model.Embedding);
        int length = (int)tokens.shape[1];
        nint positions = 0;
        if (_model.Positions is int block)
        {
            positions = (nint)(_model.Parameters.GradientAddress(block) + ((long)_config.PositionOffset * width));
        }

        ParallelRanges.Run(
            parts,
            _arithmetic.Parallel,
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

                    if (positions != 0)
                    {
                        float* position = (float*)positions + ((long)(row % length) * width);
                        for (int i = first; i < end; i++)
                        {
                            position[i] += source[i];
                        }
                    }
                }
            }
        );
    }

    private void Add(ActivationBuffer x, ActivationBuffer branch, ActivationBuffer sum, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
        _arithmetic.Add(x, branch, sum, rows);
    }

    private void HeadNorm(DecoderLayer layer, Kept kept, bool keep, int rows)
    {
        if (_config.QkNorm)
        {
            using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
            _arithmetic.HeadNorm(layer, kept.Qkv, keep ? kept.RawHeads : null, keep ? kept.HeadScales : null, rows);
        }
    }

    private void HeadNormBackward(DecoderLayer layer, Kept kept, int rows)
    {
        if (_config.QkNorm)
        {
            using StepProfile.Mark mark = StepProfile.Of(StepPart.ElementWise);
            _arithmetic.HeadNormBackward(layer, _qkvGradient, kept.RawHeads, kept.HeadScales, rows);
        }
    }

    // ∂x = g·w
    private void ProjectBack(ActivationBuffer g, int weight, ActivationBuffer to, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.LayerProducts);
        _arithmetic.ProjectBack(g, weight, to, rows);
        _model.Adapters?.AddBack(to, g, weight, rows);
    }

    // y = x·wᵀ + b
    private void Project(ActivationBuffer x, int weight, int? bias, ActivationBuffer y, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.LayerProducts);
        _arithmetic.Project(x, weight, bias, y, rows);
        _model.Adapters?.AddTo(y, x, weight, rows);
    }

    // ∂w += gᵀ·x, ∂b += Σ g; of a frozen weight, those of its adapter.
    private void AddWeightGradient(int weight, int? bias, ActivationBuffer g, ActivationBuffer x, int rows)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.LayerProducts);
        if (_model.Adapters is LowRankAdapters adapters)
        {
            adapters.AddGradients(weight, g, x, rows);
            return;
        }

        _arithmetic.AddWeightGradient(weight, bias, g, x, rows);
    }

    private void Attend(DecoderLayer layer, PassInputs inputs, Kept kept)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Attention);
        AttentionRanges? ranges = inputs.Ranges.Of(_config.WindowOf(layer.Index));
        fixed (int* first = ranges?.First)
        fixed (int* end = ranges?.End)
        {
            kept.Mixed.Reserve(inputs.Rows);
            kept.LogSums.Reserve(inputs.Keep ? inputs.Rows : 1);
            AttentionInputs attention = AttentionOf(layer, inputs, first, end);
            _arithmetic.Attend(attention, kept.Qkv, kept.Mixed, inputs.Keep ? kept.LogSums : null);
        }
    }

    private void AttendBackward(DecoderLayer layer, PassInputs inputs, Kept kept)
    {
        using StepProfile.Mark mark = StepProfile.Of(StepPart.Attention);
        AttentionRanges? ranges = inputs.Ranges.Of(_config.WindowOf(layer.Index));
        fixed (int* first = ranges?.First)
        fixed (int* end = ranges?.End)
        {
            _qkvGradient.Reserve(inputs.Rows);
            AttentionInputs attention = AttentionOf(layer, inputs, first, end);
            _arithmetic.AttendBackward(attention, kept.Qkv, kept.Mixed, kept.LogSums, _mixedGradient, _qkvGradient);
        }
    }

    private AttentionInputs AttentionOf(DecoderLayer layer, PassInputs inputs, int* first, int* end)
    {
        int length = (int)inputs.Tokens.shape[1];
        AttentionShape shape = _shape with { Batch = (int)inputs.Tokens.shape[0], Length = length };
        if (_model.RotaryRows(layer.Index, 0, length) is not (Tensor cosines, Tensor sines))
        {
            return new AttentionInputs(shape with { Turned = 0 }, 0, 0, (nint)first, (nint)end);
        }

        return new AttentionInputs(shape, TensorAddress.Of(cosines), TensorAddress.Of(sines), (nint)first, (nint)end);
    }

    // Factor and cap of the scores, where they are not 1/√A alone.
    private static ScoreForm? FormOf(TransformerConfig config)
    {
        if (config.AttentionMultiplier is null && config.AttnLogitSoftcapping is null)
        {
            return null;
        }

        return new ScoreForm((float)config.ScoreScale, (float)(config.AttnLogitSoftcapping ?? 0));
    }

    // What all layers of one pass share.
    private sealed record PassInputs(Tensor Tokens, LayerRanges Ranges, int Rows, bool Keep);

    // Numbers that a norm keeps of each row.
    private static int ScalesOf(TransformerConfig config) => config.LayerNormEps is null ? 1 : 2;

    // What one layer keeps for its backward pass.
    private sealed class Kept(TransformerConfig config, int qkvWidth, ScalarType type) : IDisposable
    {
        // Residual stream before the layer, [N, D].
        public ActivationBuffer Input { get; } = new(config.HiddenSize);

        // What attention adds to it.
        public ActivationBuffer Branch { get; } = new(config.HiddenSize, type);

        // Factors of the two norms, [N, 1], or mean and factor, [N, 2].
        public ActivationBuffer AttentionScales { get; } = new(ScalesOf(config));

        public ActivationBuffer FeedForwardScales { get; } = new(ScalesOf(config));

        // What the branches give before the norms after them, [N, D], and the norms' factors; empty where there are none.
        public ActivationBuffer RawAttention { get; } = new(config.HiddenSize);

        public ActivationBuffer RawFeedForward { get; } = new(config.HiddenSize);

        public ActivationBuffer AfterAttentionScales { get; } = new(ScalesOf(config));

        public ActivationBuffer AfterFeedForwardScales { get; } = new(ScalesOf(config));

        // Queries and keys before their heads' norms, and the norms' factors; empty where there are none.
        public ActivationBuffer RawHeads { get; } =
            new((config.NumAttentionHeads + config.NumKeyValueHeads) * config.HeadDim, type);

        public ActivationBuffer HeadScales { get; } = new(config.NumAttentionHeads + config.NumKeyValueHeads);

        // Queries, keys and values, [N, (H + 2G)·A]: queries and keys after rotation in float32, before it in bfloat16.
        public ActivationBuffer Qkv { get; } = new(qkvWidth, type);

        public ActivationBuffer LogSums { get; } = new(config.NumAttentionHeads);

        public ActivationBuffer Mixed { get; } = new(config.NumAttentionHeads * config.HeadDim, type);

        // Gate and up before the activation, [N, 2F]; [N, F] where there is no gate.
        public ActivationBuffer Inner { get; } = new((config.IsGated ? 2 : 1) * config.IntermediateSize, type);

        public void Dispose()
        {
            foreach (
                ActivationBuffer buffer in new[]
                {
                    Input,
                    Branch,
                    AttentionScales,
                    FeedForwardScales,
                    RawAttention,
                    RawFeedForward,
                    AfterAttentionScales,
                    AfterFeedForwardScales,
                    Qkv,
                    LogSums,
                    Mixed,
                    Inner,
                    RawHeads,
                    HeadScales,
                }
            )
            {
                buffer.Dispose();
            }
        }
    }
}
