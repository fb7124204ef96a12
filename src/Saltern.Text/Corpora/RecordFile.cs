using System.Globalization;
using System.Text.Json;
using Apache.Arrow.Ipc;

namespace Saltern.Corpora;

/// <summary>Reads the records of a file as JSON, whatever holds them: JSON lines or lists, Parquet, Arrow. For tasks and examples, not corpora.</summary>
internal static class RecordFile
{
    private const int MaxRecordBytes = 16 << 20;
    private const int MaxExpansion = 1_000;

    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Endings that files of records have, as messages name them.</summary>
    public const string Endings =
        ".jsonl, .ndjson, .jsonlines, .json (each also .gz, .zst, .bz2, .xz), .parquet or .arrow";

    /// <summary>Whether a path leads to records, by its ending or, where it has none, by its content.</summary>
    public static bool IsOne(string path) =>
        (CorpusFile.FormatOf(path) ?? FileContent.FormatOf(path)) is { } format && format != CorpusFormat.Text;

    /// <summary>Reads record after record.</summary>
    /// <param name="path">A file of records.</param>
    /// <param name="about">What messages add to the place, such as " (arc_easy)"; may be empty.</param>
    /// <param name="take">Gets a record and its line or number, from 1; returns whether to go on. What it throws as <see cref="DataFormatException"/> is completed with the place.</param>
    /// <param name="broken">Gets the place of a record that is broken, and why; null where that is an error.</param>
    /// <param name="encoding">Encoding of JSON without a byte order mark; null for UTF-8.</param>
    /// <exception cref="DataFormatException">The file is damaged or cut short, or a record is broken; the message names file and line.</exception>
    /// <exception cref="ConfigurationException">An encoding is named, and the file is Parquet or Arrow, which have theirs.</exception>
    public static void Read(
        string path,
        string about,
        Func<JsonElement, long, bool> take,
        Action<string, string>? broken = null,
        string? encoding = null
    )
    {
        try
        {
            foreach (Entry entry in Entries(path, encoding))
            {
                if (entry.Problem is { } problem)
                {
                    Report(entry.Place, problem, broken);
                }
                else if (!Take(entry, about, take, broken))
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is UnreadableFileException)
        {
            throw new DataFormatException($"{path} {e.Message}.", e);
        }
        catch (Exception e) when (e is EndOfStreamException)
        {
            throw new DataFormatException($"{path} is cut short: {e.Message}. Copy it again.", e);
        }
        catch (Exception e) when (e is InvalidDataException)
        {
            throw new DataFormatException($"{path} is damaged: {e.Message}", e);
        }
    }

    private static IEnumerable<Entry> Entries(string path, string? encoding)
    {
        CorpusFormat? format = CorpusFile.FormatOf(path) ?? FileContent.FormatOf(path);
        if (encoding is not null && format is CorpusFormat.Parquet or CorpusFormat.Arrow)
        {
            throw new ConfigurationException(
                $"{path} is UTF-8, as all of {format} is. Leave out encoding = {encoding}, which is for JSON."
            );
        }

        return format switch
        {
            CorpusFormat.Parquet => ParquetRows
                .Read(path)
                .Select((row, i) => new Entry(Place(path, "row", i + 1), i + 1, row)),
            CorpusFormat.Arrow => ArrowRows(path).Select((row, i) => new Entry(Place(path, "row", i + 1), i + 1, row)),
            _ => JsonEntries(path, encoding),
        };
    }

    private static IEnumerable<Entry> JsonEntries(string path, string? encoding)
    {
        using var stored = new FileStream(path, FileMode.Open, FileAccess.Read);
        using Stream text = TextDecoding.Open(ArchiveStream.Open(stored, MaxExpansion), encoding);
        var records = new JsonRecords(text, MaxRecordBytes);
        while (true)
        {
            RecordResult result = records.Read(out ReadOnlySpan<byte> record);
            if (result == RecordResult.End)
            {
                yield break;
            }

            var entry = new Entry(
                Place(path, records.AreLines ? "line" : "record", records.Number),
                records.Number,
                record.ToArray()
            );
            yield return result == RecordResult.TooLong
                ? entry with
                {
                    Problem = $"is longer than {MaxRecordBytes} bytes",
                }
                : entry;
        }
    }

    private static IEnumerable<byte[]> ArrowRows(string path)
    {
        using FileStream stored = File.OpenRead(path);
        byte[] head = FileContent.Head(stored);
        if (!FileContent.IsArrow(head))
        {
            throw new UnreadableFileException("begins neither as a file of Arrow nor as a stream of it");
        }

        using ArrowStreamReader reader = ArrowReader.Open(stored, head);
        while (reader.ReadNextRecordBatch() is { } batch)
        {
            using (batch)
            {
                for (int row = 0; row < batch.Length; row++)
                {
                    yield return ArrowValues.Row(batch, row);
                }
            }
        }

        ArrowReader.RequireEnd(stored);
    }

    private static string Place(string path, string unit, long number) =>
        string.Create(CultureInfo.InvariantCulture, $"{path}, {unit} {number}");

    private static void Report(string place, string problem, Action<string, string>? broken)
    {
        if (broken is null)
        {
            throw new DataFormatException($"{place} {problem}.");
        }

        broken(place, problem);
    }

    private static bool Take(
        Entry entry,
        string about,
        Func<JsonElement, long, bool> take,
        Action<string, string>? broken
    )
    {
        try
        {
            return take(Parse(entry.Record), entry.Number);
        }
        catch (JsonException)
        {
            Report(entry.Place, "is not JSON", broken);
        }
        catch (InvalidOperationException)
        {
            Report(entry.Place, "holds text that is not valid Unicode", broken);
        }
        catch (DataFormatException e)
        {
            Report($"{entry.Place}{about}:", e.Message, broken);
        }

        return true;
    }

    private static JsonElement Parse(byte[] record)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(record, AnyDepth);
            return document.RootElement.Clone();
        }
        catch (JsonException) when (JsonNumbers.WithoutNonFinite(record) is { } repaired)
        {
            using JsonDocument document = JsonDocument.Parse(repaired, AnyDepth);
            return document.RootElement.Clone();
        }
    }

    /// <summary>A record, or why it is none.</summary>
    private sealed record Entry(string Place, long Number, byte[] Record)
    {
        public string? Problem { get; init; }
    }
}
