namespace Saltern.Tests.Kernels;

/// <summary>What runs the kernels of src/Saltern/Kernels: the processor by pocl, or a GPU by its driver. The tests are the same on either.</summary>
internal interface IKernelMachine : IDisposable
{
    /// <summary>Work-items of a group, as common.cl has it.</summary>
    const int Group = 256;

    /// <summary>Runs a kernel and waits for it.</summary>
    /// <param name="arguments">float[], ushort[] and int[] are memory, copied there and back; int, long and float are numbers.</param>
    void Run(string kernel, int groups, params object[] arguments);
}
