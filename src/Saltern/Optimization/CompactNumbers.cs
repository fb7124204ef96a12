using Saltern.Numerics;

namespace Saltern.Optimization;

/// <summary>Neighbours of the flat buffer in one <see cref="NumberForm"/>: a moment of a weight, or of a part of one. Owns no memory.</summary>
/// <param name="form">How they are kept.</param>
/// <param name="role">Which random numbers they are rounded by.</param>
/// <param name="place">Place of the first in the flat buffer.</param>
/// <param name="values">The numbers or codes.</param>
/// <param name="scales">A scale for each window that they touch; null where the form has none.</param>
internal sealed unsafe class CompactNumbers(NumberForm form, RoundedValue role, long place, byte* values, float* scales)
{
    /// <summary>First number where they are kept as float32; null elsewhere.</summary>
    public float* Direct => form == NumberForm.Float32 ? (float*)values : null;

    /// <summary>Some of them as float32.</summary>
    /// <param name="first">Where they begin, counted from the first of all; whole windows, but for those at either end of all.</param>
    public void Load(long first, long count, float* to)
    {
        if (form == NumberForm.Float32)
        {
            Buffer.MemoryCopy((float*)values + first, to, count * sizeof(float), count * sizeof(float));
            return;
        }

        float* whole = stackalloc float[NumberWindows.Length];
        byte* codes = stackalloc byte[NumberWindows.Length * sizeof(ushort)];
        int size = NumberWindows.Bytes(form);
        Part part;
        for (long at = first; at < first + count; at += part.Count)
        {
            part = PartAt(at, first + count);
            byte* from = values + (part.At * size);
            if (part.IsWhole)
            {
                Decode(from, part.Window, to + (part.At - first));
                continue;
            }

            Span<byte> padded = new(codes, NumberWindows.Length * size);
            padded.Clear();
            new Span<byte>(from, part.Count * size).CopyTo(padded[(part.Inside * size)..]);
            Decode(codes, part.Window, whole);
            new Span<float>(whole + part.Inside, part.Count).CopyTo(
                new Span<float>(to + (part.At - first), part.Count)
            );
        }
    }

    /// <summary>Keeps some of them, rounded.</summary>
    /// <param name="first">As for <see cref="Load"/>.</param>
    /// <param name="seed">The run's.</param>
    /// <param name="update">u ≥ 1.</param>
    public void Store(long first, long count, float* from, long seed, long update)
    {
        if (form == NumberForm.Float32)
        {
            Buffer.MemoryCopy(from, (float*)values + first, count * sizeof(float), count * sizeof(float));
            return;
        }

        var key = RoundingKey.Of(seed, update, role);
        float* whole = stackalloc float[NumberWindows.Length];
        byte* codes = stackalloc byte[NumberWindows.Length * sizeof(ushort)];
        int size = NumberWindows.Bytes(form);
        Part part;
        for (long at = first; at < first + count; at += part.Count)
        {
            part = PartAt(at, first + count);
            byte* to = values + (part.At * size);
            if (part.IsWhole)
            {
                Encode(from + (part.At - first), to, part.Window, key);
                continue;
            }

            Span<float> padded = new(whole, NumberWindows.Length);
            padded.Clear();
            new Span<float>(from + (part.At - first), part.Count).CopyTo(padded[part.Inside..]);
            Encode(whole, codes, part.Window, key);
            new Span<byte>(codes + (part.Inside * size), part.Count * size).CopyTo(
                new Span<byte>(to, part.Count * size)
            );
        }
    }

    private void Decode(byte* codes, long window, float* to)
    {
        switch (form)
        {
            case NumberForm.BFloat16:
                NumberWindows.WidenBFloat16((ushort*)codes, to);
                break;
            case NumberForm.Signed8:
                NumberWindows.DecodeSigned((sbyte*)codes, scales[window - FirstWindow], to);
                break;
            default:
                NumberWindows.DecodeUnsigned(codes, scales[window - FirstWindow], to);
                break;
        }
    }

    private void Encode(float* from, byte* codes, long window, RoundingKey key)
    {
        long start = window * NumberWindows.Length;
        switch (form)
        {
            case NumberForm.BFloat16:
                NumberWindows.RoundToBFloat16(from, (ushort*)codes, start, key);
                break;
            case NumberForm.Signed8:
                scales[window - FirstWindow] = NumberWindows.EncodeSigned(from, (sbyte*)codes, start, key);
                break;
            default:
                scales[window - FirstWindow] = NumberWindows.EncodeUnsigned(from, codes, start, key);
                break;
        }
    }

    private long FirstWindow => place / NumberWindows.Length;

    // The part from a number on, as far as its window goes; not an iterator, which would leave garbage for every few thousand numbers.
    private Part PartAt(long at, long end)
    {
        long start = place + at;
        int inside = (int)(start % NumberWindows.Length);
        int count = (int)Math.Min(end - at, NumberWindows.Length - inside);
        return new Part(at, count, start / NumberWindows.Length, inside);
    }

    // What lies in one window: first number counted from the first of all, how many, the window, and their place inside it.
    private readonly record struct Part(long At, int Count, long Window, int Inside)
    {
        public bool IsWhole => Count == NumberWindows.Length;
    }
}
