namespace Saltern.Tokenization;

/// <summary>Turns a pre-token into the ids that merging starts from. Immutable; safe for any number of threads.</summary>
internal abstract class InitialSymbols
{
    /// <summary>Reads a pre-token.</summary>
    /// <param name="word">Its bytes.</param>
    /// <param name="ids">Receives the ids; as long as the word at least.</param>
    /// <param name="uncovered">Bytes of the word that no token stands for: dropped, or given the unknown token.</param>
    /// <returns>How many ids there are.</returns>
    public abstract int Read(ReadOnlySpan<byte> word, Span<int> ids, out int uncovered);
}

/// <summary>What becomes of characters that the vocabulary does not have, as Hugging Face's library does it.</summary>
/// <param name="Id">The unknown token; null to drop them.</param>
/// <param name="Fuses">Whether neighbours share one.</param>
internal readonly record struct UnknownToken(int? Id, bool Fuses);

/// <summary>One id for each byte, of a byte-level vocabulary.</summary>
/// <param name="byteIds">Ids of the 256 bytes; −1 for those without.</param>
internal sealed class ByteSymbols(int[] byteIds, UnknownToken unknown) : InitialSymbols
{
    /// <inheritdoc/>
    public override int Read(ReadOnlySpan<byte> word, Span<int> ids, out int uncovered)
    {
        uncovered = 0;
        var count = 0;
        var isBehindUnknown = false;
        foreach (var value in word)
        {
            var id = byteIds[value];
            if (id >= 0)
            {
                ids[count++] = id;
                isBehindUnknown = false;
                continue;
            }

            uncovered++;
            if (unknown.Id is { } unknownId && !(isBehindUnknown && unknown.Fuses))
            {
                ids[count++] = unknownId;
            }

            isBehindUnknown = true;
        }

        return count;
    }
}
