using System.Buffers;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>Says between which characters no merge can ever happen, so that text without pre-tokens falls into words that are merged apart, with the same ids.</summary>
/// <remarks>
/// A token's spelling is always the text it stands for. So the two sides of a merge meet at a pair of characters: the last of the left one and the first of
/// the right one. Where no rule has such a pair, nothing crosses.
/// </remarks>
internal sealed class MergeBoundaries
{
    private readonly HashSet<ulong> _bridged = [];

    /// <summary>Collects the pairs of all rules.</summary>
    /// <param name="spellings">The tokens' spellings, by id.</param>
    /// <param name="merges">The rules.</param>
    /// <param name="isUnspelled">Whether an id stands for characters that are not its spelling: bytes, or the unknown token.</param>
    public MergeBoundaries(IReadOnlyList<string?> spellings, IEnumerable<Merge> merges, Func<int, bool> isUnspelled)
    {
        foreach (var merge in merges)
        {
            _bridged.Add(Pair(Last(spellings[merge.Left]!), First(spellings[merge.Right]!)));
            MergesUnspelled |= isUnspelled(merge.Left) || isUnspelled(merge.Right);
        }
    }

    /// <summary>Whether a rule has a side that is no text: around such tokens nothing may be cut.</summary>
    public bool MergesUnspelled { get; }

    /// <summary>Whether a merge can join what ends in one character with what begins with another.</summary>
    public bool CanJoin(int left, int right) => _bridged.Contains(Pair(left, right));

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private static int First(string spelling) =>
        Rune.DecodeFromUtf16(spelling, out var rune, out _) == OperationStatus.Done ? rune.Value : -1;

    private static int Last(string spelling) =>
        Rune.DecodeLastFromUtf16(spelling, out var rune, out _) == OperationStatus.Done ? rune.Value : -1;
}
