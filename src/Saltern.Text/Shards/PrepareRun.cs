using System.Diagnostics;
using System.Runtime.InteropServices;
using Saltern.Corpora;
using Saltern.Tokenization;

namespace Saltern.Shards;

/// <summary>One run of <see cref="DatasetBuilder"/> over a claimed folder: read, split, encode, write, and now and then make a point to resume from.</summary>
internal sealed class PrepareRun(
    DatasetFolder folder,
    BpeTokenizer tokenizer,
    DatasetBuilderOptions options,
    ResumePoint? point,
    IEnumerable<string> files
)
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(100);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly TokenType _type = TokenTypes.ForVocabulary(tokenizer.VocabularySize);
    private readonly DocumentSplit _split = new(
        options.ValidPercent,
        RememberedBy(point),
        options.Overlap,
        NearFilter.Of(options, files, point)
    );
    private PrepareProgress _done = folder.Resumed?.Done ?? new(0, 0, 0, TimeSpan.Zero);
    private IEnumerable<TextDocument> _train = [];
    private IEnumerable<TextDocument>? _valid;
    private Func<ReadingState>? _reading;

    /// <summary>Names the documents.</summary>
    /// <param name="train">Training documents, from where an interrupted run had come to.</param>
    /// <param name="valid">Validation documents, likewise; null to split them off.</param>
    /// <param name="reading">Says how far reading has come; null where the run cannot be resumed.</param>
    public void Read(
        IEnumerable<TextDocument> train,
        IEnumerable<TextDocument>? valid,
        Func<SplitCounts, ReadingState>? reading
    )
    {
        (_train, _valid) = (train, valid);
        if (reading is not null)
        {
            _reading = () => reading(_split.Counts);
        }
    }

    /// <summary>Does the work.</summary>
    public PrepareSummary Run(IProgress<PrepareProgress>? progress, CancellationToken cancellation)
    {
        long resumed = _done.Documents;
        using ShardSet shards = new(folder, _type, options.MaxDomains);
        try
        {
            if (folder.Resumed is { } journal)
            {
                shards.Restore(journal.Shards);
                IEnumerable<UInt128> hashes = point!.LoadHashes();
                IEnumerable<ulong[]> near = point.LoadNear();
                UInt128[] toldHashes = [];
                ulong[] toldNear = [];
                if (options.Ranks.Size > 1)
                {
                    toldHashes = [.. hashes];
                    hashes = toldHashes;
                    toldNear = [.. near.SelectMany(record => record)];
                    near = toldNear.Chunk(NearDuplicates.RecordLength);
                }

                _split.Restore(journal.Reading.Split, hashes, near);
                Tell(journal.Reading, toldHashes, toldNear);
            }
            else
            {
                Tell(null, [], []);
            }

            WriteShards(shards, progress, cancellation);
            DatasetManifest manifest = Describe(shards.Complete());
            cancellation.ThrowIfCancellationRequested();
            manifest = folder.Finish(manifest, tokenizer);
            shards.RemoveLengths();
            SplitCounts counts = _split.Counts;
            return new PrepareSummary(manifest, _done)
            {
                DuplicateDocuments = counts.Duplicates,
                TrainDocumentsInValid = counts.TrainInValid,
                EmptyDocuments = counts.Empty,
                OverlappingDocuments =
                [
                    .. (options.Overlap?.Names ?? []).Zip(counts.Overlapping ?? [], KeyValuePair.Create),
                ],
                NearDuplicateDocuments = counts.NearDuplicates,
                NearDuplicatesAcrossSplit = counts.NearAcrossSplit,
                NearDuplicateExamples = counts.NearExamples ?? [],
                NearDuplicatesForgotten = _split.HasForgottenNear,
                ResumedDocuments = resumed,
            };
        }
        catch (Exception e) when (point is { Exists: true } && e is OperationCanceledException or IOException)
        {
            folder.Keep();
            shards.Suspend();
            throw;
        }
    }

    private void WriteShards(ShardSet shards, IProgress<PrepareProgress>? progress, CancellationToken cancellation)
    {
        TimeSpan before = _done.Elapsed;
        TimeSpan reported = before;
        long savedBytes = _done.Bytes;
        ReadingState? written = null;
        try
        {
            IEnumerable<SplitDocument> documents = _split.Apply(_train, _valid);
            foreach (EncodedDocuments chunk in Encode(documents, cancellation))
            {
                Write(shards, chunk, before);
                written = chunk.After;
                bool saves = point is not null && _done.Bytes - savedBytes >= options.CheckpointBytes;
                if (saves)
                {
                    point!.Save(written!, _done, shards);
                    savedBytes = _done.Bytes;
                }

                if (saves || _done.Elapsed - reported >= ProgressInterval)
                {
                    progress?.Report(_done);
                    reported = _done.Elapsed;
                }
            }
        }
        catch (OperationCanceledException) when (written is not null)
        {
            point!.Save(written, _done, shards);
            throw;
        }

        _done = _done with { Elapsed = before + _clock.Elapsed };
        progress?.Report(_done);
    }

    private static Action<UInt128>? RememberedBy(ResumePoint? point) => point is null ? null : point.Remember;

    private IEnumerable<EncodedDocuments> Encode(IEnumerable<SplitDocument> documents, CancellationToken cancellation)
    {
        if (options.Ranks.Size > 1)
        {
            var shared = new SharedEncoder(tokenizer, options.Threads, options.Ranks, options.ChunkBytes);
            return shared.Encode(documents, _reading, cancellation);
        }

        return new DocumentEncoder(tokenizer, options.Threads, options.ChunkBytes).Encode(
            documents,
            _reading,
            cancellation
        );
    }

    private void Tell(ReadingState? reading, UInt128[] hashes, ulong[] near)
    {
        if (options.Ranks.Size > 1)
        {
            SharedPreparation.Tell(options.Ranks, reading, hashes, near);
        }
    }

    private void Write(ShardSet shards, EncodedDocuments chunk, TimeSpan before)
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

        _done = new PrepareProgress(
            _done.Documents + chunk.Documents.Count,
            _done.Bytes + bytes,
            _done.Tokens + start,
            before + _clock.Elapsed
        )
        {
            UncoveredBytes = _done.UncoveredBytes + chunk.UncoveredBytes,
        };
    }

    private DatasetManifest Describe(List<DomainManifest> domains)
    {
        if (domains.All(domain => domain.Train is null))
        {
            SplitCounts counts = _split.Counts;
            long broken = _reading?.Invoke().Train.Counts.BrokenRecords ?? 0;
            string near = counts.NearDuplicates > 0 ? $", {counts.NearDuplicates} resembled another one" : "";
            string refused = broken > 0 ? $", {broken} were broken or refused" : "";
            throw new DataFormatException(
                "No training document is left: "
                    + $"{counts.Empty} were empty, {counts.Duplicates} repeated another one, "
                    + $"{counts.TrainInValid} are also validation text, "
                    + $"{counts.Overlapping?.Sum() ?? 0} share text with an evaluation, "
                    + $"{domains.Sum(domain => domain.Valid?.Documents ?? 0)} are validation text{near}{refused}. "
                    + "Give more text, or a lower valid percent."
            );
        }

        DatasetManifest manifest = new()
        {
            Schema = DatasetManifest.CurrentSchema,
            Fingerprint = "",
            TokenizerFingerprint = tokenizer.Fingerprint,
            VocabularySize = tokenizer.VocabularySize,
            EndOfTextId = tokenizer.EndOfTextId,
            TokenDtype = _type.Name(),
            Domains = domains,
        };
        return manifest with { Fingerprint = manifest.ComputeFingerprint() };
    }
}
