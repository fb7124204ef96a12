using Saltern.Corpora;
using Saltern.Files;
using Saltern.Tokenization;

namespace Saltern.Shards;

/// <summary>Turns documents into a data set: token shards by domain and split, a copy of the tokenizer, and <c>dataset.json</c>.</summary>
/// <remarks>
/// Layout: <c>dataset.json</c>, <c>tokenizer.json</c>, <c>train/&lt;domain&gt;.bin</c> and <c>.idx</c>, <c>valid/&lt;domain&gt;.bin</c> and <c>.idx</c>.
/// Documents stay in reading order, each ended by the end-of-text token. The same documents in the same order give the same files, byte for byte,
/// whether the work was interrupted or not.
/// </remarks>
public static class DatasetBuilder
{
    /// <summary>Prepares a data set from files; where an earlier run over the same files was interrupted, resumes it.</summary>
    /// <param name="train">The text; read once, streaming.</param>
    /// <param name="valid">Validation text, read before the other; <see langword="null"/> to split it off <paramref name="train"/> by hash.</param>
    /// <param name="tokenizer">Makes the tokens; its <c>Encode</c> is called from several threads at once.</param>
    /// <param name="outFolder">Folder of the data set; created where it does not exist.</param>
    /// <param name="options">How; <see langword="null"/> for the defaults.</param>
    /// <param name="progress">Told about ten times a second, at every point that the work can be resumed from, and at the end.</param>
    /// <param name="cancellation">Ends the work; what was written stays, for the next run to resume.</param>
    /// <returns>Counts, and the manifest as written.</returns>
    /// <exception cref="ConfigurationException">An option is out of range.</exception>
    /// <exception cref="DataFormatException">
    /// The folder holds something that is not to be replaced, or unfinished work of another job, or there was no document, or too much was broken; in the last two cases nothing is left.
    /// </exception>
    /// <exception cref="SalternException">The folder cannot be written.</exception>
    public static PrepareSummary Build(
        CorpusReader train,
        CorpusReader? valid,
        BpeTokenizer tokenizer,
        string outFolder,
        DatasetBuilderOptions? options = null,
        IProgress<PrepareProgress>? progress = null,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options = Checked(options);
        Settle(train, valid, tokenizer);
        return Claiming(
            outFolder,
            tokenizer,
            options,
            PrepareJob.Of(train, valid, tokenizer.Fingerprint, options),
            (folder, job) =>
            {
                using var point = new ResumePoint(folder, job!);
                ReadingState? from = folder.Resumed?.Reading;

                // Several ranks end together: reading itself is not interrupted.
                bool isShared = options.Ranks.Size > 1;
                CancellationToken reading = isShared ? CancellationToken.None : cancellation;
                var run = new PrepareRun(folder, tokenizer, options, point, Names(train, valid));
                run.Read(
                    Documents(train, from?.Train, reading),
                    valid is null ? null : Documents(valid, from?.Valid, reading),
                    split => new ReadingState(train.State, valid?.State, split)
                );
                return run.Run(progress, cancellation);
            }
        );
    }

    /// <summary>What ranks other than the first do while that one builds: reads all, encodes a share, writes nothing.</summary>
    /// <param name="train">As on rank 0.</param>
    /// <param name="valid">As on rank 0.</param>
    /// <param name="tokenizer">As on rank 0.</param>
    /// <param name="options">As on rank 0, with its own ranks.</param>
    /// <param name="cancellation">Ends the work on all ranks.</param>
    /// <exception cref="OperationCanceledException">Some rank was cancelled.</exception>
    internal static void Assist(
        CorpusReader train,
        CorpusReader? valid,
        BpeTokenizer tokenizer,
        DatasetBuilderOptions options,
        CancellationToken cancellation = default
    )
    {
        options.Validate();
        Settle(train, valid, tokenizer);
        (ReadingState? from, UInt128[] hashes, ulong[] near) = SharedPreparation.Listen(options.Ranks);
        var split = new DocumentSplit(
            options.ValidPercent,
            remember: null,
            options.Overlap,
            NearFilter.Of(options, Names(train, valid))
        );
        if (from is not null)
        {
            split.Restore(from.Split, hashes, near.Chunk(NearDuplicates.RecordLength));
        }

        IEnumerable<SplitDocument> documents = split.Apply(
            Documents(train, from?.Train, CancellationToken.None),
            valid is null ? null : Documents(valid, from?.Valid, CancellationToken.None)
        );
        foreach (
            EncodedDocuments _ in new SharedEncoder(
                tokenizer,
                options.Threads,
                options.Ranks,
                options.ChunkBytes
            ).Encode(documents, reading: null, cancellation)
        )
        {
            // Only rank 0 is given any.
        }
    }

    /// <summary>Prepares a data set from documents of any origin; if it is interrupted, nothing is left.</summary>
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
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(tokenizer);
        options = Checked(options);
        return Claiming(
            outFolder,
            tokenizer,
            options,
            null,
            (folder, _) =>
            {
                var run = new PrepareRun(folder, tokenizer, options, null, []);
                run.Read(train, valid, null);
                return run.Run(progress, cancellation);
            }
        );
    }

    // Validation text is read as the training text is, so that both have the same domains.
    private static void Settle(CorpusReader train, CorpusReader? valid, BpeTokenizer tokenizer)
    {
        AddedToken[] special = [.. tokenizer.Definition.AddedTokens.Where(token => token.IsSpecial)];
        train.Marks = new SpecialMarks(
            special.FirstOrDefault(token => token.Id == tokenizer.EndOfTextId)?.Content ?? SpecialMarks.UsualEnd,
            special.Select(token => token.Content)
        );
        if (valid is null)
        {
            return;
        }

        valid.Marks = train.Marks;
        if (valid.Options.IsDomainAutomatic && train.Domains.Options.Domains is { } domains)
        {
            valid.Domains = new DomainDecision(valid.Options with { Domains = domains }, null);
        }
    }

    private static IEnumerable<string> Names(CorpusReader train, CorpusReader? valid) =>
        train.Files.Concat(valid?.Files ?? []).Select(file => file.Path);

    private static IEnumerable<TextDocument> Documents(
        CorpusReader reader,
        ReaderState? state,
        CancellationToken cancellation
    ) =>
        reader.ReadDocuments(
            state?.Position ?? default,
            state is null ? new CorpusReadReport() : new CorpusReadReport(state.Counts),
            cancellation
        );

    private static DatasetBuilderOptions Checked(DatasetBuilderOptions? options)
    {
        options ??= new DatasetBuilderOptions();
        options.Validate();
        return options;
    }

    private static PrepareSummary Claiming(
        string outFolder,
        BpeTokenizer tokenizer,
        DatasetBuilderOptions options,
        PrepareJob? job,
        Func<DatasetFolder, PrepareJob?, PrepareSummary> work
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(outFolder);
        try
        {
            using DatasetFolder folder = DatasetFolder.Claim(outFolder, tokenizer, options.Overwrite, job);
            return work(folder, job);
        }
        catch (Exception e) when (SystemLimits.Refuses(e))
        {
            string kept = "Nothing of it was kept.";
            if (DatasetFolder.IsUnfinished(outFolder))
            {
                kept = "What was written is kept: run the same command again to go on.";
            }

            throw new SalternException(
                $"The data set in '{outFolder}' cannot be written: {SystemLimits.Reason(e)} {kept}",
                e
            );
        }
    }
}
