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
    /// <param name="isLocal">Whether it is that of layers with a window and a base of their own.</param>
    public RotaryTable(long length, TransformerConfig config, bool isLocal, ScalarType type, Device device)
    {
        Length = length;
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor angles = outer(arange(length, ScalarType.Float64), tensor(Frequencies(config, isLocal, length))); // [length, A_r/2]
        angles = cat([angles, angles], dim: 1); // [length, A_r]
        double magnitude = isLocal ? 1 : config.RopeScaling?.Magnitude ?? 1;
        _cosines = angles.cos().mul(magnitude).to(type).to(device).DetachFromDisposeScope();
        _sines = angles.sin().mul(magnitude).to(type).to(device).DetachFromDisposeScope();
    }

    /// <summary>Radians a token of each pair, [A_r/2], float64.</summary>
    /// <param name="isLocal">As in the constructor.</param>
    /// <param name="length">Tokens of the sequence; what is no longer than the model is meant for changes nothing.</param>
    public static double[] Frequencies(TransformerConfig config, bool isLocal = false, long length = 0)
    {
        if (isLocal && config.RopeLocalBaseFreq is double local)
        {
            return Plain(local, config.RotaryDim);
        }

        return config.RopeScaling?.Frequencies(config.RopeTheta, config.RotaryDim, config.MaxPositionEmbeddings, length)
            ?? Plain(config.RopeTheta, config.RotaryDim);
    }

    /// <summary>Frequencies without scaling, base^(−2i/A_r), [A_r/2].</summary>
    /// <param name="turned">A_r.</param>
    public static double[] Plain(double theta, int turned)
    {
        using DisposeScope scope = NewDisposeScope();
        return pow(theta, arange(0, turned, 2, ScalarType.Float64).div(-turned)).data<double>().ToArray();
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
