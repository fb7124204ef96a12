// ZeRO stage 1 (arXiv:1910.02054, section 5.1): gradients are summed where they are used, state is kept where it is used, weights are shared afterwards.
using System.Runtime.InteropServices;
using Saltern.Distributed;
using Saltern.Models;
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary><see cref="AdamW"/> whose moments are spread over the ranks: each keeps and updates an R-th of the elements, float32 on the CPU.</summary>
/// <remarks>
/// State: 8 bytes per parameter, divided by R. From the same sums of gradients every weight gets the bits that <see cref="AdamW"/> gives it; only the order in which
/// the ranks' gradients are added may differ. Checkpoints hold the whole state under the names of <see cref="AdamW"/>'s, so either reads the other's, on any number of ranks.
/// </remarks>
internal sealed unsafe class ShardedAdamW : Optimizer
{
    private const string Shard = "shard";
    private readonly ICommunicator _ranks;
    private readonly FlatShards _shards;
    private readonly OptimizerState _state;
    private readonly AdamWKernel _kernel;

    /// <summary>Makes zeroed moments for this rank's elements. All ranks must come here together, with the same model.</summary>
    /// <param name="parameters">Weights of a trainable model.</param>
    /// <param name="config">Validated section of the recipe.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="ranks">Who shares the state; owned by the caller.</param>
    /// <param name="bucketLength">Elements of a bucket of gradients.</param>
    public ShardedAdamW(
        ParameterSet parameters,
        OptimizerConfig config,
        int threads,
        ICommunicator ranks,
        int bucketLength = GradientReduction.BucketLength
    )
        : base(parameters, config, threads)
    {
        _ranks = ranks;
        _shards = new FlatShards(parameters.Layout.Length, ranks, bucketLength);
        long count = Math.Max(1, _shards.OwnedCount);
        _state = new OptimizerState([
            (OptimizerTensor.FirstMoment + Shard, [count]),
            (OptimizerTensor.SecondMoment + Shard, [count]),
        ]);
        _kernel = new AdamWKernel(
            parameters,
            parameters.Layout.Blocks.SelectMany(Mine),
            First,
            Second,
            Workers,
            takesMomentum: true
        );
    }

    /// <summary>What this rank keeps: the two moments of its own elements, [owned].</summary>
    public override IReadOnlyList<OptimizerTensor> State => _state.Tensors;

    /// <inheritdoc/>
    public override IReadOnlyList<StateSlot> Slots =>
        [
            .. Parameters.Layout.Slices.SelectMany(slice =>
                new StateSlot[]
                {
                    Slot(OptimizerTensor.FirstMoment, slice, read => Keep(slice, read, First)),
                    Slot(OptimizerTensor.SecondMoment, slice, read => Keep(slice, read, Second)),
                }
            ),
        ];

    private float* First => _state.AddressOf(OptimizerTensor.FirstMoment + Shard);

    private float* Second => _state.AddressOf(OptimizerTensor.SecondMoment + Shard);

    /// <inheritdoc/>
    public override void SumGradients(ICommunicator ranks) =>
        _shards.SumOwned((float*)TensorAddress.Of(Parameters.FlatGradients));

    /// <inheritdoc/>
    public override double GradientNorm() =>
        Math.Sqrt(
            _ranks.Sum(
                FlatSums.SquareSum(
                    Parameters.FlatGradients,
                    _shards.Owned.Select(run => (run.Start, run.Length)),
                    Workers
                )
            )[0]
        );

    /// <inheritdoc/>
    public override GatheredState? Gather(bool keep)
    {
        if (!keep)
        {
            _shards.Collect(First, null);
            _shards.Collect(Second, null);
            return null;
        }

        long length = Parameters.Layout.Length;
        var whole = new GatheredState(
            2 * length * sizeof(float),
            Parameters.Layout.Slices.SelectMany(slice =>
                new StatePlace[]
                {
                    Place(OptimizerTensor.FirstMoment, slice, slice.Offset),
                    Place(OptimizerTensor.SecondMoment, slice, length + slice.Offset),
                }
            )
        );
        _shards.Collect(First, whole.Start);
        _shards.Collect(Second, whole.Start + length);
        return whole;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _state.Dispose();
        _shards.Dispose();
    }

    private protected override void Apply(UpdateStep step)
    {
        _kernel.Update(step);
        _shards.Share((float*)TensorAddress.Of(Parameters.FlatWeights));
    }

    // What of a block is this rank's. Padding between blocks is in no block, and stays zero.
    private IEnumerable<(OwnedRun Run, AdamWGroup Group)> Mine(ParameterBlock block)
    {
        var group = AdamWGroup.Of(Config, block.Slices[0].Name, block.Decays);
        foreach (OwnedRun run in _shards.Owned)
        {
            long first = Math.Max(run.Start, block.Offset);
            long end = Math.Min(run.Start + run.Length, block.Offset + block.Count);
            if (first < end)
            {
                yield return (new OwnedRun(first, end - first, run.At + (first - run.Start)), group);
            }
        }
    }

    private static StateSlot Slot(string kind, ParameterSlice slice, Action<Action<Span<byte>>> fill) =>
        new(kind + slice.Name, slice.Shape, ScalarType.Float32, fill);

    private static StatePlace Place(string kind, ParameterSlice slice, long first) =>
        new(kind + slice.Name, slice.Shape, ScalarType.Float32, first * sizeof(float));

    private void Keep(ParameterSlice slice, Action<Span<byte>> read, float* moment)
    {
        float[] values = new float[slice.Count];
        read(MemoryMarshal.AsBytes(values.AsSpan()));
        _shards.Keep(values, slice.Offset, moment);
    }
}
