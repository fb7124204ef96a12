// AdamW over flat buffers, with clipping folded into the same pass (arXiv:1711.05101, Algorithm 2).
// The moments belong to Saltern: checkpoints are exact, and a later rank can own a slice of them.
using System.Numerics;
using System.Runtime.CompilerServices;
using Saltern.Engine;
using Saltern.Models;

namespace Saltern.Optimization;

/// <summary>AdamW on the flat weights of a model, float32 on the CPU.</summary>
public sealed unsafe class AdamW : IDisposable
{
    // Fixed, so that the norm's sum does not depend on the number of threads. A multiple of every vector width.
    private const int RangeLength = 1 << 16;
    private readonly OptimizerConfig _config;
    private readonly ParameterSet _parameters;
    private readonly ParallelOptions _parallel;
    private readonly MappedMemory _first;
    private readonly MappedMemory _second;
    private readonly (long Start, long Length, bool Decays)[] _ranges;

    /// <summary>Makes zeroed moments for a trainable model.</summary>
    public AdamW(ParameterSet parameters, OptimizerConfig config, int threads)
    {
        (_parameters, _config) = (parameters, config);
        _parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
        _first = new MappedMemory(parameters.Layout.Length);
        _second = new MappedMemory(parameters.Layout.Length);
        _ranges = [.. Ranges(parameters.Layout)];
    }

    /// <summary>Updates made.</summary>
    public long UpdateCount { get; set; }

    /// <summary>m, first moments of one named weight.</summary>
    public Span<float> FirstMoments(ParameterSlice slice) => new(_first.Start + slice.Offset, checked((int)slice.Count));

    /// <summary>v, second moments of one named weight.</summary>
    public Span<float> SecondMoments(ParameterSlice slice) => new(_second.Start + slice.Offset, checked((int)slice.Count));

    /// <summary>‖g‖₂ over all parameters, before clipping; the same for any number of threads.</summary>
    public double GradientNorm()
    {
        float* gradients = (float*)TensorAddress.Of(_parameters.FlatGradients);
        double[] sums = new double[_ranges.Length];
        Parallel.For(0, _ranges.Length, _parallel, i => sums[i] = SquareSum(gradients + _ranges[i].Start, _ranges[i].Length));
        return Math.Sqrt(sums.Sum());
    }

    /// <summary>Whether every weight is a number.</summary>
    public bool WeightsAreFinite()
    {
        float* weights = (float*)TensorAddress.Of(_parameters.FlatWeights);
        return _ranges.All(range => double.IsFinite(SquareSum(weights + range.Start, range.Length)));
    }

    /// <summary>One update of every weight.</summary>
    /// <param name="learningRate">η_j.</param>
    /// <param name="gradientNorm">‖g‖₂ as <see cref="GradientNorm"/> found it.</param>
    public void Update(double learningRate, double gradientNorm)
    {
        UpdateCount++;
        float* weights = (float*)TensorAddress.Of(_parameters.FlatWeights), gradients = (float*)TensorAddress.Of(_parameters.FlatGradients);
        float* first = _first.Start, second = _second.Start;
        double clip = _config.MaxGradientNorm > 0 && gradientNorm > _config.MaxGradientNorm ? _config.MaxGradientNorm / gradientNorm : 1.0;
        double firstCorrection = 1.0 - Math.Pow(_config.Betas[0], UpdateCount), secondCorrection = 1.0 - Math.Pow(_config.Betas[1], UpdateCount);
        var step = new Step(
            (float)clip, (float)_config.Betas[0], (float)_config.Betas[1], (float)(learningRate / firstCorrection), (float)(1.0 / Math.Sqrt(secondCorrection)), (float)_config.Epsilon);
        float keep = (float)(1.0 - (learningRate * _config.WeightDecay));
        Parallel.For(0, _ranges.Length, _parallel, i =>
        {
            (long start, long length, bool decays) = _ranges[i];
            UpdateRange(weights + start, gradients + start, first + start, second + start, length, step, decays ? keep : 1f);
        });
    }

    /// <summary>Gives the moments back to the system.</summary>
    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }

    private static IEnumerable<(long Start, long Length, bool Decays)> Ranges(ParameterLayout layout)
    {
        foreach (ParameterBlock block in layout.Blocks)
        {
            for (long start = 0; start < block.Count; start += RangeLength)
            {
                yield return (block.Offset + start, Math.Min(RangeLength, block.Count - start), block.Decays);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SquareSum(float* values, long count)
    {
        Vector<double> sum = Vector<double>.Zero;
        long i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.Load(values + i), out Vector<double> low, out Vector<double> high);
            sum += (low * low) + (high * high);
        }

        double total = Vector.Sum(sum);
        for (; i < count; i++)
        {
            total += (double)values[i] * values[i];
        }

        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateRange(float* weights, float* gradients, float* first, float* second, long count, Step step, float keep)
    {
        Vector<float> clip = new(step.Clip), beta1 = new(step.Beta1), beta2 = new(step.Beta2), rest1 = new(1f - step.Beta1), rest2 = new(1f - step.Beta2);
        Vector<float> rate = new(step.Rate), root = new(step.RootCorrection), epsilon = new(step.Epsilon), kept = new(keep);
        long i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> g = Vector.Load(gradients + i) * clip;
            Vector<float> m = (beta1 * Vector.Load(first + i)) + (rest1 * g);
            Vector<float> v = (beta2 * Vector.Load(second + i)) + (rest2 * g * g);
            m.Store(first + i);
            v.Store(second + i);
            ((Vector.Load(weights + i) * kept) - (rate * m / ((Vector.SquareRoot(v) * root) + epsilon))).Store(weights + i);
        }

        for (; i < count; i++)
        {
            float g = gradients[i] * step.Clip;
            first[i] = (step.Beta1 * first[i]) + ((1f - step.Beta1) * g);
            second[i] = (step.Beta2 * second[i]) + ((1f - step.Beta2) * g * g);
            weights[i] = (weights[i] * keep) - (step.Rate * first[i] / ((MathF.Sqrt(second[i]) * step.RootCorrection) + step.Epsilon));
        }
    }

    // Rate is η/(1 − β₁ᵗ), RootCorrection 1/√(1 − β₂ᵗ).
    private readonly record struct Step(float Clip, float Beta1, float Beta2, float Rate, float RootCorrection, float Epsilon);
}
