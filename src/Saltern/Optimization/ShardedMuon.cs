// ZeRO stage 1 for Muon: a matrix is orthogonalised whole, so it goes whole to one rank; what AdamW updates is cut wherever that evens the state out.
using System.Runtime.InteropServices;
using Saltern.Distributed;
using Saltern.Models;
using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary><see cref="Muon"/> whose state and products are spread over the ranks, float32 on the CPU.</summary>
/// <remarks>
/// The matrices are dealt out by the arithmetic of their products, the largest first, each to the rank that has the least; embedding, head, norms and biases fill up the ranks with less state.
/// From the same sums of gradients every weight gets the bits that <see cref="Muon"/> gives it. Checkpoints hold the whole state under the names of <see cref="Muon"/>'s, so either reads the other's.
/// </remarks>
internal sealed unsafe class ShardedMuon : Optimizer
{
    // 64 bytes: a cut never splits a vector.
    private const long AlignmentElements = 16;
    private readonly ICommunicator _ranks;
    private readonly RunShards _weights;
    private readonly RunShards _moments;
    private readonly StatePlace[] _places;
    private readonly long _placesBytes;
    private readonly OptimizerState _state;
    private readonly MuonKernel _matrices;
    private readonly AdamWKernel _rest;

    /// <summary>Makes zeroed state for this rank's weights. All ranks must come here together, with the same model.</summary>
    /// <param name="ranks">Who shares the state; owned by the caller.</param>
    /// <param name="productType">Type of Polar Express's products.</param>
    /// <param name="bucketLength">Most elements that ranks exchange at a time.</param>
    public ShardedMuon(
        ParameterSet parameters,
        OptimizerConfig config,
        int threads,
        ICommunicator ranks,
        ScalarType productType = ScalarType.Float32,
        int bucketLength = GradientReduction.BucketLength
    )
        : base(parameters, config, threads)
    {
        _ranks = ranks;
        var rule = MuonRule.Of(config, productType);
        (_places, _placesBytes) = StatePlace.Lay(
            parameters
                .Layout.Slices.SelectMany(slice => Muon.StateOf(rule, slice))
                .Select(tensor => (tensor.Name, tensor.Shape, ScalarType.Float32))
        );
        Share[][] shares =
        [
            .. WeightShares
                .Deal(
                    parameters.Layout,
                    MuonRule.IsHiddenMatrix,
                    matrix =>
                        rule.StateOf(matrix)
                            .Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size)),
                    ranks.Size,
                    AlignmentElements
                )
                .Select(own => own.Select(share => new Share(share.Slice, share.Start, share.Length)).ToArray()),
        ];
        _weights = new RunShards(
            [.. shares.Select(own => own.Select(share => (share.Start, share.Length)).ToArray())],
            ranks,
            bucketLength
        );
        Dictionary<string, long> offsets = _places.ToDictionary(
            place => place.Name,
            place => place.Offset / sizeof(float)
        );
        _moments = new RunShards(
            [
                .. shares.Select(own =>
                    own.SelectMany(share => share.State(rule))
                        .Select(part => (offsets[part.Name] + part.Start, part.Length))
                        .ToArray()
                ),
            ],
            ranks,
            bucketLength
        );
        Share[] mine = shares[ranks.Rank];
        _state = new OptimizerState(
            mine.SelectMany(share => share.State(rule))
                .Select(part => (part.Name, new[] { part.Length }))
                .DefaultIfEmpty(("nothing", [1]))
        );
        _matrices = new MuonKernel(
            parameters,
            rule,
            mine.Where(share => share.IsMatrix).Select(share => share.Slice),
            _state,
            Workers
        );
        Dictionary<string, AdamWGroup> groups = Groups.ToDictionary(
            weight => weight.Slice.Name,
            weight => weight.Group
        );
        _rest = new AdamWKernel(
            parameters,
            mine.Where(share => !share.IsMatrix)
                .Select(share =>
                    (new ParameterSlice(share.Slice.Name, [share.Length], share.Start), groups[share.Slice.Name])
                ),
            _state,
            Workers,
            takesMomentum: false
        );
    }

    /// <summary>What this rank keeps, each tensor flat; of what AdamW updates perhaps only a part.</summary>
    public override IReadOnlyList<OptimizerTensor> State => _state.Tensors;

    /// <inheritdoc/>
    public override IReadOnlyList<StateSlot> Slots =>
        [
            .. _places.Select(place => new StateSlot(
                place.Name,
                place.Shape,
                place.Type,
                read => Keep(place.Shape, place.Offset / sizeof(float), read)
            )),
        ];

    /// <inheritdoc/>
    public override void SumGradients(ICommunicator ranks) =>
        _weights.SumOwned((float*)TensorAddress.Of(Parameters.FlatGradients));

    /// <inheritdoc/>
    public override double GradientNorm() =>
        Math.Sqrt(
            _ranks.Sum(
                FlatSums.SquareSum(
                    Parameters.FlatGradients,
                    _weights.Owned.Select(run => (run.Start, run.Length)),
                    Workers
                )
            )[0]
        );

    /// <inheritdoc/>
    public override GatheredState? Gather(bool keep)
    {
        using var packed = new MappedMemory(Math.Max(1, _moments.OwnedCount));
        foreach ((OwnedRun run, float[] values) in Owned())
        {
            values.CopyTo(new Span<float>(packed.Start + run.At, values.Length));
        }

        if (!keep)
        {
            _moments.Collect(packed.Start, null);
            return null;
        }

        var whole = new GatheredState(_placesBytes, _places);
        _moments.Collect(packed.Start, whole.Start);
        return whole;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _state.Dispose();
        _weights.Dispose();
        _moments.Dispose();
    }

    private protected override void Apply(UpdateStep step)
    {
        _matrices.Update(step);
        _rest.Update(step);
        _weights.Share((float*)TensorAddress.Of(Parameters.FlatWeights));
    }

    private IEnumerable<(OwnedRun Run, float[] Values)> Owned() =>
        _moments.Owned.Zip(_state.Tensors, (run, tensor) => (run, tensor.Values.data<float>().ToArray()));

    // This rank's part of a whole tensor that a checkpoint has.
    private void Keep(long[] shape, long offset, Action<Span<byte>> read)
    {
        float[] values = new float[shape.Aggregate(1L, (product, size) => product * size)];
        read(MemoryMarshal.AsBytes(values.AsSpan()));
        foreach ((OwnedRun run, OptimizerTensor tensor) in _moments.Owned.Zip(_state.Tensors))
        {
            long first = Math.Max(run.Start, offset);
            long end = Math.Min(run.Start + run.Length, offset + values.Length);
            if (first < end)
            {
                values
                    .AsSpan((int)(first - offset), (int)(end - first))
                    .CopyTo(
                        new Span<float>(
                            (float*)TensorAddress.Of(tensor.Values) + (first - run.Start),
                            (int)(end - first)
                        )
                    );
            }
        }
    }

    // Some of a weight: all of a matrix of Muon's, a run of elements of another.
    private sealed record Share(ParameterSlice Slice, long Start, long Length)
    {
        public bool IsMatrix => MuonRule.IsHiddenMatrix(Slice);

        // Tensor of the whole state, first element in it and number of elements.
        public IEnumerable<(string Name, long Start, long Length)> State(MuonRule rule)
        {
            if (IsMatrix)
            {
                return rule.StateOf(Slice)
                    .Select(tensor => (tensor.Name, 0L, tensor.Shape.Aggregate(1L, (product, size) => product * size)));
            }

            return AdamWKernel.StateOf(Slice).Select(tensor => (tensor.Name, Start - Slice.Offset, Length));
        }
    }
}
