using System.Text.Json.Serialization;

namespace Saltern.Shards;

/// <summary>How far <see cref="DatasetBuilder"/> has come.</summary>
/// <param name="Documents">Documents encoded and written.</param>
/// <param name="Bytes">UTF-8 bytes of their text.</param>
/// <param name="Tokens">Their tokens, end-of-text included.</param>
/// <param name="Elapsed">Time since the start, an interrupted run's included.</param>
public sealed record PrepareProgress(long Documents, long Bytes, long Tokens, TimeSpan Elapsed)
{
    /// <summary>Text encoded per second, in MB (10⁶ bytes) a second.</summary>
    [JsonIgnore]
    public double MegabytesPerSecond => Elapsed > TimeSpan.Zero ? Bytes / 1e6 / Elapsed.TotalSeconds : 0;
}

/// <summary>What <see cref="DatasetBuilder"/> did.</summary>
/// <param name="Manifest">The manifest, as written.</param>
/// <param name="Total">Documents, bytes, tokens and time of the whole.</param>
/// <param name="DuplicateDocuments">Documents dropped because the same bytes had come before.</param>
/// <param name="TrainDocumentsInValid">Training documents dropped because the validation text given holds the same bytes.</param>
/// <param name="EmptyDocuments">Documents dropped because they had no bytes.</param>
/// <param name="ResumedDocuments">Documents that an interrupted run had written already; 0 where the work began anew.</param>
public sealed record PrepareSummary(
    DatasetManifest Manifest,
    PrepareProgress Total,
    long DuplicateDocuments,
    long TrainDocumentsInValid,
    long EmptyDocuments,
    long ResumedDocuments
)
{
    /// <summary>Names of domains that have no training text.</summary>
    public IReadOnlyList<string> DomainsWithoutTrain =>
        [.. Manifest.Domains.Where(domain => domain.Train is null).Select(domain => domain.Name)];

    /// <summary>Names of domains that have no validation text.</summary>
    public IReadOnlyList<string> DomainsWithoutValid =>
        [.. Manifest.Domains.Where(domain => domain.Valid is null).Select(domain => domain.Name)];
}
