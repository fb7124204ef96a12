using Saltern.Models;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Optimization;

/// <summary>A few weights with one of everything an optimizer tells apart: embedding, fused and single matrices of a layer, a norm.</summary>
internal static class SampleWeights
{
    public const string Embedding = "model.embed_tokens.weight";
    public const string Query = "model.layers.0.self_attn.q_proj.weight";
    public const string Key = "model.layers.0.self_attn.k_proj.weight";
    public const string Down = "model.layers.0.mlp.down_proj.weight";
    public const string Norm = "model.norm.weight";

    /// <summary>Random weights; q [9, 7] and k [5, 7] are one block, down is [7, 19]: no size is a multiple of a vector width.</summary>
    public static ParameterSet Create(ScalarType type = ScalarType.Float32)
    {
        var layout = new ParameterLayout();
        layout.Add(7, (Embedding, 13));
        layout.Add(7, (Query, 9), (Key, 5));
        layout.Add(19, (Down, 7));
        layout.Add(null, (Norm, 7));
        var parameters = new ParameterSet(layout, trainable: true, type);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        manual_seed(1);
        foreach (ParameterSlice slice in layout.Slices)
        {
            parameters.Weight(slice).copy_(randn(slice.Shape).mul(0.3));
        }

        return parameters;
    }

    /// <summary>Sets gradients that depend on the update alone; their norm is about 16, so that a limit of 1 clips.</summary>
    public static void SetGradients(ParameterSet parameters, int update)
    {
        using DisposeScope scope = NewDisposeScope();
        using var generator = new Generator((ulong)update, CPU);
        foreach (ParameterSlice slice in parameters.Layout.Slices)
        {
            parameters
                .FlatGradients.narrow(0, slice.Offset, slice.Count)
                .copy_(randn([slice.Count], ScalarType.Float32, CPU, generator: generator) * (1.0 + (0.1 * update)));
        }
    }

    /// <summary>Makes updates first … last with the gradients of <see cref="SetGradients"/>.</summary>
    public static void Run(Optimizer optimizer, ParameterSet parameters, int first, int last, double learningRate)
    {
        for (int update = first; update <= last; update++)
        {
            SetGradients(parameters, update);
            optimizer.Update(learningRate, optimizer.GradientNorm());
        }
    }

    /// <summary>A copy of one weight as float64, [shape].</summary>
    public static Tensor Copy(ParameterSet parameters, string name)
    {
        using Tensor view = parameters.Weight(Slice(parameters, name));
        return view.to(ScalarType.Float64, copy: true);
    }

    /// <summary>A copy of one weight's gradient as float64, [shape].</summary>
    public static Tensor Gradient(ParameterSet parameters, string name)
    {
        ParameterSlice slice = Slice(parameters, name);
        return parameters
            .FlatGradients.narrow(0, slice.Offset, slice.Count)
            .view(slice.Shape)
            .to(ScalarType.Float64, copy: true);
    }

    public static float[] All(ParameterSet parameters) =>
        [
            .. parameters.Layout.Slices.SelectMany(slice =>
                parameters.Weight(slice).to(ScalarType.Float32).data<float>().ToArray()
            ),
        ];

    private static ParameterSlice Slice(ParameterSet parameters, string name) =>
        parameters.Layout.Slices.Single(slice => slice.Name == name);
}
