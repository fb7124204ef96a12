// AdamW and Muon with state in fewer bytes, alone or shared out: a few thousand elements at a time become float32, go through the float32 kernels, and are rounded again.
using Saltern.Distributed;
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary><see cref="AdamW"/> or <see cref="Muon"/> whose state between updates is bfloat16 or a byte a number (<c>optimizer.state</c>), or whose weights are packed (<c>optimizer.weights</c>), on the CPU.</summary>
/// <remarks>
/// Arithmetic is that of the float32 kernels on the numbers that the state stands for; what is new is rounded once, afterwards, with random numbers by element and update (<see cref="RoundingKey"/>).
/// With <c>shard_state</c> each rank keeps and updates a part, cut at windows of the flat buffer: from the same sums of gradients the bits are those of one process, and checkpoints have nothing of the number of ranks.
/// </remarks>
internal sealed unsafe class CompactOptimizer : Optimizer
{
    private const int PieceLength = 1 << 12;
    private readonly long _seed;
    private readonly int _bucketLength;
    private readonly (long Start, long Length, bool IsPacked)[] _all;
    private readonly CompactState _state;
    private readonly MuonKernel? _matrices;
    private readonly Piece[] _pieces;
    private readonly AdamWGroup[] _groups;
    private readonly StatePlace[] _places;
    private readonly long _placesBytes;
    private readonly ICommunicator? _ranks;
    private readonly WeightShare[][] _shares;
    private readonly bool _reducesLayers;
    private readonly RunShards? _weights;
    private readonly RunShards? _vectors;
    private readonly RunShards? _upper;
    private readonly RunShards? _lower;
    private readonly RunShards? _moments;

    /// <summary>Makes zeroed state. With ranks, all must come here together, with the same model.</summary>
    /// <param name="parameters">Weights of a trainable model.</param>
    /// <param name="config">Validated section of the recipe: <c>adamw</c> or <c>muon</c>.</param>
    /// <param name="threads">Threads for our own kernels.</param>
    /// <param name="ranks">Who shares the state; owned by the caller, null where it is not shared.</param>
    /// <param name="productType">Type of Polar Express's products.</param>
    /// <param name="seed">The run's, for rounding.</param>
    /// <param name="bucketLength">Most elements that ranks exchange at a time.</param>
    public CompactOptimizer(
        ParameterSet parameters,
        OptimizerConfig config,
        int threads,
        ICommunicator? ranks = null,
        ScalarType productType = ScalarType.Float32,
        long seed = 1,
        int bucketLength = GradientReduction.BucketLength
    )
        : base(parameters, config, threads)
    {
        (_ranks, _seed, _bucketLength) = (ranks, seed, bucketLength);
        bool isMuon = config.Kind == OptimizerKind.Muon;
        MuonRule? rule = isMuon ? MuonRule.Of(config, productType) : null;
        var specs = new StateSpecs(config.State, rule);
        WeightShare[][] shares = WeightShares.Deal(
            parameters.Layout,
            specs.IsMuons,
            matrix => matrix.Count,
            ranks?.Size ?? 1,
            NumberWindows.Length
        );
        if (ranks is null)
        {
            // In the order of the flat buffer.
            shares =
            [
                [.. parameters.Layout.Slices.Select(slice => new WeightShare(slice, slice.Offset, slice.Count))],
            ];
        }

        _shares = shares;
        _reducesLayers = config.ShardGradients && ranks is not null;
        WeightShare[] mine = shares[ranks?.Rank ?? 0];
        _state = new CompactState(specs, mine, isWhole: ranks is null, seed);
        (_places, _placesBytes) = StatePlace.Lay(
            parameters.Layout.Slices.SelectMany(slice => specs.Of(slice).SelectMany(spec => spec.Tensors(slice)))
        );
        if (ranks is not null)
        {
            _weights = Exchange(shares, _ => true, sizeof(float));
            _moments = ExchangeOfState(specs, shares);
            if (parameters.IsPacked)
            {
                _vectors = Exchange(shares, share => !parameters.IsPackedAt(share.Slice.Shape), sizeof(float));
                _upper = Exchange(shares, share => parameters.IsPackedAt(share.Slice.Shape), sizeof(ushort));
            }

            if (parameters.Form == WeightForm.Split24)
            {
                _lower = Exchange(shares, share => parameters.IsPackedAt(share.Slice.Shape), size: 1);
            }
        }

        ParameterSlice[] matrices = [.. mine.Select(share => share.Slice).Where(specs.IsMuons)];
        if (rule is not null)
        {
            _matrices = new MuonKernel(parameters, rule, matrices, _state, Workers);
        }

        _all =
        [
            .. parameters.Layout.Slices.SelectMany(slice =>
                NumberWindows
                    .Pieces(slice.Offset, slice.Count, PieceLength)
                    .Select(piece => (slice.Offset + piece.First, piece.Length, parameters.IsPackedAt(slice.Shape)))
            ),
        ];
        Dictionary<string, AdamWGroup> groupOf = Groups.ToDictionary(
            weight => weight.Slice.Name,
            weight => weight.Group
        );
        _groups = [.. groupOf.Values.Distinct()];
        _pieces =
        [
            .. mine.Where(share => !specs.IsMuons(share.Slice))
                .SelectMany(share => PiecesOf(share, Array.IndexOf(_groups, groupOf[share.Slice.Name]))),
        ];
    }

