// State in fewer bytes: which tensors there are of a weight, where a rank keeps its parts of them, and what a checkpoint calls them.
using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>One thing that is remembered of a weight.</summary>
/// <param name="Kind">Begins its name.</param>
/// <param name="Shape">Of the whole weight.</param>
/// <param name="IsElementwise">Whether it has a number for each of the weight's, in the same places.</param>
internal sealed record StateSpec(string Kind, NumberForm Form, RoundedValue Role, long[] Shape, bool IsElementwise)
{
    /// <summary>Whether scales lie beside it.</summary>
    public bool HasScales => Form is NumberForm.Signed8 or NumberForm.Unsigned8;

    /// <summary>Type of its tensor.</summary>
    public ScalarType Type =>
        Form switch
        {
            NumberForm.Float32 => ScalarType.Float32,
            NumberForm.BFloat16 => ScalarType.BFloat16,
            NumberForm.Signed8 => ScalarType.Int8,
            _ => ScalarType.Byte,
        };

    /// <summary>What a checkpoint has of it.</summary>
    public IEnumerable<(string Name, long[] Shape, ScalarType Type)> Tensors(ParameterSlice slice)
    {
        yield return (Kind + slice.Name, Shape, Type);
        if (HasScales)
        {
            long windows = NumberWindows.Touched(slice.Offset, slice.Count);
            yield return (OptimizerTensor.ScaleOf(Kind) + slice.Name, [windows], ScalarType.Float32);
        }
    }

    /// <summary>Which elements of these tensors belong to a share of the weight.</summary>
    public IEnumerable<(string Name, long First, long Count, ScalarType Type)> Parts(WeightShare share)
    {
        ParameterSlice slice = share.Slice;
        if (!IsElementwise)
        {
            yield return (Kind + slice.Name, 0, Shape.Aggregate(1L, (product, size) => product * size), Type);
            yield break;
        }

        yield return (Kind + slice.Name, share.Start - slice.Offset, share.Length, Type);
        if (HasScales)
        {
            yield return (
                OptimizerTensor.ScaleOf(Kind) + slice.Name,
                (share.Start / NumberWindows.Length) - (slice.Offset / NumberWindows.Length),
                NumberWindows.Touched(share.Start, share.Length),
                ScalarType.Float32
            );
        }
    }
}

/// <summary>Says what is remembered of each weight, and how.</summary>
/// <param name="type">What the recipe asks for.</param>
/// <param name="rule">Muon's; null for AdamW alone.</param>
internal sealed class StateSpecs(OptimizerStateType type, MuonRule? rule)
{
    /// <summary>Whether a weight is Muon's.</summary>
    public bool IsMuons(ParameterSlice slice) => rule is not null && MuonRule.IsHiddenMatrix(slice);

    /// <summary>What is remembered of a weight. Vectors keep float32: they are nearly nothing, and norms read them.</summary>
    public IEnumerable<StateSpec> Of(ParameterSlice slice)
    {
        bool isMatrix = slice.Shape.Length == 2;
        NumberForm first = isMatrix ? FormOf(NumberForm.Signed8) : NumberForm.Float32;
        NumberForm second = isMatrix ? FormOf(NumberForm.Unsigned8) : NumberForm.Float32;
        if (!IsMuons(slice))
        {
            yield return new(OptimizerTensor.FirstMoment, first, RoundedValue.First, slice.Shape, IsElementwise: true);
            yield return new(
                OptimizerTensor.SecondMoment,
                second,
                RoundedValue.Second,
                slice.Shape,
                IsElementwise: true
            );
            yield break;
        }

        yield return new(OptimizerTensor.Momentum, first, RoundedValue.First, slice.Shape, IsElementwise: true);
        if (rule!.MomentsOf(slice) is string name)
        {
            string kind = name[..^slice.Name.Length];
            long[] shape = [rule.IsByRow(slice.Shape) ? slice.Shape[0] : slice.Shape[1]];
            yield return new(kind, NumberForm.Float32, RoundedValue.Second, shape, IsElementwise: false);
        }
    }

    /// <summary>Bytes of the state of some weights, scales included, without what aligns it.</summary>
    public long Bytes(IEnumerable<ParameterSlice> slices) =>
        slices
            .SelectMany(slice => Of(slice).SelectMany(spec => spec.Tensors(slice)))
            .Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size) * tensor.Type.ElementSize());

    private NumberForm FormOf(NumberForm eight) =>
        type switch
        {
            OptimizerStateType.Full => NumberForm.Float32,
            OptimizerStateType.Bf16 => NumberForm.BFloat16,
            _ => eight,
        };
}

