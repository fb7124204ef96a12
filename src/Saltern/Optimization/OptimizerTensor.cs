using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Optimization;

/// <summary>One named tensor of an optimizer's state, as a checkpoint keeps it.</summary>
/// <param name="Name">Key: what it is, then the weight it belongs to, e.g. <c>exp_avg.model.norm.weight</c>.</param>
/// <param name="Values">Contiguous, on the optimizer's device; owned by the optimizer. Float32, or what a compact state keeps: bfloat16, codes of a byte.</param>
internal sealed record OptimizerTensor(string Name, Tensor Values)
{
    /// <summary>m₁, AdamW's (and, where kept, Adafactor's) first moment, of the weight's shape.</summary>
    public const string FirstMoment = "exp_avg.";

    /// <summary>m₂, the full second moment, of the weight's shape.</summary>
    public const string SecondMoment = "exp_avg_sq.";

    /// <summary>m₁, Muon's momentum, of the weight's shape.</summary>
    public const string Momentum = "momentum.";

    /// <summary>m_row, Adafactor's second moment of each row, [rows].</summary>
    public const string Row = "row.";

    /// <summary>m_col, Adafactor's second moment of each column, [columns].</summary>
    public const string Column = "column.";

    /// <summary>Muon's second moment of each row of its orthogonal updates, [rows].</summary>
    public const string UpdateRow = "update_row.";

    /// <summary>The same of each column, [columns].</summary>
    public const string UpdateColumn = "update_column.";

    /// <summary>Name of the scales that lie beside a tensor of codes of one byte: <c>exp_avg.</c> has <c>exp_avg_scale.</c>.</summary>
    public static string ScaleOf(string kind) => kind[..^1] + "_scale.";

    /// <summary>All beginnings of names, the longer of two that begin alike first.</summary>
    public static IReadOnlyList<string> Kinds { get; } =
    [SecondMoment, FirstMoment, Momentum, Row, Column, UpdateRow, UpdateColumn];

    /// <summary>Shape of the tensor.</summary>
    public long[] Shape => Values.shape;

    /// <summary>Number of bytes.</summary>
    public long ByteCount => Values.numel() * Values.ElementSize;

    /// <summary>A copy of the values, to be made when it is asked for.</summary>
    public StateBytes Bytes => new(Name, Shape, Values.dtype, () => ToBytes());

    /// <summary>Fills this tensor from a checkpoint's of the same name and shape.</summary>
    public StateSlot Slot => new(Name, Shape, Values.dtype, Fill);

    /// <summary>A copy of the values, little-endian.</summary>
    public byte[] ToBytes()
    {
        using Tensor here = Values.cpu();
        return here.bytes.ToArray();
    }

    /// <summary>Sets the values.</summary>
    /// <param name="read">Fills memory of <see cref="ByteCount"/> bytes, little-endian.</param>
    public void Fill(Action<Span<byte>> read)
    {
        if (Values.device_type == DeviceType.CPU)
        {
            read(Values.bytes);
            return;
        }

        // Not 'using' for what copy_ returns: it is the tensor itself, not a second owner of its memory.
        using Tensor here = empty(Shape, Values.dtype, CPU);
        read(here.bytes);
        Values.copy_(here);
    }
}
