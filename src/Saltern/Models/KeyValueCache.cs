using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Keys and values of the tokens already seen, so that generation computes each token once.</summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <summary>Reserves room for <paramref name="capacity"/> tokens of <paramref name="batch"/> sequences.</summary>
    public KeyValueCache(TransformerConfig config, long batch, long capacity, ScalarType type, Device device)
    {
        Capacity = capacity;
        long[] shape = [batch, config.NumKeyValueHeads, capacity, config.HeadDim];
        _keys = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(_ => zeros(shape, type, device).DetachFromDisposeScope())];
        _values = [.. Enumerable.Range(0, config.NumHiddenLayers).Select(_ => zeros(shape, type, device).DetachFromDisposeScope())];
    }

    /// <summary>Tokens held per sequence.</summary>
    public long Length { get; private set; }

    /// <summary>Tokens there is room for.</summary>
    public long Capacity { get; }

    /// <summary>Stores a layer's new keys and values and returns all of them so far.</summary>
    /// <param name="layer">Index of the layer.</param>
    /// <param name="keys">[B, G, T, A], rotated.</param>
    /// <param name="values">[B, G, T, A].</param>
    /// <returns>Views, [B, G, Length + T, A]; the caller owns the views.</returns>
    /// <exception cref="InvalidOperationException">The cache is full, or several tokens follow others.</exception>
    public (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        long count = keys.shape[2];
        if (Length + count > Capacity)
        {
            throw new InvalidOperationException($"The cache holds {Capacity} tokens; {Length} + {count} do not fit.");
        }

        if (Length > 0 && count > 1)
        {
            throw new InvalidOperationException("Several tokens at once go only into an empty cache.");
        }

        _keys[layer].narrow(2, Length, count).copy_(keys);
        _values[layer].narrow(2, Length, count).copy_(values);
        return (_keys[layer].narrow(2, 0, Length + count), _values[layer].narrow(2, 0, Length + count));
    }

    /// <summary>Counts the tokens that every layer has stored.</summary>
    public void Advance(long count) => Length += count;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor tensor in _keys.Concat(_values))
        {
            tensor.Dispose();
        }
    }
}
