// A small model's weights → a larger one's. Width: every unit is copied and what reads the copies is divided by their number, so that all sums stay; the copies are told apart by noise
// that adds up to 0 over them. Depth: layers are copied by the operator's list. Then the optimizer's state, by the same maps.
using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Growth;

/// <summary>Makes a larger model out of a small one (docs/growth.md).</summary>
internal static class ModelGrowth
{
    /// <summary>Fills a larger model from a smaller one.</summary>
    /// <param name="large">Of the shape that the map leads to; every weight is set.</param>
    /// <param name="noise">As <see cref="GrowthConfig.Noise"/>.</param>
    /// <param name="seed">Of the noise: the same one gives the same weights, bit for bit.</param>
    public static void Fill(Transformer small, Transformer large, GrowthMap map, double noise, long seed)
    {
        using IDisposable _ = no_grad();
        using var generator = new Generator((ulong)seed, CPU);
        Dictionary<string, ParameterSlice> sources = small.Parameters.Layout.Slices.ToDictionary(slice => slice.Name);
        foreach (ParameterSlice slice in large.Parameters.Layout.Slices)
        {
            using DisposeScope scope = NewDisposeScope();
            if (IsSilent(slice.Name, map))
            {
                double value = map.HasNormsAfter ? map.NormOffset : 0;
                large.Parameters.SetWeight(slice, full(slice.Shape, value, ScalarType.Float32));
                continue;
            }

            Tensor source = small.Parameters.Weight(sources[WeightAxes.SourceOf(slice.Name, map)]);
            Tensor grown = Grow(source, WeightAxes.Of(slice.Name, map), noise, generator);
            if (IsDividedNorm(slice.Name, map))
            {
                // A tied head is the embedding, which is not divided: the last norm is, in its place.
                grown = grown.sub(map.NormOffset).div(map.Hidden.Copies[0]).add(map.NormOffset);
            }

            large.Parameters.SetWeight(slice, grown);
        }
    }

    /// <summary>The optimizer's state for a larger model.</summary>
    /// <param name="before">The whole state of the small model's optimizer.</param>
    /// <param name="large">Names of the larger model's weights.</param>
    /// <param name="transfer"><see cref="OptimizerTransfer.Copied"/> or <see cref="OptimizerTransfer.Kept"/>.</param>
    /// <returns>The caller owns it.</returns>
    public static StateTensors GrowState(
        StateTensors before,
        ParameterLayout large,
        GrowthMap map,
        OptimizerTransfer transfer
    )
    {
        using IDisposable _ = no_grad();
        var grown = new Dictionary<string, Tensor>();
        foreach (string weight in large.Slices.Select(slice => slice.Name))
        {
            string source = WeightAxes.SourceOf(weight, map);
            foreach (string kind in OptimizerTensor.Kinds.Where(kind => before.Has(kind + source)))
            {
                using DisposeScope scope = NewDisposeScope();
                WeightAxes axes = WeightAxes.Of(weight, map);
                int power = IsDividedNorm(weight, map) ? 0 : PowerOf(kind, before);
                Tensor values = GrowState(before[kind + source], kind, axes, power);
                if (transfer == OptimizerTransfer.Kept)
                {
                    values = values.mul(MaskOfOld(weight, StateAxes(kind, axes), values.shape, map));
                }

                grown[kind + weight] = values.contiguous().DetachFromDisposeScope();
            }
        }

        return StateTensors.Of(grown, before.Updates);
    }

    /// <summary>Seed of a growth's noise: another one for every growth of a run.</summary>
    /// <param name="step">First step of the grown model.</param>
    public static long NoiseSeed(int seed, int step) => ((long)seed << 32) ^ step ^ 0x67726F77; // "grow"

    private static bool IsDividedNorm(string weight, GrowthMap map) =>
        map.IsTied && weight.StartsWith("model.norm.", StringComparison.Ordinal);

    private static bool IsSilent(string weight, GrowthMap map) =>
        WeightAxes.LayerOf(weight) is int layer && map.Layers[layer].IsSilent && WeightAxes.IsIntoResidual(weight, map);

