using Saltern.Distributed;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Devices;

/// <summary>A few numbers on their way from the device to the processor, which goes on meanwhile and waits for them alone when it reads them.</summary>
/// <remarks>On a GPU a pinned buffer and an event of the driver, which has not been tried; on the processor a copy.</remarks>
internal sealed unsafe class ArrivingNumbers : IDisposable
{
    private readonly Tensor _host;
    private readonly nint _event;

    /// <summary>Makes room.</summary>
    /// <param name="count">Numbers, float64.</param>
    /// <param name="device">Where they come from.</param>
    public ArrivingNumbers(int count, Device device)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor host = zeros(count, ScalarType.Float64);
        if (device.type == DeviceType.CUDA)
        {
            CudaDriver.UseFirstDevice();
            nint made = 0;
            CudaDriver.Check(CudaFunctions.CreateEvent(&made, 0), "cuEventCreate");
            (_event, host) = (made, host.pin_memory());
        }

        _host = host.DetachFromDisposeScope();
    }

    /// <summary>Sends them, behind all work of libtorch's default stream.</summary>
    /// <param name="numbers">[count], float64, on the device.</param>
    public void Send(Tensor numbers)
    {
        FusedOperators.CopyWithoutWaiting(_host, numbers);
        if (_event != 0)
        {
            CudaDriver.Check(CudaFunctions.RecordEvent(_event, 0), "cuEventRecord");
        }
    }

    /// <summary>What was sent last, waited for.</summary>
    public double[] Read()
    {
        if (_event != 0)
        {
            CudaDriver.Check(CudaFunctions.WaitForEvent(_event), "cuEventSynchronize");
        }

        return HostReads.Arrived(_host);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _host.Dispose();
        if (_event != 0)
        {
            _ = CudaFunctions.DestroyEvent(_event);
        }
    }
}
