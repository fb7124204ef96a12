using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>One forward pass of a model that is trained, and the backward pass that belongs to it.</summary>
internal abstract class TrainingPass : IDisposable
{
    /// <summary>Final hidden states, normalised, [N, D]; owned by the pass.</summary>
    public abstract Tensor Hidden { get; }

    /// <summary>Residual stream after the inner layer that was asked for, [N, D]; null where none was. Owned by the pass; only to be read, and before the backward pass.</summary>
    public abstract Tensor? Inner { get; }

    /// <summary>Adds the gradients of all weights but the output head's own share to the model's gradients; once.</summary>
    /// <param name="hiddenGradient">∂ℒ/∂<see cref="Hidden"/>, [N, D], contiguous.</param>
    /// <param name="innerGradient">What a loss on <see cref="Inner"/> adds, ∂ℒ/∂<see cref="Inner"/> without what comes through the layers above, [N, D]; null for none.</param>
    public void Backward(Tensor hiddenGradient, Tensor? innerGradient = null) =>
        Backward(hiddenGradient, innerGradient, layerDone: null);

    /// <summary>As the other.</summary>
    /// <param name="layerDone">Told of each layer whose gradients are whole, from the last to the first, and of −1 for all weights that are in none; null for nobody. Own kernels alone can tell.</param>
    public abstract void Backward(Tensor hiddenGradient, Tensor? innerGradient, Action<int>? layerDone);

    /// <summary>Frees the hidden states and what else the pass kept.</summary>
    public void Dispose()
    {
        Hidden.Dispose();
        Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>What a gradient at a layer that nobody asked for means.</summary>
    private protected static InvalidOperationException NoInner() => new("This pass was not asked for an inner layer.");

    /// <summary>For passes whose gradients are whole only at the end.</summary>
    private protected static void RefuseLayers(Action<int>? layerDone)
    {
        if (layerDone is not null)
        {
            throw new NotSupportedException("Only own kernels tell when a layer's gradients are whole.");
        }
    }

    /// <summary>Frees what a backward pass that was never made has left.</summary>
    protected virtual void Release() { }
}

/// <summary>A pass through libtorch's operations and automatic differentiation.</summary>
internal sealed class AutogradPass : TrainingPass
{
    public AutogradPass(Transformer model, Tensor tokens, LayerRanges ranges, int? innerLayer)
    {
        using DisposeScope scope = NewDisposeScope();
        PlainPass pass = model.Pass(tokens, ranges, cache: null);
        Tensor x = model.RunLayers(model.Embed(tokens), pass, 0, innerLayer ?? 0);
        if (innerLayer is not null)
        {
            Inner = x.DetachFromDisposeScope();
        }

        Hidden = model
            .Finish(model.RunLayers(x, pass, innerLayer ?? 0, model.Config.NumHiddenLayers))
            .DetachFromDisposeScope();
    }

    public override Tensor Hidden { get; }

    public override Tensor? Inner { get; }

    public override void Backward(Tensor hiddenGradient, Tensor? innerGradient, Action<int>? layerDone)
    {
        RefuseLayers(layerDone);
        if (innerGradient is null)
        {
            Hidden.backward([hiddenGradient]);
        }
        else
        {
            autograd.backward([Hidden, Inner ?? throw NoInner()], [hiddenGradient, innerGradient]);
        }
    }

    protected override void Release() => Inner?.Dispose();
}

/// <summary>A pass through own kernels.</summary>
internal sealed class FusedPass(FusedDecoder decoder, Tensor hidden, int? innerLayer) : TrainingPass
{
    private readonly long _pass = decoder.LastPass;

    public override Tensor Hidden => hidden;

    public override Tensor? Inner => innerLayer is int layer ? decoder.KeptAfter(_pass, layer) : null;

    public override void Backward(Tensor hiddenGradient, Tensor? innerGradient, Action<int>? layerDone)
    {
        (int, Tensor)? inner = null;
        if (innerGradient is not null)
        {
            inner = (innerLayer ?? throw NoInner(), innerGradient);
        }

        decoder.Backward(_pass, hiddenGradient, inner, layerDone);
    }
}

/// <summary>A pass through libtorch's operations that keeps each layer's input and runs the layer again, with a graph, in the backward pass.</summary>
internal sealed class RecomputingPass : TrainingPass
{
    private readonly Transformer _model;
    private readonly LayerRanges _ranges;
    private readonly Tensor _tokens;
    private readonly Tensor[] _inputs;

