using Saltern.Numerics;
using static TorchSharp.torch;

namespace Saltern.Losses;

/// <summary>Brings what is known of some positions from a device to the processor.</summary>
internal static class HostRows
{
    /// <summary>Several vectors in one transfer: each one by itself would make the processor wait for the device.</summary>
    /// <param name="vectors">Each [rows], of any type, on one device.</param>
    /// <returns>As float32, in the order given; a truth value is 0 or 1.</returns>
    public static float[][] Read(params ReadOnlySpan<Tensor> vectors)
    {
        var rows = new Tensor[vectors.Length];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = vectors[i].to(ScalarType.Float32);
        }

        Tensor host = HostReads.ToHost(stack(rows)); // [vectors, rows]
        ReadOnlySpan<float> values = host.data<float>().ToArray();
        int length = (int)host.shape[1];
        float[][] read = new float[rows.Length][];
        for (int i = 0; i < rows.Length; i++)
        {
            read[i] = values.Slice(i * length, length).ToArray();
        }

        return read;
    }
}
