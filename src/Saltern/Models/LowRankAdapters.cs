// y = x·(W + s·B·A)ᵀ without making W + s·B·A: y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ, s = α/r. W stays as it is, so it needs no gradient and the optimizer no state for it (arXiv:2106.09685, §4.1).
// N = rows, I = columns of a weight, O = its rows, r = rank.
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>The adapter of one named weight.</summary>
/// <param name="Slice">The weight, [O, I].</param>
/// <param name="FirstRow">Its first row in its block.</param>
/// <param name="Down">Block of A, [r, I], among the adapters' parameters.</param>
/// <param name="Up">Block of B, [O, r].</param>
internal sealed record LowRankAdapter(ParameterSlice Slice, long FirstRow, int Down, int Up);

/// <summary>Low-rank adapters of a frozen decoder's projections: the only weights that are trained.</summary>
internal sealed class LowRankAdapters : IDisposable
{
    private readonly ILookup<int, LowRankAdapter> _byBlock;

    /// <summary>Makes adapters that change nothing yet: A is uniform in ±1/√I, B zero.</summary>
    /// <param name="weights">Of the frozen model.</param>
    /// <param name="seed">The same seed and shape give the same A, bit for bit.</param>
    /// <exception cref="ConfigurationException">The model has none of a projection that is named.</exception>
    public LowRankAdapters(LowRankConfig config, ParameterSet weights, long seed)
    {
        Scale = config.Scale;
        var layout = new ParameterLayout();
        var adapters = new List<(int Block, LowRankAdapter Adapter)>();
        foreach ((int index, ParameterBlock block) in weights.Layout.Blocks.Index())
        {
            foreach (ParameterSlice slice in block.Slices.Where(slice => IsTarget(config, slice)))
            {
                string name = slice.Name[..^".weight".Length];
                int down = layout.Add((int)slice.Shape[1], (name + ".lora_A.weight", config.Rank));
                int up = layout.Add(config.Rank, (name + ".lora_B.weight", (int)slice.Shape[0]));
                long firstRow = (slice.Offset - block.Offset) / slice.Shape[1];
                adapters.Add((index, new LowRankAdapter(slice, firstRow, down, up)));
            }
        }

        RefuseMissing(config, adapters.Select(each => each.Adapter.Slice));
        _byBlock = adapters.ToLookup(each => each.Block, each => each.Adapter);
        Parameters = new ParameterSet(layout, trainable: true, weights.FlatWeights.dtype, weights.Device);
        Named = [.. layout.Slices.Select(slice => (slice.Name, Parameters.Weight(slice).DetachFromDisposeScope()))];
        Initialize(seed);
    }

    /// <summary>s = α/r.</summary>
    public double Scale { get; }

    /// <summary>All A and B, and their gradients.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Each A and B by its name, as a checkpoint keeps it; owned by this.</summary>
    public IReadOnlyList<(string Name, Tensor Values)> Named { get; }

    /// <summary>The adapters of a block of the model's weights; none for most.</summary>
    public IEnumerable<LowRankAdapter> Of(int block) => _byBlock[block];

