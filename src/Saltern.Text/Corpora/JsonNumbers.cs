namespace Saltern.Corpora;

/// <summary>Reads around what Python's <c>json</c> writes and JSON does not have: NaN, Infinity and -Infinity.</summary>
internal static class JsonNumbers
{
    /// <summary>The record with null in place of each, outside of strings; null where it has none.</summary>
    public static byte[]? WithoutNonFinite(ReadOnlySpan<byte> record)
    {
        List<byte> repaired = [];
        var depth = new JsonDepth();
        bool found = false;
        for (int i = 0; i < record.Length; i++)
        {
            int length = depth.InString ? 0 : NonFiniteAt(record[i..]);
            if (length > 0)
            {
                repaired.AddRange("null"u8);
                i += length - 1;
                found = true;
                continue;
            }

            depth.Take(record[i]);
            repaired.Add(record[i]);
        }

        return found ? [.. repaired] : null;
    }

    private static int NonFiniteAt(ReadOnlySpan<byte> rest)
    {
        if (rest.StartsWith("NaN"u8))
        {
            return 3;
        }

        if (rest.StartsWith("Infinity"u8))
        {
            return 8;
        }

        return rest.StartsWith("-Infinity"u8) ? 9 : 0;
    }
}
