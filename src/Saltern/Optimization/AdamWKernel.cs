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
    private readonly ParallelOptions _parallel;
    private readonly bool _takesMomentum;
    private readonly List<AdamWGroup> _groups = [];
    private readonly List<Range> _ranges = [];

    /// <summary>Plans the work, in ranges that do not depend on the number of threads.</summary>
    /// <param name="weights">The weights to update, and the group of each.</param>
    /// <param name="state">Holds the moments that <see cref="StateOf"/> names.</param>
    /// <param name="takesMomentum">Whether a scheduled momentum is β₁ here.</param>
    public AdamWKernel(
        ParameterSet parameters,
        IEnumerable<(ParameterSlice Slice, AdamWGroup Group)> weights,
        OptimizerState state,
        ParallelOptions parallel,
        bool takesMomentum
    )
    {
        (_parameters, _parallel, _takesMomentum) = (parameters, parallel, takesMomentum);
        foreach ((ParameterSlice slice, AdamWGroup group) in weights)
        {
            Add(
                new OwnedRun(slice.Offset, slice.Count, 0),
                group,
                state.AddressOf(OptimizerTensor.FirstMoment + slice.Name),
                state.AddressOf(OptimizerTensor.SecondMoment + slice.Name)
            );
        }
    }

    /// <summary>Plans the work for some runs of the flat weights, wherever they begin.</summary>
    /// <param name="runs">The runs, and the group of each.</param>
    /// <param name="first">First moments of all runs, one after the other.</param>
    /// <param name="second">Second moments, the same way.</param>
    /// <param name="takesMomentum">Whether a scheduled momentum is β₁ here.</param>
    public AdamWKernel(
        ParameterSet parameters,
        IEnumerable<(OwnedRun Run, AdamWGroup Group)> runs,
        float* first,
        float* second,
        ParallelOptions parallel,
        bool takesMomentum
    )
    {
        (_parameters, _parallel, _takesMomentum) = (parameters, parallel, takesMomentum);
        foreach ((OwnedRun run, AdamWGroup group) in runs)
        {
            Add(run, group, first + run.At, second + run.At);
        }
    }

    /// <summary>The two moments of a weight.</summary>
    public static IEnumerable<(string Name, long[] Shape)> StateOf(ParameterSlice slice) =>
        [
            (OptimizerTensor.FirstMoment + slice.Name, slice.Shape),
            (OptimizerTensor.SecondMoment + slice.Name, slice.Shape),
        ];

    /// <summary>One update; elementwise, so the same bits for any number of threads.</summary>
    public void Update(UpdateStep step)
    {
        float* weights = (float*)TensorAddress.Of(_parameters.FlatWeights);
        float* gradients = (float*)TensorAddress.Of(_parameters.FlatGradients);
        Step[] steps = [.. _groups.Select(group => new Step(group.At(step, _takesMomentum)))];
        ParallelRanges.Run(
            _ranges.Count,
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
                    steps[range.Group]
                );
            }
        );
    }

    private void Add(OwnedRun run, AdamWGroup group, float* first, float* second)
    {
        int index = _groups.IndexOf(group);
        if (index < 0)
        {
            index = _groups.Count;
            _groups.Add(group);
        }

        foreach ((long start, long length) in FlatSums.Ranges(0, run.Length))
        {
            _ranges.Add(
                new Range
                {
                    Start = run.Start + start,
                    Length = length,
                    First = first + start,
                    Second = second + start,
                    Group = index,
                }
            );
        }
    }

    /// <summary>One update of some weights in a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void UpdateRange(
        float* weights,
        float* gradients,
        float* first,
        float* second,
        long count,
        Step step
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
        Vector<float> kept = new(step.Keep);
        Vector<float> limit = new(step.Agreement);
        long i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> g = Vector.Load(gradients + i) * clip;
            Vector<float> m = (beta1 * Vector.Load(first + i)) + (rest1 * g);
            Vector<float> v = (beta2 * Vector.Load(second + i)) + (rest2 * g * g);
            m.Store(first + i);
            v.Store(second + i);
            Vector<float> w = Vector.Load(weights + i);
            Vector<float> update = rate * m / ((Vector.SquareRoot(v) * root) + epsilon);
            Vector<float> keep = Vector.ConditionalSelect(
                Vector.GreaterThan(update * w, limit),
                kept,
                Vector<float>.One
            );
            ((w * keep) - update).Store(weights + i);
        }

        for (; i < count; i++)
        {
            float g = gradients[i] * step.Clip;
            first[i] = (step.Beta1 * first[i]) + ((1f - step.Beta1) * g);
            second[i] = (step.Beta2 * second[i]) + ((1f - step.Beta2) * g * g);
            float update = step.Rate * first[i] / ((MathF.Sqrt(second[i]) * step.RootCorrection) + step.Epsilon);
            float keep = update * weights[i] > step.Agreement ? step.Keep : 1f;
            weights[i] = (weights[i] * keep) - update;
        }
    }

    // Start is in the flat weights; First and Second are where the moments of the same elements lie.
    private struct Range
    {
        public long Start;
        public long Length;
        public float* First;
        public float* Second;
        public int Group;
    }

    /// <summary><see cref="AdamWStep"/> in the kernel's own type.</summary>
    internal readonly struct Step(AdamWStep step)
    {
        public float Clip { get; } = (float)step.Clip;

        public float Beta1 { get; } = (float)step.Beta1;

        public float Beta2 { get; } = (float)step.Beta2;

        public float Rate { get; } = (float)step.Rate;

        public float RootCorrection { get; } = (float)step.RootCorrection;

        public float Epsilon { get; } = (float)step.Epsilon;

        public float Keep { get; } = (float)step.Keep;

        // What update · weight has to be above for the weight to decay: anything at all where decay is not cautious.
        public float Agreement { get; } = step.Cautious ? 0f : float.NegativeInfinity;
    }
}
