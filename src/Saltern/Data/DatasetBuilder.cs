using System.Diagnostics;
using System.Runtime.InteropServices;
using Saltern.Tokenization;

namespace Saltern.Data;

/// <summary>Turns documents into a data set: token shards by domain and split, a copy of the tokenizer, and <c>dataset.json</c>.</summary>
/// <remarks>
/// Layout: <c>dataset.json</c>, <c>tokenizer.json</c>, <c>train/&lt;domain&gt;.bin</c> and <c>.idx</c>, <c>valid/&lt;domain&gt;.bin</c> and <c>.idx</c>.
/// Documents stay in reading order, each ended by the end-of-text token. The same documents in the same order give the same files, byte for byte.
/// </remarks>
public static class DatasetBuilder
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Prepares a data set.</summary>
    /// <param name="train">The documents; read once, streaming.</param>
    /// <param name="valid">Validation documents, read before the others; <see langword="null"/> to split them off <paramref name="train"/> by hash.</param>
    /// <param name="tokenizer">Makes the tokens; its <c>Encode</c> is called from several threads at once.</param>
    /// <param name="outFolder">Folder of the data set; created where it does not exist.</param>
    /// <param name="options">How; <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told about ten times a second, and at the end.</param>
    /// <param name="cancellation">Ends the work; what was written is removed.</param>
    /// <returns>Counts, and the manifest as written.</returns>
    /// <exception cref="ConfigurationException">An option is out of range.</exception>
    /// <exception cref="DataFormatException">The folder holds something that is not to be replaced, or there was no document, or reading failed.</exception>
    /// <exception cref="SalternException">The folder cannot be written.</exception>
    public static PrepareSummary Build(
        IEnumerable<TextDocument> train,
        IEnumerable<TextDocument>? valid,
        BpeTokenizer tokenizer,
        string outFolder,
        DatasetBuilderOptions? options = null,
        IProgress<PrepareProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentException.ThrowIfNullOrEmpty(outFolder);
        options ??= new DatasetBuilderOptions();
        options.Validate();

        try
        {
            using DatasetFolder folder = DatasetFolder.Claim(outFolder, tokenizer, options.Overwrite);
            return Build(folder, new DocumentSplit(options.ValidPercent), train, valid, tokenizer, options, progress, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SalternException($"The data set in '{outFolder}' cannot be written: {e.Message} Nothing of it was kept.", e);
        }
    }

    private static PrepareSummary Build(
        DatasetFolder folder,
        DocumentSplit split,
        IEnumerable<TextDocument> train,
        IEnumerable<TextDocument>? valid,
        BpeTokenizer tokenizer,
        DatasetBuilderOptions options,
        IProgress<PrepareProgress>? progress,
        CancellationToken cancellation)
    {
        TokenType type = TokenTypes.ForVocabulary(tokenizer.VocabularySize);
        using ShardSet shards = new(folder, type, options.MaxDomains);
        PrepareProgress total = WriteShards(new DocumentEncoder(tokenizer, options.Threads), split.Apply(train, valid), shards, progress, cancellation);
        List<DomainManifest> domains = shards.Complete();
        if (domains.All(domain => domain.Train is null))
        {
            throw new DataFormatException(
                $"No training document is left: {split.Empty} were empty, {split.Duplicates} repeated another one, {split.TrainInValid} are also validation text, "
                + $"{domains.Sum(domain => domain.Valid?.Documents ?? 0)} are validation text. Give more text, or a lower valid percent.");
        }

        DatasetManifest manifest = new()
        {
            Schema = DatasetManifest.CurrentSchema,
            Fingerprint = "",
            TokenizerFingerprint = tokenizer.Fingerprint,
            VocabularySize = tokenizer.VocabularySize,
            EndOfTextId = tokenizer.EndOfTextId,
            TokenDtype = type.Name(),
            Domains = domains,
        };
        manifest = manifest with { Fingerprint = manifest.ComputeFingerprint() };
        cancellation.ThrowIfCancellationRequested();
        folder.Finish(manifest, tokenizer);
        return new PrepareSummary(manifest, total, split.Duplicates, split.TrainInValid, split.Empty);
    }

    private static PrepareProgress WriteShards(
        DocumentEncoder encoder, IEnumerable<SplitDocument> documents, ShardSet shards, IProgress<PrepareProgress>? progress, CancellationToken cancellation)
    {
        Stopwatch clock = Stopwatch.StartNew();
        PrepareProgress done = new(0, 0, 0, TimeSpan.Zero);
        TimeSpan reported = TimeSpan.Zero;
        foreach (EncodedDocuments chunk in encoder.Encode(documents, cancellation))
        {
            ReadOnlySpan<int> tokens = CollectionsMarshal.AsSpan(chunk.Tokens);
            int start = 0;
            long bytes = 0;
            for (int i = 0; i < chunk.Documents.Count; i++)
            {
                shards.Write(chunk.Documents[i], tokens[start..chunk.Ends[i]]);
                start = chunk.Ends[i];
                bytes += chunk.Documents[i].Utf8.Length;
            }

            done = new PrepareProgress(done.Documents + chunk.Documents.Count, done.Bytes + bytes, done.Tokens + start, clock.Elapsed);
            if (done.Elapsed - reported >= ProgressInterval)
            {
                progress?.Report(done);
                reported = done.Elapsed;
            }
        }

        done = done with { Elapsed = clock.Elapsed };
        progress?.Report(done);
        return done;
    }
}
