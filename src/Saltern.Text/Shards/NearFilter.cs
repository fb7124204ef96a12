using System.Globalization;
using Saltern.Corpora;

namespace Saltern.Shards;

/// <summary>Leaves documents out that say nearly the same as one before them, and counts and names them.</summary>
/// <param name="files">Files that documents come from, in an order that is the same on every run and rank; so a resumed run can name those of an earlier one.</param>
/// <param name="remember">Receives what later documents are compared with; null for nobody.</param>
/// <param name="most">As in <see cref="NearDuplicates"/>.</param>
internal sealed class NearFilter(
    IEnumerable<string> files,
    Action<ulong[]>? remember = null,
    int most = NearDuplicates.MostDocuments
)
{
    /// <summary>Near-duplicates that are named.</summary>
    public const int Examples = 5;

    // Origins that no file has can be as many as documents.
    private const int MostNames = 1 << 16;

    private readonly NearDuplicates _seen = new(most);
    private readonly List<string> _names = [.. files.Distinct()];
    private readonly Dictionary<string, int> _numbers = files
        .Distinct()
        .Index()
        .ToDictionary(file => file.Item, file => file.Index + 1, StringComparer.Ordinal);
    private readonly List<string> _examples = [];
    private long _dropped;
    private long _acrossSplit;

    /// <summary>Whether documents were too many to compare all with all.</summary>
    public bool HasForgotten => _seen.HasForgotten;

    /// <summary>The filter that the options ask for; null for none.</summary>
    public static NearFilter? Of(DatasetBuilderOptions options, IEnumerable<string> files, ResumePoint? point = null)
    {
        if (!options.NearDuplicates)
        {
            return null;
        }

        return new NearFilter(files, point is null ? null : point.RememberNear);
    }

    /// <summary>Adds what was counted.</summary>
    public SplitCounts AddTo(SplitCounts counts) =>
        counts with
        {
            NearDuplicates = _dropped,
            NearAcrossSplit = _acrossSplit,
            NearSeen = _seen.Added,
            NearExamples = [.. _examples],
        };

    /// <summary>Goes on from what an earlier run had seen.</summary>
    /// <param name="records">What it gave to be remembered, in its order.</param>
    public void Restore(SplitCounts counts, IEnumerable<ulong[]> records)
    {
        (_dropped, _acrossSplit) = (counts.NearDuplicates, counts.NearAcrossSplit);
        _examples.AddRange(counts.NearExamples ?? []);
        foreach (ulong[] record in records)
        {
            _seen.Restore(record);
        }
    }

    /// <summary>Takes validation text that stays whatever it resembles: later documents are compared with it.</summary>
    public void Keep(TextDocument document)
    {
        Span<byte> signature = stackalloc byte[MinHash.Permutations];
        if (MinHash.TryCompute(document.Utf8.Span, signature))
        {
            Remember(document, signature, isValid: true);
        }
    }

    /// <summary>Whether a document says something new; it is remembered then, and counted otherwise.</summary>
    /// <param name="isValid">Whether it is to be validation text.</param>
    public bool Admits(TextDocument document, bool isValid)
    {
        Span<byte> signature = stackalloc byte[MinHash.Permutations];
        if (!MinHash.TryCompute(document.Utf8.Span, signature))
        {
            return true;
        }

        if (_seen.Find(signature) is not { } match)
        {
            Remember(document, signature, isValid);
            return true;
        }

        _dropped++;
        _acrossSplit += Convert.ToInt64(match.Place.IsValid != isValid);
        if (_examples.Count < Examples)
        {
            string name = Name(document.Source, document.Line ?? document.Place ?? 0);
            string other = "one before it";
            if (match.Place.File > 0)
            {
                other = Name(_names[match.Place.File - 1], match.Place.Line);
            }

            _examples.Add(
                string.Create(CultureInfo.InvariantCulture, $"{name} is like {other} ({match.Similarity:0.00})")
            );
        }

        return false;
    }

    private static string Name(string source, long line) =>
        line == 0 ? source : string.Create(CultureInfo.InvariantCulture, $"{source}:{line}");

    private void Remember(TextDocument document, ReadOnlySpan<byte> signature, bool isValid)
    {
        var place = new NearPlace(Number(document.Source), document.Line ?? document.Place ?? 0, isValid);
        ulong[] record = _seen.Add(signature, place);
        remember?.Invoke(record);
    }

    private int Number(string source)
    {
        if (_numbers.TryGetValue(source, out int number))
        {
            return number <= NearPlace.MostFiles ? number : 0;
        }

        if (_names.Count >= MostNames)
        {
            return 0;
        }

        _names.Add(source);
        _numbers.Add(source, _names.Count);
        return _names.Count;
    }
}
