using Saltern.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Kernels;

/// <summary>The processor's OpenCL with the kernels compiled once for each type.</summary>
public sealed class ProcessorKernels : IDisposable
{
    private readonly IKernelMachine?[] _machines = [OpenClMachine.Open(bfloat16: false), OpenClMachine.Open(true)];

    internal KernelChecks Checks(bool bfloat16)
    {
        IKernelMachine? machine = _machines[bfloat16 ? 1 : 0];
        Assert.SkipWhen(
            machine is null,
            "there is no OpenCL for the processor (Debian's pocl-opencl-icd, ocl-icd-libopencl1), "
                + "which runs the kernels of GPUs in tests"
        );
        return new KernelChecks(machine, bfloat16);
    }

    public void Dispose()
    {
        foreach (IKernelMachine? machine in _machines)
        {
            machine?.Dispose();
        }
    }
}

// The arithmetic of the GPU's kernels, from the source that is compiled for GPUs, run on the processor by pocl. What a GPU makes of it is CudaKernelTests' to see.
public class KernelTests(ProcessorKernels kernels) : IClassFixture<ProcessorKernels>
{
    public static TheoryData<string> Requests => LossRequests.Names;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ResidualRmsNorm_IsItsFormula(bool bfloat16) => kernels.Checks(bfloat16).ResidualRmsNorm();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void SwiGlu_IsItsFormula(bool bfloat16) => kernels.Checks(bfloat16).SwiGlu();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rotary_IsItsFormula(bool bfloat16) => kernels.Checks(bfloat16).Rotary();

    [Theory]
    [MemberData(nameof(Requests))]
    public void LossAndGradient_AreTheProcessors(string request)
    {
        using DisposeScope scope = NewDisposeScope();
        kernels.Checks(bfloat16: false).Loss(LossRequests.Of(request));
    }

    [Fact]
    public void HandWorkedExample_GivesLossAndGradient()
    {
        // p = (½, ¼, ¼), q = (¼, ½, ¼), y = 0, ω = ⅔ (LossHeadTests): L = 1.039721, p − m = (0, −1/12, +1/12).
        KernelChecks checks = kernels.Checks(bfloat16: false);
        using DisposeScope scope = NewDisposeScope();
        Tensor student = tensor(new[] { 0.5f, 0.25f, 0.25f }, 1, 3).log();
        Tensor teacher = tensor(new[] { 0.25f, 0.5f, 0.25f }, 1, 3).log();
        checks.Loss(
            new LossRequest
            {
                HiddenStates = student,
                Head = eye(3),
                Labels = [0],
                Omega = [2f / 3f],
                Teacher = new DenseSoftLabels(teacher, 1),
            }
        );
    }

    [Fact]
    public void Muon_IsItsFormula() => kernels.Checks(bfloat16: false).Muon();

    [Fact]
    public void EmbeddingGradient_IsTheSumInTheTextsOrder_ToTheBit() => kernels.Checks(bfloat16: false).Embedding();
}
