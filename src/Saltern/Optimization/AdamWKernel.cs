// AdamW over flat weights, with clipping folded into the same pass (arXiv:1711.05101, Algorithm 2).
using System.Numerics;
using System.Runtime.CompilerServices;
using Saltern.Models;
using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>The fused update of some weights, float32 on the CPU: all of them for <see cref="AdamW"/>, some for <see cref="Muon"/>.</summary>
internal sealed unsafe class AdamWKernel
{
    private readonly ParameterSet _parameters;
    private readonly OptimizerConfig _config;
    private readonly ParallelOptions _parallel;
    private readonly Range[] _ranges;

    /// <summary>Plans the work, in ranges that do not depend on the number of threads.</summary>
    /// <param name="weights">The weights to update, and whether each decays.</param>
    /// <param name="state">Holds the moments that <see cref="StateOf"/> names.</param>
    /// <param name="config">Betas, ε and weight decay.</param>
    public AdamWKernel(
        ParameterSet parameters,
        IEnumerable<(ParameterSlice Slice, bool Decays)> weights,
        OptimizerState state,
        OptimizerConfig config,
        ParallelOptions parallel
    )
    {
        (_parameters, _config, _parallel) = (parameters, config, parallel);
        _ranges = [.. weights.SelectMany(weight => Ranges(weight.Slice, weight.Decays, state))];
    }

    /// <summary>Plans the work for some runs of the flat weights, wherever they begin.</summary>
    /// <param name="runs">The runs, and whether each decays.</param>
    /// <param name="first">First moments of all runs, one after the other.</param>
    /// <param name="config">Betas, ε and weight decay.</param>
    public AdamWKernel(
        ParameterSet parameters,
        IEnumerable<(OwnedRun Run, bool Decays)> runs,
        float* first,
        float* second,
        OptimizerConfig config,
        ParallelOptions parallel
    )
    {
        (_parameters, _config, _parallel) = (parameters, config, parallel);
        _ranges = [.. runs.SelectMany(run => Ranges(run.Run, run.Decays, first + run.Run.At, second + run.Run.At))];
    }

    /// <summary>The two moments of a weight.</summary>
    public static IEnumerable<(string Name, long[] Shape)> StateOf(ParameterSlice slice) =>
        [
            (OptimizerTensor.FirstMoment + slice.Name, slice.Shape),
            (OptimizerTensor.SecondMoment + slice.Name, slice.Shape),
        ];

    /// <summary>One update; elementwise, so the same bits for any number of threads.</summary>
    /// <param name="clip">Factor of every gradient.</param>
    /// <param name="updateCount">u ≥ 1, this update included.</param>
    public void Update(double learningRate, double clip, long updateCount)
    {
        float* weights = (float*)TensorAddress.Of(_parameters.FlatWeights);
        float* gradients = (float*)TensorAddress.Of(_parameters.FlatGradients);
        double firstCorrection = 1.0 - Math.Pow(_config.Betas[0], updateCount);
        double secondCorrection = 1.0 - Math.Pow(_config.Betas[1], updateCount);
        var step = new Step(
            (float)clip,
            (float)_config.Betas[0],
            (float)_config.Betas[1],
            (float)(learningRate / firstCorrection),
            (float)(1.0 / Math.Sqrt(secondCorrection)),
            (float)_config.Epsilon
        );
        float keep = (float)(1.0 - (learningRate * _config.WeightDecay));
        ParallelRanges.Run(
            _ranges.Length,
            _parallel,
            i =>
            {
                Range range = _ranges[i];
                UpdateRange(
                    weights + range.Start,
                    gradients + range.Start,
                    range.First,
                    range.Second,
                    range.Length,
                    step,
                    range.Decays ? keep : 1f
                );
            }
        );
    }

    private static List<Range> Ranges(ParameterSlice slice, bool decays, OptimizerState state) =>
        Ranges(
            new OwnedRun(slice.Offset, slice.Count, 0),
            decays,
            state.AddressOf(OptimizerTensor.FirstMoment + slice.Name),
            state.AddressOf(OptimizerTensor.SecondMoment + slice.Name)
        );

    private static List<Range> Ranges(OwnedRun run, bool decays, float* first, float* second)
    {
        var ranges = new List<Range>();
        foreach ((long start, long length) in FlatSums.Ranges(0, run.Length))
        {
            ranges.Add(
                new Range
                {
                    Start = run.Start + start,
                    Length = length,
                    First = first + start,
                    Second = second + start,
                    Decays = decays,
                }
            );
        }

        return ranges;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateRange(
        float* weights,
        float* gradients,
        float* first,
        float* second,
        long count,
        Step step,
        float keep
    )
    {
        Vector<float> clip = new(step.Clip);
        Vector<float> beta1 = new(step.Beta1);
        Vector<float> beta2 = new(step.Beta2);
        Vector<float> rest1 = new(1f - step.Beta1);
        Vector<float> rest2 = new(1f - step.Beta2);
        Vector<float> rate = new(step.Rate);
        Vector<float> root = new(step.RootCorrection);
        Vector<float> epsilon = new(step.Epsilon);
        Vector<float> kept = new(keep);
        long i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> g = Vector.Load(gradients + i) * clip;
            Vector<float> m = (beta1 * Vector.Load(first + i)) + (rest1 * g);
            Vector<float> v = (beta2 * Vector.Load(second + i)) + (rest2 * g * g);
            m.Store(first + i);
            v.Store(second + i);
            ((Vector.Load(weights + i) * kept) - (rate * m / ((Vector.SquareRoot(v) * root) + epsilon))).Store(
                weights + i
            );
        }

        for (; i < count; i++)
        {
            float g = gradients[i] * step.Clip;
            first[i] = (step.Beta1 * first[i]) + ((1f - step.Beta1) * g);
            second[i] = (step.Beta2 * second[i]) + ((1f - step.Beta2) * g * g);
            weights[i] =
                (weights[i] * keep)
                - (step.Rate * first[i] / ((MathF.Sqrt(second[i]) * step.RootCorrection) + step.Epsilon));
        }
    }

    // Start is in the flat weights; First and Second are where the moments of the same elements lie.
    private struct Range
    {
        public long Start;
        public long Length;
        public float* First;
        public float* Second;
        public bool Decays;
    }

    // Rate is η/(1 − β₁ᵘ), RootCorrection 1/√(1 − β₂ᵘ).
    private readonly record struct Step(
        float Clip,
        float Beta1,
        float Beta2,
        float Rate,
        float RootCorrection,
        float Epsilon
    );
}
