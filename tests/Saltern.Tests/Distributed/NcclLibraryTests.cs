using Saltern.Distributed;

namespace Saltern.Tests.Distributed;

/// <summary>What can be known of NCCL without a GPU: how it is found and refused, and which GPU a rank takes.</summary>
public class NcclLibraryTests
{
    [Fact]
    public void ALibraryThatIsNotThere_IsNamed()
    {
        string message = Assert.Throws<ConfigurationException>(() => NcclLibrary.Load("/nowhere/libnccl.so.2")).Message;
        Assert.Contains(
            "SALTERN_NCCL_LIBRARY = /nowhere/libnccl.so.2 cannot be loaded",
            message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ALibraryWithoutTheFunctions_IsRefusedWithTheirNames()
    {
        string message = Assert.Throws<ConfigurationException>(() => NcclLibrary.Load("libc.so.6")).Message;
        Assert.Contains(
            "libc.so.6 is not NCCL 2, or too old a version of it: it has no ncclGetVersion, ",
            message,
            StringComparison.Ordinal
        );
        Assert.All(NcclFunctions.Names, name => Assert.Contains(name, message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null, 1, "1")]
    [InlineData("", 0, "0")]
    [InlineData("4, 6", 1, "6")]
    [InlineData("GPU-5d5b", 3, "GPU-5d5b")] // each rank was given its own
    public void EachRankOfAMachine_TakesItsOwnGpu(string? visible, int indexHere, string expected) =>
        Assert.Equal(expected, NcclCommunicator.DeviceOf(visible, indexHere));

    [Fact]
    public void MoreRanksThanGpus_AreRefused() =>
        Assert.Contains(
            "names 2 GPUs, but this is rank 3 of its machine",
            Assert.Throws<ConfigurationException>(() => NcclCommunicator.DeviceOf("0,1", 2)).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData(22_703, "2.27.3")]
    [InlineData(2_804, "2.8.4")]
    public void Versions_AreReadAsNcclWritesThem(int version, string expected) =>
        Assert.Equal(expected, NcclCommunicator.VersionText(version));
}
