using static TorchSharp.torch;

namespace Saltern.Benchmarks;

/// <summary>One way to make a training step.</summary>
internal interface IStepVariant : IDisposable
{
    /// <summary>Forward, loss, backward and update.</summary>
    /// <param name="tokens">[B, T].</param>
    /// <param name="labels">[B·T].</param>
    /// <param name="distils">Whether the teacher takes part.</param>
    /// <returns>Mean loss, nats.</returns>
    double Step(Tensor tokens, long[] labels, bool distils);
}
