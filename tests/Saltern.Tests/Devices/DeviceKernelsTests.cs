using System.Runtime.InteropServices;
using Saltern.Devices;

namespace Saltern.Tests.Devices;

// What can be known of the loader without a GPU: how it refuses. That it loads and launches is CudaKernelTests' to see.
public class DeviceKernelsTests
{
    private const string Ptx = "//\n.version 7.8\n.target sm_90\n.address_size 64\n";

    [Fact]
    public void WithoutADriver_TheMachineIsNamed()
    {
        Assert.SkipWhen(NativeLibrary.TryLoad("libcuda.so.1", out _), "this machine has an NVIDIA driver");
        string message = Assert
            .Throws<ConfigurationException>(() => DeviceKernels.Load("artifacts/kernels", bfloat16: true))
            .Message;
        Assert.Contains(
            "libcuda.so.1 is not found: this machine has no NVIDIA driver",
            message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("12.4", "9.0", null)]
    [InlineData("11.8", "10.0", null)]
    [InlineData(
        "11.7",
        "9.0",
        "The NVIDIA driver knows CUDA 11.7, and the kernels are PTX 7.8, which needs CUDA 11.8 or later."
    )]
    [InlineData("12.4", "8.6", "X has compute capability 8.6, and the kernels are compiled for 9.0 and later.")]
    public void ADriverOrAGpuThatIsTooOld_IsNamedWithWhatIsNeeded(string cuda, string capability, string? expected)
    {
        string? problem = PtxHeader.Read(Ptx, "a.ptx").Problem(new Version(cuda), new Version(capability), "X");
        if (expected is null)
        {
            Assert.Null(problem);
            return;
        }

        Assert.StartsWith(expected, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("8.0", "12.0", null)]
    [InlineData("8.0", "11.8", "12.0")]
    [InlineData("9.0", "12.9", "13.0")]
    public void LaterPtx_NeedsItsDriversFirstVersion(string ptx, string cuda, string? needed)
    {
        string text = Ptx.Replace("7.8", ptx, StringComparison.Ordinal);
        string? problem = PtxHeader.Read(text, "a.ptx").Problem(new Version(cuda), new Version(9, 0), "X");
        Assert.Equal(
            needed is not null,
            problem?.Contains($"needs CUDA {needed} or later", StringComparison.Ordinal) == true
        );
    }

    [Fact]
    public void AFileThatIsNoPtx_IsNamed() =>
        Assert.Contains(
            "a.ptx is no PTX",
            Assert.Throws<ConfigurationException>(() => PtxHeader.Read("ELF", "a.ptx")).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void TooLittleMemory_IsNamedInBothFigures()
    {
        const long GiB = 1L << 30;
        Assert.Null(DeviceKernels.MemoryProblem(0, 1, 2, "X"));
        Assert.Null(DeviceKernels.MemoryProblem(40 * GiB, 40 * GiB, 80 * GiB, "X"));
        Assert.StartsWith(
            "41.5 GiB of GPU memory are needed at the least, and X has 40.0 of its 80.0 GiB free.",
            DeviceKernels.MemoryProblem(83 * GiB / 2, 40 * GiB, 80 * GiB, "X"),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("8.0", true, "saltern-sm_80-bf16.ptx")]
    [InlineData("8.9", false, "saltern-sm_80-fp32.ptx")]
    [InlineData("9.0", true, "saltern-sm_90-bf16.ptx")]
    [InlineData("12.1", false, "saltern-sm_90-fp32.ptx")]
    public void EachGpu_HasItsFile(string capability, bool bfloat16, string expected) =>
        Assert.Equal(expected, DeviceKernels.FileName(new Version(capability), bfloat16, "X"));

    [Fact]
    public void AGpuOlderThanAll_IsNamed() =>
        Assert.Contains(
            "X has compute capability 7.5, and the kernels are for 8.0 (A100) and later",
            Assert.Throws<ConfigurationException>(() => DeviceKernels.FileName(new Version(7, 5), true, "X")).Message,
            StringComparison.Ordinal
        );
}