    /// <summary>Adds s·(x·Aᵀ)·Bᵀ to a product, for automatic differentiation or without.</summary>
    /// <param name="y">x·Wᵀ + b, [N, O of the block]; written in place.</param>
    /// <param name="x">[N, I], of the products' type.</param>
    /// <param name="block">Of the model's weights.</param>
    public void AddTo(Tensor y, Tensor x, int block)
    {
        foreach (LowRankAdapter adapter in Of(block))
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor low = nn.functional.linear(x, Parameters[adapter.Down].to(x.dtype)); // [N, r]
            Tensor added = nn.functional.linear(low, Parameters[adapter.Up].to(x.dtype)) * Scale; // [N, O]
            y.narrow(1, adapter.FirstRow, adapter.Slice.Shape[0]).add_(added);
        }
    }

    /// <summary>The same for buffers of own kernels; the low-rank products are float32.</summary>
    public void AddTo(ActivationBuffer y, ActivationBuffer x, int block, int rows)
    {
        if (!_byBlock.Contains(block))
        {
            return;
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor read = Float(x, rows);
        foreach (LowRankAdapter adapter in Of(block))
        {
            Tensor low = read.mm(Parameters[adapter.Down].detach().t()); // [N, r]
            Add(Part(y, adapter, rows), low.mul_(Scale), Parameters[adapter.Up].detach().t());
        }
    }

    /// <summary>Adds s·(g·B)·A, the adapters' share of ∂ℒ/∂x.</summary>
    /// <param name="y">∂ℒ/∂x, [N, I].</param>
    /// <param name="g">∂ℒ/∂y, [N, O of the block].</param>
    /// <param name="block">Of the model's weights.</param>
    public void AddBack(ActivationBuffer y, ActivationBuffer g, int block, int rows)
    {
        foreach (LowRankAdapter adapter in Of(block))
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor low = PartAsFloat(g, adapter, rows).mm(Parameters[adapter.Up].detach()); // [N, r]
            Add(y.Rows(rows), low.mul_(Scale), Parameters[adapter.Down].detach());
        }
    }

    /// <summary>Adds ∂ℒ/∂A = s·(g·B)ᵀ·x and ∂ℒ/∂B = s·gᵀ·(x·Aᵀ) to the gradients.</summary>
    /// <param name="block">Of the model's weights.</param>
    /// <param name="g">∂ℒ/∂y, [N, O of the block].</param>
    /// <param name="x">[N, I].</param>
    public void AddGradients(int block, ActivationBuffer g, ActivationBuffer x, int rows)
    {
        if (!_byBlock.Contains(block))
        {
            return;
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor read = Float(x, rows);
        foreach (LowRankAdapter adapter in Of(block))
        {
            Tensor gradient = PartAsFloat(g, adapter, rows); // [N, O]
            Tensor low = read.mm(Parameters[adapter.Down].detach().t()).mul_(Scale); // [N, r]
            Tensor back = gradient.mm(Parameters[adapter.Up].detach()).mul_(Scale); // [N, r]
            Parameters.Gradient(adapter.Up).addmm_(gradient.t(), low, 1, 1);
            Parameters.Gradient(adapter.Down).addmm_(back.t(), read, 1, 1);
        }
    }

    /// <summary>A copy of some of the model's weights with the adapters in them: W + s·B·A.</summary>
    /// <param name="weights">Of the model.</param>
    /// <param name="offset">First element in the flat buffer; whole named weights alone.</param>
    /// <param name="count">Elements.</param>
    /// <returns>[count]; the caller owns it.</returns>
    public Tensor Merged(ParameterSet weights, long offset, long count)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor merged = weights.FlatWeights.narrow(0, offset, count).clone();
        foreach (LowRankAdapter adapter in _byBlock.SelectMany(each => each))
        {
            ParameterSlice slice = adapter.Slice;
            if (slice.Offset >= offset && slice.Offset + slice.Count <= offset + count)
            {
                merged
                    .narrow(0, slice.Offset - offset, slice.Count)
                    .view(slice.Shape)
                    .add_(Parameters[adapter.Up].mm(Parameters[adapter.Down]), Scale);
            }
        }

        return merged.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, Tensor values) in Named)
        {
            values.Dispose();
        }

        Parameters.Dispose();
    }

    private static string ProjectionOf(ParameterSlice slice) =>
        slice.Name.Split('.') is [.., string name, "weight"] ? name : "";

    private static bool IsTarget(LowRankConfig config, ParameterSlice slice) =>
        slice.Shape.Length == 2
        && slice.Name.Contains(".layers.", StringComparison.Ordinal)
        && (config.Targets ?? LowRankConfig.Projections).Contains(ProjectionOf(slice));

    private static void RefuseMissing(LowRankConfig config, IEnumerable<ParameterSlice> adapted)
    {
        string[] found = [.. adapted.Select(ProjectionOf).Distinct()];
        string[] missing = [.. (config.Targets ?? []).Except(found)];
        if (missing.Length > 0)
        {
            throw new ConfigurationException(
                $"lora.targets: the model has no {string.Join(", ", missing)}, because its feed-forward layers have no gate. "
                    + "Leave it out, or the whole key for all projections that there are."
            );
        }
    }

    private void Initialize(long seed)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        foreach (LowRankAdapter adapter in _byBlock.SelectMany(each => each))
        {
            ParameterSlice down = Parameters.Layout.Blocks[adapter.Down].Slices[0];
            double bound = 1 / Math.Sqrt(down.Shape[1]);
            Tensor values = rand(down.Shape, ScalarType.Float32, CPU, generator: generator);
            Parameters.Weight(down).copy_(values.mul_(2 * bound).sub_(bound));
        }
    }

    // y += low·factor, in y's own type.
    private static void Add(Tensor y, Tensor low, Tensor factor)
    {
        if (y.dtype == low.dtype)
        {
            y.addmm_(low, factor, 1, 1);
        }
        else
        {
            y.add_(low.mm(factor));
        }
    }

    private static Tensor Float(ActivationBuffer x, int rows) => x.Rows(rows).to(ScalarType.Float32);

    // An adapter's columns of a block's product, [N, O].
    private static Tensor Part(ActivationBuffer y, LowRankAdapter adapter, int rows) =>
        y.Rows(rows).narrow(1, adapter.FirstRow, adapter.Slice.Shape[0]);

    private static Tensor PartAsFloat(ActivationBuffer g, LowRankAdapter adapter, int rows) =>
        Part(g, adapter, rows).to(ScalarType.Float32);
}
