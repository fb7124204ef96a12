using Saltern.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>A running average of a model's weights: x̄ ← x̄ + max(1 − d, 1/n)·(x − x̄) at the n-th update, so that it begins as their mean and owes nothing to a start.</summary>
/// <remarks>Takes as much memory as the weights, where they are. Elementwise, so the same bits for any number of threads.</remarks>
internal sealed class WeightAverage : IDisposable
{
    // Elements that are exchanged at a time: 64 MiB.
    private const long RangeLength = 1 << 24;
    private readonly ParameterSet _weights;
    private readonly double? _decay;

    /// <summary>Makes an average of nothing yet.</summary>
    /// <param name="weights">The model's; owned by it.</param>
    /// <param name="decay">d; null for the plain mean.</param>
    public WeightAverage(ParameterSet weights, double? decay)
    {
        if (weights.IsPacked)
        {
            throw new ConfigurationException(
                "averaging goes with optimizer.weights: float32 only. Remove one of them."
            );
        }

        (_weights, _decay) = (weights, decay);
        Flat = zeros_like(weights.FlatWeights).DetachFromDisposeScope();
    }

    /// <summary>x̄, laid out as the flat weights; owned by this.</summary>
    public Tensor Flat { get; }

    /// <summary>n, updates that came in; a resumed run sets it.</summary>
    public long Count { get; set; }

    /// <summary>Takes the weights as they are in.</summary>
    public void Add()
    {
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Count++;
        double share = Math.Max(1.0 - (_decay ?? 1.0), 1.0 / Count);
        if (share == 1.0)
        {
            Flat.copy_(_weights.FlatWeights);
            return;
        }

        Flat.lerp_(_weights.FlatWeights, share);
    }

    /// <summary>Runs something while the model has the average for weights and this has the weights; then they are as before, to the last bit.</summary>
    public void InPlaceOfWeights(Action work)
    {
        Exchange();
        try
        {
            work();
        }
        finally
        {
            Exchange();
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => Flat.Dispose();

    private void Exchange()
    {
        using IDisposable _ = no_grad();
        for (long start = 0; start < Flat.numel(); start += RangeLength)
        {
            using DisposeScope scope = NewDisposeScope();
            long length = Math.Min(RangeLength, Flat.numel() - start);
            Tensor average = Flat.narrow(0, start, length);
            Tensor weights = _weights.FlatWeights.narrow(0, start, length);
            Tensor kept = weights.clone();
            weights.copy_(average);
            average.copy_(kept);
        }
    }
}