    private static Tensor Grow(Tensor source, WeightAxes axes, double noise, Generator generator)
    {
        Tensor grown = Select(source, axes);
        if (axes.Columns is not { IsIdentity: false } columns || !axes.Reads)
        {
            return grown;
        }

        Tensor copies = tensor(columns.Copies, dtype: source.dtype, device: source.device);
        Tensor divided = grown.div(copies);
        if (noise == 0)
        {
            return divided;
        }

        // Of the root mean square that fresh weights of as many inputs would have beside the old ones: 1/√copies. On the CPU, so that it is the same on every device and rank.
        Tensor here = source.cpu();
        Tensor shared = tensor(columns.Copies, dtype: source.dtype);
        Tensor deviation = here.square().mean().sqrt().mul(noise).div(shared.sqrt());
        Tensor drawn = randn(grown.shape, ScalarType.Float32, CPU, generator: generator)
            .to(source.dtype)
            .mul(deviation);
        Tensor index = Index(columns.Sources, CPU);
        Tensor sums = zeros([grown.shape[0], source.shape[1]], source.dtype);
        sums.index_add_(1, index, drawn, 1);
        Tensor means = sums.index_select(1, index).div(shared);
        return divided.add(drawn.sub(means).to(source.device));
    }

    private static Tensor Select(Tensor source, WeightAxes axes)
    {
        Tensor grown = source;
        if (axes.Rows is { IsIdentity: false } rows)
        {
            grown = grown.index_select(0, Index(rows.Sources, source.device));
        }

        if (axes.Columns is { IsIdentity: false } columns)
        {
            grown = grown.index_select(1, Index(columns.Sources, source.device));
        }

        return grown;
    }

    // A copy's gradient is its source's, shared among the copies of what it writes.
    private static Tensor GrowState(Tensor source, string kind, WeightAxes axes, int power)
    {
        if (power == 0)
        {
            return Select(source, StateAxes(kind, axes));
        }

        Tensor? ofRows = Share(axes.Rows, power, source);
        Tensor? ofColumns = axes.Reads ? null : Share(axes.Columns, power, source);
        Tensor grown = Select(source, StateAxes(kind, axes));
        if (kind == OptimizerTensor.Column)
        {
            // A mean over the rows.
            return grown.mul(ofColumns ?? 1).mul(ofRows?.mean() ?? 1);
        }

        if (kind == OptimizerTensor.Row)
        {
            // A mean over the columns.
            return grown.mul(ofRows ?? 1).mul(ofColumns?.mean() ?? 1);
        }

        return grown.mul((grown.dim() == 2 ? ofRows?.unsqueeze(1) : ofRows) ?? 1).mul(ofColumns ?? 1);
    }

    // How a moment follows the gradient's scale.
    private static int PowerOf(string kind, StateTensors state)
    {
        if (kind is OptimizerTensor.SecondMoment or OptimizerTensor.Row or OptimizerTensor.Column)
        {
            return -2;
        }

        // Those of an orthogonal update, too, are of one size whatever the gradient's.
        if (kind is OptimizerTensor.UpdateRow or OptimizerTensor.UpdateColumn)
        {
            return 0;
        }

        // Adafactor's first moment is of its updates, which are of one size whatever the gradient's.
        bool isOfUpdates = state.Names.Any(name => name.StartsWith(OptimizerTensor.Row, StringComparison.Ordinal));
        return isOfUpdates ? 0 : -1;
    }

    // What each unit has of its source's gradient, to a power; null for all of it.
    private static Tensor? Share(UnitMap? units, int power, Tensor like)
    {
        if (units is not { IsIdentity: false })
        {
            return null;
        }

        double[] shares = [.. units.Copies.Select(copies => Math.Pow(copies, power))];
        return tensor(shares, dtype: like.dtype, device: like.device);
    }

    private static Tensor MaskOfOld(string weight, WeightAxes axes, long[] shape, GrowthMap map)
    {
        Tensor mask = ones(shape);
        if (WeightAxes.LayerOf(weight) is int layer && map.Layers[layer].IsNew)
        {
            return mask.zero_();
        }

        if (axes.Rows is { IsIdentity: false } rows)
        {
            Tensor old = tensor(rows.IsFirst).to(ScalarType.Float32);
            mask = mask.mul(shape.Length == 2 ? old.unsqueeze(1) : old);
        }

        if (axes.Columns is { IsIdentity: false } columns)
        {
            mask = mask.mul(tensor(columns.IsFirst).to(ScalarType.Float32));
        }

        return mask;
    }

    private static Tensor Index(int[] units, Device device) =>
        tensor([.. units.Select(unit => (long)unit)], device: device);

    // Adafactor's moments, and those of Muon's updates, are of the weight's rows alone, or of its columns alone.
    private static WeightAxes StateAxes(string kind, WeightAxes weight) =>
        kind switch
        {
            OptimizerTensor.Row or OptimizerTensor.UpdateRow => weight with { Columns = null },
            OptimizerTensor.Column or OptimizerTensor.UpdateColumn => new WeightAxes(
                weight.Columns,
                null,
                Reads: false
            ),
            _ => weight,
        };
}
