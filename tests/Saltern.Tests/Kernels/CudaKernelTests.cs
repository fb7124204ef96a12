using Saltern.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Kernels;

// KernelTests on a GPU: the same checks, of the PTX. Skipped where there is none, so CI never runs them, and they have not run yet: docs/cuda.md.
public sealed class CudaKernelTests : IDisposable
{
    private readonly CudaMachine[] _machines;

    public CudaKernelTests()
    {
        Assert.SkipUnless(cuda.is_available(), "there is no CUDA device, or this libtorch is built for the CPU");
        Assert.SkipUnless(Directory.Exists(CudaMachine.Folder), "build/kernels.sh has not made artifacts/kernels");
        _machines =
        [
            .. new[] { false, true }.Select(bfloat16 => new CudaMachine(
                DeviceKernels.Load(CudaMachine.Folder, bfloat16)
            )),
        ];
    }

    public static TheoryData<string> Requests => LossRequests.Names;

    public void Dispose() => Array.ForEach(_machines, machine => machine.Dispose());

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ResidualRmsNorm_IsItsFormula(bool bfloat16) => Checks(bfloat16).ResidualRmsNorm();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SwiGlu_IsItsFormula(bool bfloat16) => Checks(bfloat16).SwiGlu();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rotary_IsItsFormula(bool bfloat16) => Checks(bfloat16).Rotary();

    [Theory]
    [MemberData(nameof(Requests))]
    public void LossAndGradient_AreTheProcessors(string request)
    {
        using DisposeScope scope = NewDisposeScope();
        Checks(bfloat16: false).Loss(LossRequests.Of(request));
    }

    [Fact]
    public void Muon_IsItsFormula() => Checks(bfloat16: false).Muon();

    [Fact]
    public void EmbeddingGradient_IsTheSumInTheTextsOrder_ToTheBit() => Checks(bfloat16: false).Embedding();

    private KernelChecks Checks(bool bfloat16) => new(_machines[bfloat16 ? 1 : 0], bfloat16);
}
