using Saltern.Numerics;
using Saltern.Runs;
using TorchSharp;

namespace Saltern.Tests.Numerics;

// A result names the libtorch that ran, which need not be the one TorchSharp was made for (docs/cuda.md).
public class LibtorchVersionTests
{
    [Fact]
    public void TheLoadedLibrary_IsAsked()
    {
        string version = LibtorchVersion.Loaded();
        Assert.Matches(@"^2\.\d+\.\d+$", version);
        Assert.Equal(version, MachineDescription.Versions()["libtorch"]);
        if (File.Exists(Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "libtorch_cpu.so")))
        {
            // The package that came with the build is the one TorchSharp names.
            Assert.StartsWith(version + ".", torch.__version__ + ".", StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0x020A_0000_0000_0000, "2.10.0")]
    [InlineData(0x020B_0100_0000_0007, "2.11.1")]
    public void MajorMinorAndPatch_AreTheHighestBytes(ulong version, string expected) =>
        Assert.Equal(expected, LibtorchVersion.Text(version));
}
