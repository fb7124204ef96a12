using System.Text.Json.Serialization;

namespace Saltern.Shards;

/// <summary>How far <see cref="DatasetBuilder"/> has come.</summary>
/// <param name="Documents">Documents encoded and written.</param>
/// <param name="Bytes">UTF-8 bytes of their text.</param>
/// <param name="Tokens">Their tokens, end-of-text included.</param>
/// <param name="Elapsed">Time since the start, an interrupted run's included.</param>
public sealed record PrepareProgress(long Documents, long Bytes, long Tokens, TimeSpan Elapsed)
{
    /// <summary>Bytes of the text that the tokenizer has no token for: left out, or given its unknown token.</summary>
    public long UncoveredBytes { get; init; }

    /// <summary>Text encoded per second, in MB (10⁶ bytes) a second.</summary>
    [JsonIgnore]
    public double MegabytesPerSecond => Elapsed > TimeSpan.Zero ? Bytes / 1e6 / Elapsed.TotalSeconds : 0;
}

/// <summary>What <see cref="DatasetBuilder"/> did.</summary>
public sealed record PrepareSummary
{
    internal PrepareSummary(DatasetManifest manifest, PrepareProgress total) => (Manifest, Total) = (manifest, total);

    /// <summary>The manifest, as written.</summary>
    internal DatasetManifest Manifest { get; }

    /// <summary>Documents, bytes, tokens and time of the whole.</summary>
    public PrepareProgress Total { get; }

    /// <summary>Documents dropped because the same bytes had come before.</summary>
    public long DuplicateDocuments { get; init; }

    /// <summary>Training documents dropped because the validation text given holds the same bytes.</summary>
    public long TrainDocumentsInValid { get; init; }

    /// <summary>Documents dropped because they had no bytes.</summary>
    public long EmptyDocuments { get; init; }

    /// <summary>Training documents dropped because they share text with an evaluation, by the evaluation's file.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> OverlappingDocuments { get; init; } = [];

    /// <summary>Documents dropped because they say nearly the same as one before them; 0 unless that is asked for.</summary>
    public long NearDuplicateDocuments { get; init; }

    /// <summary>Of <see cref="NearDuplicateDocuments"/>: those of which one would have been training and one validation text.</summary>
    public long NearDuplicatesAcrossSplit { get; init; }

    /// <summary>The first of <see cref="NearDuplicateDocuments"/>, each with the document that it resembles.</summary>
    public IReadOnlyList<string> NearDuplicateExamples { get; init; } = [];

    /// <summary>Whether documents were too many to compare all with all: then the oldest were forgotten.</summary>
    public bool NearDuplicatesForgotten { get; init; }

    /// <summary>Documents that an interrupted run had written already; 0 where the work began anew.</summary>
    public long ResumedDocuments { get; init; }

    /// <summary>Names of domains that have no training text.</summary>
    public IReadOnlyList<string> DomainsWithoutTrain =>
        [.. Manifest.Domains.Where(domain => domain.Train is null).Select(domain => domain.Name)];

    /// <summary>Names of domains that have no validation text.</summary>
    public IReadOnlyList<string> DomainsWithoutValid =>
        [.. Manifest.Domains.Where(domain => domain.Valid is null).Select(domain => domain.Name)];
}