    private readonly int? _innerLayer;
    private readonly Tensor? _upperInner;

    public RecomputingPass(Transformer model, Tensor tokens, LayerRanges ranges, int? innerLayer, int recomputed)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        (_model, _ranges, _innerLayer, _tokens) = (model, ranges, innerLayer, tokens.alias().DetachFromDisposeScope());
        PlainPass pass = model.Pass(tokens, ranges, cache: null);
        _inputs = new Tensor[recomputed + 1];
        _inputs[0] = model.Embed(tokens).DetachFromDisposeScope();
        for (int i = 1; i < _inputs.Length; i++)
        {
            _inputs[i] = model.RunLayer(i - 1, _inputs[i - 1], pass).DetachFromDisposeScope();
        }

        if (recomputed == model.Config.NumHiddenLayers)
        {
            Hidden = model.Finish(_inputs[^1]).MoveToOuterDisposeScope();
            return;
        }

        // The layers above keep their graph, which begins with a leaf.
        using IDisposable graph = enable_grad();
        _inputs[^1].requires_grad_(true);
        Tensor x = model.RunLayers(_inputs[^1], pass, recomputed, Math.Max(recomputed, innerLayer ?? 0));
        if (innerLayer > recomputed)
        {
            _upperInner = x.DetachFromDisposeScope();
        }

        x = model.RunLayers(x, pass, Math.Max(recomputed, innerLayer ?? 0), model.Config.NumHiddenLayers);
        Hidden = model.Finish(x).MoveToOuterDisposeScope();
    }

    public override Tensor Hidden { get; }

    public override Tensor? Inner => _upperInner ?? (_innerLayer is int layer ? _inputs[layer] : null);

    public override void Backward(Tensor hiddenGradient, Tensor? innerGradient, Action<int>? layerDone)
    {
        RefuseLayers(layerDone);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = enable_grad();
        PlainPass pass = _model.Pass(_tokens, _ranges, cache: null);
        Tensor gradient = FromAbove(hiddenGradient, innerGradient);
        for (int i = _inputs.Length - 2; i >= 0; i--)
        {
            int layer = i;
            gradient = Again(layer, x => _model.RunLayer(layer, x, pass), gradient);
            if (innerGradient is not null && layer == _innerLayer)
            {
                gradient = gradient + innerGradient;
            }
        }

        if (_model.Adapters is null)
        {
            _model.Embed(_tokens).backward([gradient]);
        }
    }

    protected override void Release()
    {
        _tokens.Dispose();
        _upperInner?.Dispose();
        Array.ForEach(_inputs, input => input.Dispose());
    }

    // ∂ℒ/∂(the last kept input).
    private Tensor FromAbove(Tensor hiddenGradient, Tensor? innerGradient)
    {
        if (_inputs.Length == _model.Config.NumHiddenLayers + 1)
        {
            return Again(_inputs.Length - 1, _model.Finish, hiddenGradient);
        }

        if (innerGradient is not null && _upperInner is not null)
        {
            autograd.backward([Hidden, _upperInner], [hiddenGradient, innerGradient]);
        }
        else
        {
            Hidden.backward([hiddenGradient]);
        }

        Tensor gradient = _inputs[^1].grad!;
        if (innerGradient is not null && _innerLayer == _inputs.Length - 1)
        {
            gradient = gradient + innerGradient;
        }

        return gradient;
    }

    // Runs one part again from its kept input; its graph is gone when this returns ∂ℒ/∂input.
    private Tensor Again(int index, Func<Tensor, Tensor> part, Tensor gradient)
    {
        using DisposeScope scope = NewDisposeScope();
        using Tensor kept = _inputs[index];
        Tensor input = kept.detach().requires_grad_(true);
        part(input).backward([gradient]);
        return input.grad!.MoveToOuterDisposeScope();
    }
}
