using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Corpora;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>How far reading and splitting had come behind a chunk of documents.</summary>
internal sealed record ReadingState(ReaderState Train, ReaderState? Valid, SplitCounts Split);

/// <summary>How much of one shard was on disk.</summary>
/// <param name="File">The <c>.bin</c> file, as the manifest will name it.</param>
/// <param name="Bytes">UTF-8 bytes of its text.</param>
/// <param name="BinSha256">SHA-256 of these tokens, lower-case hexadecimal; null in journals of earlier versions.</param>
/// <param name="LengthsSha256">SHA-256 of these documents' lengths, likewise.</param>
internal sealed record ShardState(
    string Domain,
    string Split,
    string File,
    long Documents,
    long Tokens,
    long Bytes,
    string? BinSha256 = null,
    string? LengthsSha256 = null
);

/// <summary>The file <c>dataset.progress.json</c>: the last point of an unfinished run up to which all is on disk.</summary>
/// <remarks>It is replaced as a whole after the shards were flushed; files that are longer than it says are cut back to it.</remarks>
internal sealed record PrepareJournal
{
    /// <summary>Name of the file in the data set's folder.</summary>
    public const string FileName = "dataset.progress.json";

    /// <summary>Name of the file with the hashes of the documents seen, 16 bytes each.</summary>
    public const string SeenFileName = "dataset.seen";

    /// <summary>Name of the file with what documents are compared with, 136 bytes each; where near-duplicates are left out.</summary>
    public const string NearFileName = "dataset.near";

    private const string CurrentSchema = "saltern.prepare/1";

    public string Schema { get; init; } = CurrentSchema;

    public required PrepareJob Job { get; init; }

    public required ReadingState Reading { get; init; }

    public required PrepareProgress Done { get; init; }

    public required IReadOnlyList<ShardState> Shards { get; init; }

    /// <summary>SHA-256 of the hashes of the documents seen, lower-case hexadecimal; null in journals of earlier versions.</summary>
    public string? SeenSha256 { get; init; }

    /// <summary>SHA-256 of what documents are compared with, likewise; null where near-duplicates are kept.</summary>
    public string? NearSha256 { get; init; }

    /// <summary>Reads a journal; null where there is none.</summary>
    /// <exception cref="DataFormatException">There is one, and it cannot be used.</exception>
    public static PrepareJournal? TryLoad(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            byte[] file = Disk.Current.ReadAllBytes(path);
            SelfChecksum.Require(file, path, "Begin anew with --overwrite.");
            PrepareJournal? journal = JsonSerializer.Deserialize(file, PrepareJournalJson.Default.PrepareJournal);
            if (
                journal is { Schema: CurrentSchema }
                && journal.Shards.All(shard => DatasetManifestCheck.IsInside(shard.File))
            )
            {
                return journal;
            }

            throw new DataFormatException(
                $"'{path}' has schema '{journal?.Schema}' or names files outside its folder, "
                    + $"expected '{CurrentSchema}'. Begin anew with --overwrite."
            );
        }
        catch (JsonException e)
        {
            throw new DataFormatException($"'{path}' is damaged: {e.Message} Begin anew with --overwrite.", e);
        }
    }

    /// <summary>The journal as JSON.</summary>
    public byte[] ToJson() =>
        Encoding.UTF8.GetBytes(
            SelfChecksum.Add(JsonSerializer.Serialize(this, PrepareJournalJson.Default.PrepareJournal))
        );
}

/// <summary>How the journal is written as JSON.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    RespectNullableAnnotations = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(PrepareJournal))]
[JsonSerializable(typeof(ReadingState))]
internal sealed partial class PrepareJournalJson : JsonSerializerContext;