    /// <summary>What this process keeps; with ranks each tensor flat, and perhaps only a part of it.</summary>
    public override IReadOnlyList<OptimizerTensor> State => _state.Tensors;

    /// <inheritdoc/>
    public override IReadOnlyList<StateSlot> Slots =>
        [.. _places.Select(place => new StateSlot(place.Name, place.Shape, place.Type, read => Keep(place, read)))];

    /// <inheritdoc/>
    public override void SumGradients(ICommunicator ranks)
    {
        if (_weights is null)
        {
            base.SumGradients(ranks);
            return;
        }

        if (_reducesLayers)
        {
            // Layer by layer, they are summed already.
            return;
        }

        _weights.SumOwned((float*)TensorAddress.Of(Parameters.FlatGradients));
    }

    /// <inheritdoc/>
    public override double GradientNorm()
    {
        if (_weights is null)
        {
            return base.GradientNorm();
        }

        double own = FlatSums.SquareSum(
            Parameters.FlatGradients,
            _weights.Owned.Select(run => (run.Start, run.Length)),
            Workers
        );
        return Math.Sqrt(_ranks!.Sum(own)[0]);
    }

    /// <inheritdoc/>
    public override GatheredState? Gather(bool keep)
    {
        if (_moments is null)
        {
            return null;
        }

        using var packed = new MappedMemory(Math.Max(1, (_moments.OwnedCount + sizeof(float) - 1) / sizeof(float)));
        foreach ((OwnedRun run, StatePart part) in _moments.Owned.Zip(_state.Parts))
        {
            byte* to = (byte*)packed.Start + run.At;
            Buffer.MemoryCopy(_state.AddressOf(part), to, part.ByteCount, part.ByteCount);
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
        _weights?.Dispose();
        _vectors?.Dispose();
        _upper?.Dispose();
        _lower?.Dispose();
        _moments?.Dispose();
    }

    /// <inheritdoc/>
    public override bool WeightsAreFinite()
    {
        if (!Parameters.IsPacked)
        {
            return base.WeightsAreFinite();
        }

        double[] sums = new double[_all.Length];
        ParallelRanges.Run(
            _all.Length,
            Workers,
            i =>
            {
                (long start, long length, bool isPacked) = _all[i];
                float* values = Parameters.Start + start;
                if (isPacked)
                {
                    values = (float*)WorkerScratch.Take(2 * PieceLength);
                    Parameters.Load(start, length, values);
                }

                sums[i] = FlatSums.SquareSum(values, length);
            }
        );
        return double.IsFinite(sums.Sum());
    }

    private protected override void Apply(UpdateStep step)
    {
        _matrices?.Update(step);
        UpdateElementwise(step, _pieces);
        if (!Parameters.IsPacked)
        {
            _weights?.Share(Parameters.Start);
            return;
        }

        _vectors?.Share(Parameters.Start);
        _upper?.Share(Parameters.UpperAt(0));
        _lower?.Share(Parameters.LowerAt(0));
    }

    /// <inheritdoc/>
    public override double UpdateLayer(UpdateStep step, int layer)
    {
        double sum = FlatSums.SquareSum(
            Parameters.FlatGradients,
            SlicesOf(layer).Select(slice => (slice.Offset, slice.Count)),
            Workers
        );
        if (!double.IsFinite(sum))
        {
            return sum;
        }

        step = step with { Clip = 1.0, UpdateCount = UpdateCount };
        _matrices?.Update(step, slice => LayerOf(slice.Name) == layer);
        UpdateElementwise(step, [.. _pieces.Where(piece => piece.Layer == layer)]);
        foreach (ParameterSlice slice in SlicesOf(layer))
        {
            Parameters.ReleaseGradients(slice.Offset, slice.Count);
        }

        return sum;
    }

    /// <inheritdoc/>
    public override void ReduceLayer(int layer)
    {
        using RunShards exchange = Exchange(_shares, share => LayerOf(share.Slice.Name) == layer, sizeof(float));
        exchange.SumOwned((float*)TensorAddress.Of(Parameters.FlatGradients));
        foreach (ParameterSlice slice in SlicesOf(layer))
        {
            // What lies between this rank's runs is others'.
            long at = slice.Offset;
            foreach (
                OwnedRun run in exchange
                    .Owned.Where(run => run.Start >= slice.Offset && run.Start < slice.Offset + slice.Count)
                    .OrderBy(run => run.Start)
            )
            {
                Parameters.ReleaseGradients(at, run.Start - at);
                at = run.Start + run.Length;
            }

            Parameters.ReleaseGradients(at, slice.Offset + slice.Count - at);
        }
    }

    private IEnumerable<ParameterSlice> SlicesOf(int layer) =>
        Parameters.Layout.Slices.Where(slice => LayerOf(slice.Name) == layer);

    // The number in model.layers.12.…
    private static int LayerOf(string weight)
    {
        const string Before = ".layers.";
        int at = weight.IndexOf(Before, StringComparison.Ordinal);
        if (at < 0)
        {
            return NoLayer;
        }

        ReadOnlySpan<char> rest = weight.AsSpan(at + Before.Length);
        return int.Parse(rest[..rest.IndexOf('.')], System.Globalization.CultureInfo.InvariantCulture);
    }

    private void UpdateElementwise(UpdateStep step, Piece[] pieces)
    {
        float* weights = Parameters.Start;
        var key = RoundingKey.Of(_seed, step.UpdateCount, RoundedValue.Weight);
        var gradients = (float*)TensorAddress.Of(Parameters.FlatGradients);
        bool takesMomentum = _matrices is null;
        AdamWKernel.Step[] steps = [.. _groups.Select(group => new AdamWKernel.Step(group.At(step, takesMomentum)))];
        ParallelRanges.Run(
            pieces.Length,
            Workers,
            i =>
            {
                Piece piece = pieces[i];
                var first = (float*)WorkerScratch.Take(6 * PieceLength); // as bfloat16, two to a float
                float* second = first + PieceLength;
                piece.FirstMoments.Load(piece.First, piece.Length, first);
                piece.SecondMoments.Load(piece.First, piece.Length, second);
                float* updated = weights + piece.Start;
                if (piece.IsPacked)
                {
                    updated = second + PieceLength;
                    Parameters.Load(piece.Start, piece.Length, updated);
                }

                AdamWKernel.UpdateRange(
                    updated,
                    gradients + piece.Start,
                    first,
                    second,
                    piece.Length,
                    steps[piece.Group]
                );
                piece.FirstMoments.Store(piece.First, piece.Length, first, _seed, step.UpdateCount);
                piece.SecondMoments.Store(piece.First, piece.Length, second, _seed, step.UpdateCount);
                if (piece.IsPacked)
                {
                    Parameters.Store(piece.Start, piece.Length, updated, key);
                }
            }
        );
    }

    private IEnumerable<Piece> PiecesOf(WeightShare share, int group)
    {
        CompactNumbers first = _state.Of(OptimizerTensor.FirstMoment, share);
        CompactNumbers second = _state.Of(OptimizerTensor.SecondMoment, share);
        return NumberWindows
            .Pieces(share.Start, share.Length, PieceLength)
            .Select(piece => new Piece(
                share.Start + piece.First,
                piece.First,
                piece.Length,
                first,
                second,
                group,
                Parameters.IsPackedAt(share.Slice.Shape),
                LayerOf(share.Slice.Name)
            ));
    }

    // Weights of some shares, by their places in the flat layout.
    private RunShards Exchange(WeightShare[][] shares, Func<WeightShare, bool> takes, int size) =>
        new(
            [.. shares.Select(own => own.Where(takes).Select(share => (share.Start, share.Length)).ToArray())],
            _ranks!,
            _bucketLength,
            size
        );

    // A byte at a time: numbers of one, two and four bytes lie next to each other.
    private RunShards ExchangeOfState(StateSpecs specs, WeightShare[][] shares)
    {
        Dictionary<string, long> offsets = _places.ToDictionary(place => place.Name, place => place.Offset);
        return new RunShards(
            [
                .. shares.Select(own =>
                    own.SelectMany(share => specs.Of(share.Slice).SelectMany(spec => spec.Parts(share)))
                        .Select(part =>
                            (
                                offsets[part.Name] + (part.First * part.Type.ElementSize()),
                                part.Count * part.Type.ElementSize()
                            )
                        )
                        .ToArray()
                ),
            ],
            _ranks!,
            _bucketLength,
            size: 1
        );
    }

    // This process's part of a whole tensor that a checkpoint has.
    private void Keep(StatePlace place, Action<Span<byte>> read)
    {
        byte[] whole = new byte[place.ByteCount];
        read(whole);
        int size = place.Type.ElementSize();
        foreach (StatePart part in _state.Parts.Where(part => part.Name == place.Name))
        {
            whole
                .AsSpan(checked((int)(part.First * size)), checked((int)part.ByteCount))
                .CopyTo(new Span<byte>(_state.AddressOf(part), (int)part.ByteCount));
        }
    }

    // Some elements of a share. Start is their place in the flat buffers, First their place in the share.
    private sealed record Piece(
        long Start,
        long First,
        long Length,
        CompactNumbers FirstMoments,
        CompactNumbers SecondMoments,
        int Group,
        bool IsPacked,
        int Layer
    );
}
