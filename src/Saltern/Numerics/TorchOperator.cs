// Operators that TorchSharp has no method for. libtorch's stable C interface finds an operator by its schema's name and takes its arguments as 64-bit values: no C++ of ours.
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>Calls operators of the loaded libtorch by name; the one place that knows the C interface (torch/csrc/stable/c/shim.h).</summary>
internal static partial class TorchOperator
{
    // TORCH_ABI_VERSION of the interface that the calls below follow: 2.10.0. A newer libtorch converts from it.
    private const ulong AbiVersion = (2UL << 56) | (10UL << 48);

    private static readonly string[] Functions =
    [
        "torch_call_dispatcher",
        "torch_new_list_reserve_size",
        "torch_list_push_back",
        "aoti_torch_new_tensor_handle",
    ];

    private static readonly Lazy<string?> Missing = new(() => MissingIn("torch_cpu"));

    /// <summary>Calls an operator that gives tensors, or nothing.</summary>
    /// <param name="name">With its namespace, such as <c>aten::_fused_adamw_</c>.</param>
    /// <param name="overload">Such as <c>tensor_lr</c>; empty for the operator without one.</param>
    /// <param name="results">Tensors that the schema says it gives back; any other number is an error of the caller that nothing finds.</param>
    /// <param name="arguments">All of the schema, in its order, those with defaults included; taken over.</param>
    /// <returns>What it gave; the caller's scope owns it.</returns>
    /// <exception cref="PlatformNotSupportedException">The loaded libtorch lacks the interface or the operator, or the operator refused its arguments.</exception>
    public static unsafe Tensor[] Call(
        string name,
        string overload,
        int results,
        params ReadOnlySpan<OperatorArgument> arguments
    )
    {
        if (Missing.Value is string missing)
        {
            throw new PlatformNotSupportedException(missing);
        }

        ulong* stack = stackalloc ulong[Math.Max(arguments.Length, results) + 1];
        for (int i = 0; i < arguments.Length; i++)
        {
            stack[i] = arguments[i].Bits;
        }

        if (CallDispatcher(name, overload, stack, AbiVersion) != 0)
        {
            // Whether the arguments were taken over by then nobody says; freeing them twice would be worse than not at all.
            string full = overload.Length == 0 ? name : $"{name}.{overload}";
            throw new PlatformNotSupportedException(
                $"libtorch {LibtorchVersion.Loaded()} has no operator {full} as it is called here, or the operator refused its arguments; "
                    + "libtorch has written the reason to the standard error. Saltern is made for libtorch 2.10."
            );
        }

        var tensors = new Tensor[results];
        for (int i = 0; i < results; i++)
        {
            tensors[i] = Tensor.UnsafeCreateTensor((nint)stack[i]);
        }

        return tensors;
    }

    /// <summary>What a library lacks of the interface, as a sentence; null where all is there.</summary>
    /// <param name="library">Name or path; one that is loaded already is found by its name.</param>
    internal static string? MissingIn(string library)
    {
        if (!NativeLibrary.TryLoad(library, typeof(TorchOperator).Assembly, null, out nint handle))
        {
            return $"{library} cannot be loaded, so libtorch's operators cannot be called by name.";
        }

        string[] missing = [.. Functions.Where(function => !NativeLibrary.TryGetExport(handle, function, out _))];
        if (missing.Length == 0)
        {
            return null;
        }

        return $"{library} has no {string.Join(", ", missing)}, by which operators are called by name: it is older than libtorch 2.10. "
            + "Use libtorch 2.10 or later (docs/cuda.md).";
    }

    /// <summary>Turns a status that is not 0 into an exception.</summary>
    internal static void Check(int status, string function)
    {
        if (status != 0)
        {
            throw new InvalidOperationException($"libtorch's {function} failed (status {status}).");
        }
    }

    [LibraryImport("torch_cpu", EntryPoint = "torch_call_dispatcher", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int CallDispatcher(string name, string overload, ulong* stack, ulong abiVersion);

    [LibraryImport("torch_cpu", EntryPoint = "aoti_torch_new_tensor_handle")]
    internal static partial int NewHandle(nint tensor, out nint handle);

    [LibraryImport("torch_cpu", EntryPoint = "torch_new_list_reserve_size")]
    internal static partial int NewList(nuint size, out nint list);

    [LibraryImport("torch_cpu", EntryPoint = "torch_list_push_back")]
    internal static partial int PushBack(nint list, ulong value);
}
