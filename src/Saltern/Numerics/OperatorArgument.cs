using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>One argument of a libtorch operator, in the form of its stable C interface: 64 bits, which are a number or own what they point to.</summary>
/// <remarks>What is owned goes over to libtorch with the call, so an argument serves one call only (torch/csrc/stable/library.h, StableIValue).</remarks>
internal readonly unsafe record struct OperatorArgument(ulong Bits)
{
    /// <summary>An optional argument that is left out.</summary>
    public static OperatorArgument None => new(0);

    /// <summary>A tensor; the operator sees the same memory.</summary>
    public static implicit operator OperatorArgument(Tensor tensor)
    {
        TorchOperator.Check(TorchOperator.NewHandle(tensor.Handle, out nint handle), "aoti_torch_new_tensor_handle");
        return new OperatorArgument((ulong)handle);
    }

    /// <summary>A float.</summary>
    public static implicit operator OperatorArgument(double value) => new(BitConverter.DoubleToUInt64Bits(value));

    /// <summary>An int.</summary>
    public static implicit operator OperatorArgument(long value) => new((ulong)value);

    /// <summary>A bool.</summary>
    public static implicit operator OperatorArgument(bool value) => new(value ? 1UL : 0UL);

    /// <summary>A list of tensors.</summary>
    public static implicit operator OperatorArgument(Tensor[] tensors) =>
        List([.. tensors.Select(tensor => (OperatorArgument)tensor)]);

    /// <summary>A list of ints.</summary>
    public static implicit operator OperatorArgument(long[] values) =>
        List([.. values.Select(value => (OperatorArgument)value)]);

    /// <summary>An optional tensor.</summary>
    public static OperatorArgument Optional(Tensor? tensor) => tensor is null ? None : Some(tensor);

    /// <summary>An optional float.</summary>
    public static OperatorArgument Optional(double? value) => value is double number ? Some(number) : None;

    // libtorch frees the cell by C++'s delete, which is free() for what malloc gave.
    private static OperatorArgument Some(OperatorArgument value)
    {
        ulong* cell = (ulong*)NativeMemory.Alloc(sizeof(ulong));
        *cell = value.Bits;
        return new OperatorArgument((ulong)cell);
    }

    private static OperatorArgument List(OperatorArgument[] values)
    {
        TorchOperator.Check(TorchOperator.NewList((nuint)values.Length, out nint list), "torch_new_list_reserve_size");
        foreach (OperatorArgument value in values)
        {
            TorchOperator.Check(TorchOperator.PushBack(list, value.Bits), "torch_list_push_back");
        }

        return new OperatorArgument((ulong)list);
    }
}
