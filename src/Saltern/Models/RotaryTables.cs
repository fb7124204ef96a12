using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>The rotary tables of a model: one for all layers, and one for those with a window where their base is another. They grow with the sequences that come.</summary>
internal sealed class RotaryTables(TransformerConfig config, ScalarType type, Device device) : IDisposable
{
    private const long FirstPositions = 4096;
    private RotaryTable? _global;
    private RotaryTable? _local;

    /// <summary>Rows for positions start … start + length − 1, each [1, length, 1, A_r]; views that the caller owns.</summary>
    /// <param name="isLocal">Whether they are for layers with a window and a base of their own.</param>
    public (Tensor Cosines, Tensor Sines) Rows(bool isLocal, long start, long length)
    {
        if (isLocal)
        {
            return Rows(ref _local, isLocal, start, length);
        }

        return Rows(ref _global, isLocal, start, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _global?.Dispose();
        _local?.Dispose();
    }

    private (Tensor Cosines, Tensor Sines) Rows(ref RotaryTable? table, bool isLocal, long start, long length)
    {
        long end = start + length;
        if (table is null || table.Length < end || DependsOnLength(table, isLocal, end))
        {
            // Not the whole of what the model is meant for at once: a hundred thousand positions would take more memory than a small model's weights.
            long room = Math.Min(config.MaxPositionEmbeddings, Math.Max(FirstPositions, 2 * (table?.Length ?? 0)));
            table?.Dispose();
            table = new RotaryTable(Math.Max(end, room), config, isLocal, type, device);
        }

        return table.Rows(start, length);
    }

    // Whether the table's frequencies are those of another length.
    private bool DependsOnLength(RotaryTable table, bool isLocal, long end) =>
        !isLocal
        && config.RopeScaling?.RopeType == RopeType.Dynamic
        && Math.Max(table.Length, config.MaxPositionEmbeddings) != Math.Max(end, config.MaxPositionEmbeddings);
}
