using System.Globalization;
using System.Text.Json;

namespace Saltern.Corpora;

/// <summary>Reads the records of JSON lines, plain or compressed, where a broken one is an error: tasks and examples, not corpora.</summary>
internal static class JsonRecordFile
{
    private const int MaxLineBytes = 16 << 20;
    private const int MaxExpansion = 1_000;

    /// <summary>Whether a path has an ending that <see cref="Read"/> takes.</summary>
    public static bool IsOne(string path) =>
        CorpusFile.FormatOf(path)
            is CorpusFormat.JsonLines
                or CorpusFormat.JsonLinesGzip
                or CorpusFormat.JsonLinesZstandard;

    /// <summary>Reads record after record.</summary>
    /// <param name="path">A file with an ending of JSON lines.</param>
    /// <param name="about">What messages add to the place, such as " (arc_easy)"; may be empty.</param>
    /// <param name="take">Gets a record and its line, from 1; returns whether to go on. What it throws as <see cref="DataFormatException"/> is completed with the place.</param>
    /// <exception cref="DataFormatException">The file is damaged or cut short, or a record is broken; the message names file and line.</exception>
    public static void Read(string path, string about, Func<JsonElement, long, bool> take)
    {
        try
        {
            var stored = new FileStream(path, FileMode.Open, FileAccess.Read);
            using Stream stream = ArchiveStream.Open(
                stored,
                CorpusFile.FormatOf(path)!.Value,
                MaxExpansion,
                out byte[]? endLine
            );
            var lines = new BoundedLineReader(stream, MaxLineBytes);
            while (true)
            {
                LineResult result = lines.Read(out ReadOnlySpan<byte> line);
                if (result == LineResult.End)
                {
                    // A whole gzip archive ends with this line, so without it something is missing.
                    if (endLine is not null)
                    {
                        throw new DataFormatException(
                            $"{path} is cut short after line {lines.LineNumber}. Copy it again."
                        );
                    }

                    return;
                }

                string place = string.Create(CultureInfo.InvariantCulture, $"{path}, line {lines.LineNumber}");
                if (result == LineResult.TooLong)
                {
                    throw new DataFormatException($"{place} is longer than {MaxLineBytes} bytes.");
                }

                if (endLine is not null && line.SequenceEqual(endLine))
                {
                    return;
                }

                if (lines.LineNumber == 1 && line.StartsWith("\uFEFF"u8))
                {
                    line = line[3..];
                }

                if (!line.Trim(" \t\r"u8).IsEmpty && !Take(line, lines.LineNumber, place, about, take))
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new DataFormatException($"{path} is damaged: {e.Message}", e);
        }
    }

    private static bool Take(
        ReadOnlySpan<byte> line,
        long number,
        string place,
        string about,
        Func<JsonElement, long, bool> take
    )
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line.ToArray());
            return take(document.RootElement.Clone(), number);
        }
        catch (JsonException)
        {
            throw new DataFormatException($"{place} is not JSON.");
        }
        catch (InvalidOperationException)
        {
            throw new DataFormatException($"{place} holds text that is not valid Unicode.");
        }
        catch (DataFormatException e)
        {
            throw new DataFormatException($"{place}{about}: {e.Message}.", e);
        }
    }
}
