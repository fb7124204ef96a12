using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>One forward pass of a model that is trained, and the backward pass that belongs to it.</summary>
public abstract class TrainingPass : IDisposable
{
    /// <summary>Final hidden states, normalised, [N, D]; owned by the pass.</summary>
    public abstract Tensor Hidden { get; }

    /// <summary>Adds the gradients of all weights but the output head's own share to the model's gradients; once.</summary>
    /// <param name="hiddenGradient">∂L/∂<see cref="Hidden"/>, [N, D], contiguous.</param>
    public abstract void Backward(Tensor hiddenGradient);

    /// <summary>Frees the hidden states.</summary>
    public void Dispose()
    {
        Hidden.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>A pass through libtorch's operations and automatic differentiation.</summary>
internal sealed class AutogradPass(Tensor hidden) : TrainingPass
{
    public override Tensor Hidden => hidden;

    public override void Backward(Tensor hiddenGradient) => hidden.backward([hiddenGradient]);
}

/// <summary>A pass through own kernels.</summary>
internal sealed class FusedPass(FusedDecoder decoder, Tensor hidden) : TrainingPass
{
    public override Tensor Hidden => hidden;

    public override void Backward(Tensor hiddenGradient) => decoder.Backward(hiddenGradient);
}
