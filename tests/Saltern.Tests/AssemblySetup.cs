using System.Runtime.CompilerServices;
using Saltern.Numerics;

// libtorch's threads and dispose scopes belong to one thread at a time; tests that share a process share its cores too.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Saltern.Tests;

internal static class AssemblySetup
{
    // As the program does: before the first tensor.
    [ModuleInitializer]
    internal static void Prepare() => NativeRuntime.Configure(tuneAllocator: true);
}
