using System.Runtime.InteropServices;
using TorchSharp;

namespace Saltern.Numerics;

/// <summary>Which libtorch runs: TorchSharp only knows the one it was made for, and another may lie in its place, such as PyTorch's own for CUDA.</summary>
internal static partial class LibtorchVersion
{
    /// <summary>Version of the loaded library, such as 2.10.0; where it does not say, as older ones, that, and the one TorchSharp was made for.</summary>
    public static string Loaded()
    {
        try
        {
            return Text(AbiVersion());
        }
        catch (EntryPointNotFoundException)
        {
            return $"not said by the library (TorchSharp is made for {torch.__version__})";
        }
    }

    /// <summary>Major, minor and patch stand in the three highest bytes (TORCH_ABI_VERSION of torch/version.h).</summary>
    internal static string Text(ulong version) => $"{version >> 56}.{version >> 48 & 0xFF}.{version >> 40 & 0xFF}";

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_abi_version")]
    private static partial ulong AbiVersion();
}
