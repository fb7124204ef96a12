using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Files;

namespace Saltern.Shards;

/// <summary>The file <c>dataset.json</c>: what a prepared data set consists of. It is written last, so a folder without it is unfinished.</summary>
internal sealed record DatasetManifest
{
    /// <summary>Name of the file in the data set's folder.</summary>
    public const string FileName = "dataset.json";

    /// <summary>Name of the tokenizer's copy in the data set's folder.</summary>
    public const string TokenizerFileName = "tokenizer.json";

    /// <summary>The only schema there is so far.</summary>
    public const string CurrentSchema = "saltern.dataset/1";

    private const long MaxFileBytes = 16 << 20;

    /// <summary>Name and version of this format: <see cref="CurrentSchema"/>.</summary>
    public required string Schema { get; init; }

    /// <summary>
    /// Stands for the data as a whole, <c>sha256:</c> and hexadecimal digits: the SHA-256 of the lines <c>schema</c>, tokenizer fingerprint, and
    /// for each domain in order and each of its splits (train, valid) <c>name/split bin-sha256 idx-sha256</c>, each ended by a line feed.
    /// </summary>
    public required string Fingerprint { get; init; }

    /// <summary>Fingerprint of the tokenizer that made the tokens.</summary>
    public required string TokenizerFingerprint { get; init; }

    /// <summary>SHA-256 of the tokenizer's copy, lower-case hexadecimal; null in data sets of earlier versions.</summary>
    public string? TokenizerSha256 { get; init; }

    /// <summary>Number of token ids of the tokenizer.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The token that ends every document.</summary>
    public required int EndOfTextId { get; init; }

    /// <summary>How tokens are stored: <c>uint16</c> or <c>int32</c>.</summary>
    public required string TokenDtype { get; init; }

    /// <summary>The domains, in ordinal order of their names.</summary>
    public required IReadOnlyList<DomainManifest> Domains { get; init; }

    /// <summary>The manifest as it stands in its file, checksum included.</summary>
    internal byte[] ToJson() =>
        Encoding.UTF8.GetBytes(
            SelfChecksum.Add(JsonSerializer.Serialize(this, DatasetManifestJson.Default.DatasetManifest))
        );

    /// <summary>Computes what <see cref="Fingerprint"/> has to be.</summary>
    internal Fingerprint ComputeFingerprint()
    {
        StringBuilder lines = new();
        lines.Append(Schema).Append('\n').Append(TokenizerFingerprint).Append('\n');
        foreach ((DomainManifest domain, string split, SplitManifest shard) in Shards())
        {
            lines
                .Append(domain.Name)
                .Append('/')
                .Append(split)
                .Append(' ')
                .Append(shard.BinSha256)
                .Append(' ')
                .Append(shard.IdxSha256)
                .Append('\n');
        }

        return Files.Fingerprint.Of(lines.ToString());
    }

    /// <summary>Reads the manifest of a data set's folder.</summary>
    /// <exception cref="DataFormatException">The folder is not a finished data set, or the manifest is damaged or contradicts itself.</exception>
    public static DatasetManifest Load(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            throw new DataFormatException(
                $"'{folder}' {WhyNone(folder)} {FileName}. Run `saltern prepare --out {folder}`."
            );
        }

        try
        {
            long length = new FileInfo(path).Length;
            if (length > MaxFileBytes)
            {
                throw new DataFormatException(
                    $"'{path}' has {length} bytes, expected at most {MaxFileBytes}. It is not a data set's manifest."
                );
            }

            byte[] file = File.ReadAllBytes(path);
            SelfChecksum.Require(file, path, "Run `saltern prepare` again or restore the file.");
            DatasetManifest manifest =
                JsonSerializer.Deserialize(file, DatasetManifestJson.Default.DatasetManifest)
                ?? throw new DataFormatException($"'{path}' holds null, expected an object.");
            if (DatasetManifestCheck.FirstProblem(manifest) is { } problem)
            {
                throw new DataFormatException($"'{path}': {problem} Run `saltern prepare` again or restore the file.");
            }

            return manifest;
        }
        catch (JsonException e)
        {
            throw new DataFormatException($"'{path}' is not a data set's manifest: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    private static string WhyNone(string folder)
    {
        if (DatasetFolder.IsUnfinished(folder))
        {
            return "holds an unfinished data set: `saltern prepare` was interrupted before it wrote";
        }

        if (Directory.Exists(folder))
        {
            return "is not a data set: it lacks";
        }

        return "does not exist; a data set is a folder with";
    }

    /// <summary>Every shard with its domain and split, in the order of the fingerprint.</summary>
    internal IEnumerable<(DomainManifest Domain, string Split, SplitManifest Shard)> Shards()
    {
        foreach (DomainManifest domain in Domains)
        {
            if (domain.Train is not null)
            {
                yield return (domain, DatasetFolder.Train, domain.Train);
            }

            if (domain.Valid is not null)
            {
                yield return (domain, DatasetFolder.Valid, domain.Valid);
            }
        }
    }
}

/// <summary>One domain of a data set.</summary>
internal sealed record DomainManifest
{
    /// <summary>The domain's name, as the corpus writes it.</summary>
    public required string Name { get; init; }

    /// <summary>The training text; <see langword="null"/> where there is none.</summary>
    public SplitManifest? Train { get; init; }

    /// <summary>The validation text; <see langword="null"/> where there is none.</summary>
    public SplitManifest? Valid { get; init; }
}

/// <summary>One shard of a data set: the documents of one domain and split.</summary>
internal sealed record SplitManifest
{
    /// <summary>Number of documents; each ends in the end-of-text token and is one sequence of the index.</summary>
    public required long Documents { get; init; }

    /// <summary>Number of tokens, the end-of-text tokens included.</summary>
    public required long Tokens { get; init; }

    /// <summary>UTF-8 bytes of the documents' text, for bits per byte.</summary>
    public required long Bytes { get; init; }

    /// <summary>The <c>.bin</c> file, relative to the data set's folder, with <c>/</c>; the <c>.idx</c> file has the same name.</summary>
    public required string File { get; init; }

    /// <summary>SHA-256 of the <c>.bin</c> file, lower-case hexadecimal.</summary>
    public required string BinSha256 { get; init; }

    /// <summary>SHA-256 of the <c>.idx</c> file, lower-case hexadecimal.</summary>
    public required string IdxSha256 { get; init; }
}

/// <summary>How the manifest is written as JSON: snake_case names, indented, nulls left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    RespectNullableAnnotations = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(DatasetManifest))]
internal sealed partial class DatasetManifestJson : JsonSerializerContext;
