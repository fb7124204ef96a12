using System.Diagnostics;
using System.Text;

namespace Saltern.Tokenization;

/// <summary>Learns a byte-level BPE from text: the 256 bytes first, then merges by frequency, special tokens last.</summary>
/// <remarks>Sennrich, Haddow and Birch, arXiv:1508.07909, over bytes. Equal documents in equal order give an equal tokenizer, byte for byte.</remarks>
public static class BpeTrainer
{
    private const long BytesBetweenReports = 1 << 20;

    private const int MergesBetweenReports = 64;

    /// <summary>Trains a tokenizer.</summary>
    /// <param name="documents">Texts, read once; special tokens spelled out in them are text.</param>
    /// <param name="options">What the tokenizer is to be.</param>
    /// <param name="cancellationToken">Ends the training between documents or merges.</param>
    /// <returns>A tokenizer of at most the size wanted: fewer where the text has too few pairs that occur often enough.</returns>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static BpeTokenizer Train(
        IEnumerable<string> documents,
        BpeTrainerOptions options,
        CancellationToken cancellationToken = default
    ) => Train(documents, options, progress: null, cancellationToken);

    /// <summary>Trains a tokenizer and tells about every megabyte and every 64 merges, and once at the end.</summary>
    internal static BpeTokenizer Train(
        IEnumerable<string> documents,
        BpeTrainerOptions options,
        IProgress<BpeTrainingProgress>? progress,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(documents);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();

        var preTokenizer = new PreTokenizer([SplitRule.Of(options.Pattern)]);
        var counter = new WordCounter(preTokenizer, options.MaximumDistinctWords);
        var read = CountWords(documents, counter, options, progress, cancellationToken);
        var (vocabulary, merges) = LearnMerges(counter, options, read, progress, cancellationToken);

        var tokens = new List<VocabularyEntry?>();
        for (var id = 0; id < vocabulary.Count; id++)
        {
            tokens.Add(new VocabularyEntry(vocabulary[id].ToArray(), IsLiteral: false));
        }

        var special = options.SpecialTokens.Select(
            (content, i) => new AddedToken(vocabulary.Count + i, content, IsSpecial: true, IsNormalized: false)
        );
        return new BpeTokenizer(
            new TokenizerDefinition
            {
                Tokens =
                [
                    .. tokens,
                    .. options.SpecialTokens.Select(content =>
                        (VocabularyEntry?)new VocabularyEntry(Encoding.UTF8.GetBytes(content), IsLiteral: true)
                    ),
                ],
                Merges = merges,
                AddedTokens = [.. special],
                PreTokenizer = preTokenizer,
            }
        );
    }

    private static BpeTrainingProgress CountWords(
        IEnumerable<string> documents,
        WordCounter counter,
        BpeTrainerOptions options,
        IProgress<BpeTrainingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        var read = new BpeTrainingProgress(0, 0, 0, 0, 0, options.VocabularySize);
        var (count, bytes, reportAt) = (0L, 0L, BytesBetweenReports);
        var buffer = Array.Empty<byte>();
        foreach (var document in documents)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (buffer.Length < Encoding.UTF8.GetMaxByteCount(document.Length))
            {
                buffer = new byte[Encoding.UTF8.GetMaxByteCount(document.Length)];
            }

            var length = Encoding.UTF8.GetBytes(document, buffer);
            counter.Add(buffer.AsSpan(0, length));
            count++;
            bytes += length;
            if (bytes >= reportAt)
            {
                reportAt = bytes + BytesBetweenReports;
                progress?.Report(State());
            }
        }

        return State();

        BpeTrainingProgress State() =>
            read with
            {
                Documents = count,
                TextBytes = bytes,
                DistinctWords = counter.Count,
                PrunedWords = counter.PrunedWords,
            };
    }

    private static (ByteWordIndex Vocabulary, List<Merge> Merges) LearnMerges(
        WordCounter counter,
        BpeTrainerOptions options,
        BpeTrainingProgress read,
        IProgress<BpeTrainingProgress>? progress,
        CancellationToken cancellationToken
    )
    {
        var vocabulary = new ByteWordIndex();
        for (var b = 0; b <= byte.MaxValue; b++)
        {
            vocabulary.Add([(byte)b]);
        }

        // A learned token must not be spelled like a special one: the file tells them apart by spelling.
        byte[][] reserved = [.. options.SpecialTokens.Select(ByteAlphabet.Read).OfType<byte[]>()];
        var pairs = new PairStatistics(counter, options.MinimumFrequency);
        var merges = new List<Merge>();
        while (
            vocabulary.Count + options.SpecialTokens.Count < options.VocabularySize
            && pairs.TryTakeBest(out var left, out var right)
        )
        {
            cancellationToken.ThrowIfCancellationRequested();
            byte[] bytes = [.. vocabulary[left], .. vocabulary[right]];
            if (Array.Exists(reserved, other => other.AsSpan().SequenceEqual(bytes)))
            {
                continue;
            }

            // No other pair spells the same: between two cuts that stay, bytes are merged alike wherever they stand.
            var id = vocabulary.Count;
            var added = vocabulary.Add(bytes);
            Debug.Assert(added == id, "A token was learned twice.");
            merges.Add(new Merge(left, right, id));
            pairs.Merge(left, right, id);
            if (merges.Count % MergesBetweenReports == 0)
            {
                progress?.Report(read with { VocabularySize = vocabulary.Count + options.SpecialTokens.Count });
            }
        }

        progress?.Report(read with { VocabularySize = vocabulary.Count + options.SpecialTokens.Count });
        return (vocabulary, merges);
    }
}
