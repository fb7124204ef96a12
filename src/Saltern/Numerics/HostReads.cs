using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>Where a training step takes numbers from the device that computes: each time the processor waits until all work before it is done, so they are counted.</summary>
internal static class HostReads
{
    [ThreadStatic]
    private static long Counted;

    /// <summary>Reads that this thread has made.</summary>
    public static long Count => Counted;

    /// <summary>The tensor on the processor; the caller's scope owns it.</summary>
    public static Tensor ToHost(Tensor tensor)
    {
        Counted++;
        return tensor.cpu();
    }

    /// <summary>The one number of a tensor.</summary>
    public static double Number(Tensor scalar)
    {
        Counted++;
        return scalar.item<double>();
    }

    /// <summary>Numbers of a tensor that lies on the processor already and whose copying is over.</summary>
    public static double[] Arrived(Tensor host)
    {
        if (host.device_type != DeviceType.CPU)
        {
            throw new ArgumentException(
                $"A tensor on the processor is needed, not on {host.device_type}.",
                nameof(host)
            );
        }

        Counted++;
        return host.data<double>().ToArray();
    }
}
