using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Saltern.ModelFiles;

/// <summary>Whether weights are numbers: one NaN makes everything NaN that a model computes.</summary>
internal static class FiniteValues
{
    private const int ExponentBits = 0x7F80_0000; // all set in NaN and infinity alone

    /// <summary>Whether no value is NaN or infinite.</summary>
    public static bool Are(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<int> bits = MemoryMarshal.Cast<float, int>(values);
        var exponent = new Vector<int>(ExponentBits);
        int i = 0;
        for (; i <= bits.Length - Vector<int>.Count; i += Vector<int>.Count)
        {
            if (Vector.EqualsAny(new Vector<int>(bits[i..]) & exponent, exponent))
            {
                return false;
            }
        }

        for (; i < bits.Length; i++)
        {
            if ((bits[i] & ExponentBits) == ExponentBits)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The error that names a tensor and counts what is wrong in it.</summary>
    /// <param name="path">File of the tensor.</param>
    /// <param name="name">The tensor.</param>
    /// <param name="pieces">All its values.</param>
    public static DataFormatException Complaint(string path, string name, IEnumerable<Memory<float>> pieces)
    {
        long nan = 0;
        long infinite = 0;
        long all = 0;
        foreach (Memory<float> piece in pieces)
        {
            all += piece.Length;
            foreach (float value in piece.Span)
            {
                nan += float.IsNaN(value) ? 1 : 0;
                infinite += float.IsInfinity(value) ? 1 : 0;
            }
        }

        return new DataFormatException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{path}: {name} is not finite: {nan:N0} NaN and {infinite:N0} infinite values of {all:N0}. "
            )
                + "Nothing that the model computes would be a number. The file is damaged, or the training that made it broke down: "
                + "get the model again, or take an earlier checkpoint."
        );
    }
}
