using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Cosines and sines of the rotary position angles, in Hugging Face's half-split layout (RoFormer, arXiv:2104.09864).</summary>
/// <remarks>Angle of pair i at position t: t·freq with freq = base^(−2i/A_r), or as <see cref="RopeScalingConfig"/> changes it; A_r = A, or the part of a head that is turned. Pair i is made of the elements i and i + A_r/2 of a head.</remarks>
internal sealed class RotaryTable : IDisposable
{
    private readonly Tensor _cosines;
    private readonly Tensor _sines;

    /// <summary>Computes the table in float64 for positions 0 … length − 1 and keeps it in the model's type.</summary>
    public RotaryTable(long length, TransformerConfig config, ScalarType type, Device device)
    {
        Length = length;
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor angles = outer(arange(length, ScalarType.Float64), tensor(Frequencies(config))); // [length, A_r/2]
        angles = cat([angles, angles], dim: 1); // [length, A_r]
        _cosines = angles.cos().to(type).to(device).DetachFromDisposeScope();
        _sines = angles.sin().to(type).to(device).DetachFromDisposeScope();
    }

    /// <summary>Radians a token of each pair, [A_r/2], float64.</summary>
    public static double[] Frequencies(TransformerConfig config)
    {
        using DisposeScope scope = NewDisposeScope();
        double[] plain = pow(
                config.RopeTheta,
                arange(0, config.RotaryDim, 2, ScalarType.Float64).div(-config.RotaryDim)
            )
            .data<double>()
            .ToArray();
        if (config.RopeScaling is RopeScalingConfig scaling)
        {
            return [.. plain.Select(scaling.Scale)];
        }

        return plain;
    }

    /// <summary>Number of positions.</summary>
    public long Length { get; }

    /// <summary>Rows for positions start … start + length − 1, each [1, length, 1, A_r]; views that the caller owns.</summary>
    public (Tensor Cosines, Tensor Sines) Rows(long start, long length) =>
        (
            _cosines.narrow(0, start, length).unsqueeze(0).unsqueeze(2),
            _sines.narrow(0, start, length).unsqueeze(0).unsqueeze(2)
        );

    /// <inheritdoc/>
    public void Dispose()
    {
        _cosines.Dispose();
        _sines.Dispose();
    }
}
