using Saltern.ModelFiles;

namespace Saltern.Export;

/// <summary>Gives a model's weights in another type and, where a format wants it, in another order of rows; one piece is in memory at a time.</summary>
internal sealed class WeightStream(
    SourceModel model,
    IProgress<WeightProgress>? progress,
    CancellationToken cancellation
)
{
    private readonly long _total = model.Tensors.Sum(entry => entry.Tensor.Count);
    private long _done; // may pass the total: a tied head can be written twice

    /// <summary>A weight as bytes.</summary>
    /// <param name="name">Its name in the source.</param>
    /// <param name="type">Type to convert to.</param>
    /// <param name="reorder">Changes the order of the values, of which it may ask for several passes; null keeps it.</param>
    /// <returns>Pieces that share one buffer.</returns>
    /// <exception cref="DataFormatException">A value is beyond the type's range; found while reading.</exception>
    public IEnumerable<ReadOnlyMemory<byte>> Encode(
        string name,
        WeightType type,
        Func<IEnumerable<Memory<float>>, IEnumerable<Memory<float>>>? reorder = null
    )
    {
        IEnumerable<Memory<float>> pieces = model.Weights.Pieces(name);
        if (reorder is not null)
        {
            pieces = reorder(pieces);
        }

        byte[] buffer = [];
        foreach (Memory<float> piece in pieces)
        {
            cancellation.ThrowIfCancellationRequested();
            int length = checked((int)WeightEncoding.Bytes(type, piece.Length));
            if (buffer.Length < length)
            {
                buffer = new byte[length];
            }

            if (WeightEncoding.Encode(type, piece.Span, buffer.AsSpan(0, length)) is float value)
            {
                throw new DataFormatException(
                    $"{model.Weights.PathOf(name)}: {name} holds {value}, which {WeightTypes.NameOf(type)} cannot hold. "
                        + "Export as bf16 or f32."
                );
            }

            yield return buffer.AsMemory(0, length);
            progress?.Report(
                new WeightProgress(name, Math.Min(_done + piece.Length, _total), _total, IsFirst: _done == 0)
            );
            _done += piece.Length;
        }
    }
}