/// <summary>What a rank remembers of its shares of the weights, in one mapping; zero at first.</summary>
internal sealed unsafe class CompactState : IMatrixState, IDisposable
{
    // 64 bytes, the alignment that libtorch gives its own tensors.
    private const long Alignment = 64;
    private readonly MappedMemory _memory;
    private readonly Dictionary<(string Name, long Start), CompactNumbers> _numbers = [];
    private readonly Dictionary<string, long> _firstOfWhole = [];
    private readonly List<StatePart> _parts = [];

    /// <summary>Maps room for some shares.</summary>
    /// <param name="isWhole">Whether they are all of the weights, whose tensors then have the weights' shapes.</param>
    /// <param name="seed">The run's, for rounding.</param>
    public CompactState(StateSpecs specs, IReadOnlyList<WeightShare> shares, bool isWhole, long seed)
    {
        Seed = seed;
        long bytes = 0;
        var planned = new List<(WeightShare Share, StateSpec Spec, int FirstPart)>();
        foreach (WeightShare share in shares)
        {
            foreach (StateSpec spec in specs.Of(share.Slice))
            {
                planned.Add((share, spec, _parts.Count));
                foreach ((string name, long first, long count, ScalarType type) in spec.Parts(share))
                {
                    _parts.Add(new StatePart(name, first, count, type, bytes));
                    bytes += ((count * type.ElementSize()) + Alignment - 1) / Alignment * Alignment;
                }
            }
        }

        _memory = new MappedMemory(Math.Max(1, bytes / sizeof(float)));
        var tensors = new List<OptimizerTensor>();
        foreach ((WeightShare share, StateSpec spec, int firstPart) in planned)
        {
            string name = spec.Kind + share.Slice.Name;
            byte* values = AddressOf(_parts[firstPart]);
            float* scales = spec.HasScales ? (float*)AddressOf(_parts[firstPart + 1]) : null;
            _numbers.Add((name, share.Start), new CompactNumbers(spec.Form, spec.Role, share.Start, values, scales));
            _firstOfWhole.TryAdd(name, share.Start);
            foreach ((StatePart part, int i) in spec.Tensors(share.Slice).Select((_, i) => (_parts[firstPart + i], i)))
            {
                long[] shape = isWhole && i == 0 ? spec.Shape : [part.Count];
                using DisposeScope scope = NewDisposeScope();
                Tensor view = _memory.AsTensor(part.Type, part.Offset, part.Count).view(shape);
                tensors.Add(new OptimizerTensor(part.Name, view.DetachFromDisposeScope()));
            }
        }

        Tensors = tensors;
    }

    /// <inheritdoc/>
    public long Seed { get; }

    /// <summary>Everything that is kept here, in order.</summary>
    public IReadOnlyList<OptimizerTensor> Tensors { get; }

    /// <summary>The parts of the whole state's tensors, in the order of <see cref="Tensors"/>.</summary>
    public IReadOnlyList<StatePart> Parts => _parts;

    /// <summary>One thing that is remembered of a share.</summary>
    public CompactNumbers Of(string kind, WeightShare share) => _numbers[(kind + share.Slice.Name, share.Start)];

    /// <summary>First byte of a part; valid until disposed.</summary>
    public byte* AddressOf(StatePart part) => (byte*)_memory.Start + part.Offset;

    /// <inheritdoc/>
    public float* AddressOf(string name) => _numbers[(name, _firstOfWhole[name])].Direct;

    /// <inheritdoc/>
    public float* Momentum(ParameterSlice matrix, long first, long count, float* room)
    {
        CompactNumbers momentum = _numbers[(OptimizerTensor.Momentum + matrix.Name, matrix.Offset)];
        if (momentum.Direct is not null)
        {
            return momentum.Direct + first;
        }

        momentum.Load(first, count, room);
        return room;
    }

    /// <inheritdoc/>
    public void Keep(ParameterSlice matrix, long first, long count, float* momentum, long update)
    {
        CompactNumbers numbers = _numbers[(OptimizerTensor.Momentum + matrix.Name, matrix.Offset)];
        if (numbers.Direct is null)
        {
            numbers.Store(first, count, momentum, Seed, update);
        }
    }

    /// <summary>Gives the memory back to the system.</summary>
    public void Dispose()
    {
        foreach (OptimizerTensor tensor in Tensors)
        {
            tensor.Values.Dispose();
        }

        _memory.Dispose();
    }
}

/// <summary>What a rank keeps of one tensor of the whole state.</summary>
/// <param name="First">First element in the whole tensor.</param>
/// <param name="Offset">First byte in the rank's own memory.</param>
internal sealed record StatePart(string Name, long First, long Count, ScalarType Type, long Offset)
{
    /// <summary>Number of bytes.</summary>
    public long ByteCount => Count * Type.ElementSize();
}
