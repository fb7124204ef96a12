using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Models;

/// <summary>Keys and values of the tokens already seen, so that generation computes each token once.</summary>
internal sealed class KeyValueCache : IDisposable
{
    private readonly Dictionary<int, Tensor> _rounded = []; // by block
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;
    private Tensor? _visible; // [B, 1, 1, Capacity], true but for padding; null where there is none
    private int[] _padding;

    /// <summary>Reserves room for <paramref name="capacity"/> tokens of <paramref name="batch"/> sequences.</summary>
    /// <param name="capacity">Tokens per sequence, padding included.</param>
    /// <param name="type">Type of keys and values.</param>
    /// <param name="padding">
    /// Tokens at the beginning of each sequence that nothing behind them sees, so that sequences of different length end together; null for none. Rotary positions are
    /// relative, so padding shifts a sequence without changing it, but for rounding.
    /// </param>
    public KeyValueCache(
        TransformerConfig config,
        long batch,
        long capacity,
        ScalarType type,
        Device device,
        int[]? padding = null
    )
    {
        Capacity = capacity;
        _padding = [];
        if (padding is not null && padding.Any(count => count > 0))
        {
            _padding = padding;
            using DisposeScope scope = NewDisposeScope();
            _visible = arange(capacity, device: device)
                .view(1, 1, 1, capacity)
                .ge(tensor(_padding, device: device).view(batch, 1, 1, 1))
                .DetachFromDisposeScope();
        }

        long[] shape = [batch, config.NumKeyValueHeads, capacity, config.HeadDim];
        _keys =
        [
            .. Enumerable
                .Range(0, config.NumHiddenLayers)
                .Select(_ => zeros(shape, type, device).DetachFromDisposeScope()),
        ];
        _values =
        [
            .. Enumerable
                .Range(0, config.NumHiddenLayers)
                .Select(_ => zeros(shape, type, device).DetachFromDisposeScope()),
        ];
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
    /// <exception cref="InvalidOperationException">The cache is full.</exception>
    public (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        long count = keys.shape[2];
        if (Length + count > Capacity)
        {
            throw new InvalidOperationException($"The cache holds {Capacity} tokens; {Length} + {count} do not fit.");
        }

        _keys[layer].narrow(2, Length, count).copy_(keys);
        _values[layer].narrow(2, Length, count).copy_(values);
        return (_keys[layer].narrow(2, 0, Length + count), _values[layer].narrow(2, 0, Length + count));
    }

    /// <summary>Counts the tokens that every layer has stored.</summary>
    public void Advance(long count) => Length += count;

    /// <summary>Drops all sequences but some, which need no more arithmetic; or continues one in several ways.</summary>
    /// <param name="rows">Those that stay, in their new order; any as often as it is named.</param>
    public void Keep(IReadOnlyList<int> rows)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable _ = no_grad();
        Tensor indices = tensor(rows.Select(row => (long)row).ToArray()).to(_keys[0].device);
        foreach (Tensor[] layers in new[] { _keys, _values })
        {
            for (int layer = 0; layer < layers.Length; layer++)
            {
                layers[layer] = Selected(layers[layer], indices);
            }
        }

        if (_visible is not null)
        {
            _padding = [.. rows.Select(row => _padding[row])];
            _visible = Selected(_visible, indices);
        }
    }

    /// <summary>What the first tokens see: within each sequence everything before, padding left out; null for causal attention.</summary>
    internal AttentionRanges? FirstRanges(int length)
    {
        if (_padding.Length == 0)
        {
            return null;
        }

        // A place of padding sees itself, because no row of attention may be empty.
        int[] first =
        [
            .. _padding.SelectMany(padding => Enumerable.Range(0, length).Select(t => Math.Min(t, padding))),
        ];
        return new AttentionRanges(first, [.. _padding.SelectMany(_ => Enumerable.Range(1, length))], length);
    }

    /// <summary>What the next tokens see; null for everything. The caller owns it.</summary>
    /// <param name="count">T, tokens that come at once.</param>
    /// <param name="window">Tokens each sees at most, itself included; 0 for all. One token's window is left to who cuts the keys.</param>
    /// <returns>[B, 1, 1, Length + 1] for one token, [B or 1, 1, T, Length + T] for several.</returns>
    internal Tensor? NextMask(long count, int window)
    {
        if (count == 1)
        {
            return _visible?.narrow(3, 0, Length + 1);
        }

        using DisposeScope scope = NewDisposeScope();
        Tensor keys = arange(Length + count, device: _keys[0].device).view(1, 1, 1, -1);
        Tensor queries = arange(Length, Length + count, device: _keys[0].device).view(1, 1, -1, 1);
        Tensor mask = keys.le(queries); // [1, 1, T, Length + T]
        if (window > 0)
        {
            mask = mask.logical_and(keys.gt(queries - window));
        }

        if (_visible is not null)
        {
            mask = mask.logical_and(_visible.narrow(3, 0, Length + count));
        }

        return mask.MoveToOuterDisposeScope();
    }

    /// <summary>A weight in the type of products: rounded when first asked for, since weights do not change while texts go on.</summary>
    /// <param name="index">Block of the weight.</param>
    /// <returns>Owned by this cache.</returns>
    public Tensor Rounded(int index, Tensor weight, ScalarType type)
    {
        if (!_rounded.TryGetValue(index, out Tensor? rounded))
        {
            rounded = weight.to(type).DetachFromDisposeScope();
            _rounded.Add(index, rounded);
        }

        return rounded;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _visible?.Dispose();
        foreach (Tensor rounded in _rounded.Values)
        {
            rounded.Dispose();
        }

        foreach (Tensor tensor in _keys.Concat(_values))
        {
            tensor.Dispose();
        }
    }

    private static Tensor Selected(Tensor tensor, Tensor rows)
    {
        Tensor selected = tensor.index_select(0, rows).DetachFromDisposeScope();
        tensor.Dispose();
        return selected;
    }
}
