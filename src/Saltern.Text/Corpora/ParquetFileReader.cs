using System.Diagnostics.CodeAnalysis;
using System.Text.Unicode;
using Parquet;
using Parquet.Data;
using Parquet.Meta;
using Parquet.Schema;

namespace Saltern.Corpora;

/// <summary>Streams the documents of a Parquet file, one row group at a time; of its columns only those for text and domain are read.</summary>
internal sealed class ParquetFileReader(CorpusPass pass)
{
    private const int MaxDomainBytes = 256;

    /// <summary>Reads the documents.</summary>
    /// <param name="skip">Rows that are skipped and not counted: an earlier pass has dealt with them.</param>
    public IEnumerable<TextDocument> Read(CorpusFile file, long skip)
    {
        using FileStream? stored = pass.Open(file);
        if (stored is null || !TryOpen(file, stored, out ParquetReader? reader, out Columns? columns))
        {
            yield break;
        }

        try
        {
            long before = 0;
            for (int group = 0; group < reader.RowGroupCount; group++)
            {
                using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
                long end = before + rows.RowCount;
                if (end > skip)
                {
                    using RowGroup? texts = TryRead(file, stored, rows, columns, before);
                    if (texts is null)
                    {
                        yield break;
                    }

                    for (int row = (int)Math.Max(0, skip - before); row < texts.Count; row++)
                    {
                        if (Take(file, texts, columns, row, before + row + 1) is { } document)
                        {
                            yield return document;
                        }
                    }
                }

                before = end;
                pass.Advance(file.Bytes * (group + 1L) / reader.RowGroupCount);
            }
        }
        finally
        {
            pass.Close();
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    // The library throws whatever its code meets in a damaged file, so all but a lack of memory counts as damage.
    private static bool IsDamage(Exception e) => e is not (OutOfMemoryException or OperationCanceledException);

    private bool TryOpen(
        CorpusFile file,
        FileStream stored,
        [NotNullWhen(true)] out ParquetReader? reader,
        [NotNullWhen(true)] out Columns? columns
    )
    {
        (reader, columns) = (null, null);
        try
        {
            ParquetCheck.CheckFooter(stored);
            reader = ParquetReader.CreateAsync(stored, leaveStreamOpen: true).GetAwaiter().GetResult();
            ReadTextsAsBytes(reader);
            columns = Columns.Find(reader.Schema, pass.Options);
            return true;
        }
        catch (Exception e) when (IsDamage(e))
        {
            pass.Report.AddBrokenFile(
                file.Path,
                null,
                e is InvalidDataException or UnreadableFileException
                    ? e.Message
                    : $"is no Parquet file that can be read ({e.Message})"
            );
            reader?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            return false;
        }
    }

    // Decoding texts to characters would hide invalid UTF-8, so the schema, which is made when it is first asked for, is not told that they are texts.
    private static void ReadTextsAsBytes(ParquetReader reader)
    {
        foreach (SchemaElement element in reader.Metadata!.Schema)
        {
            bool isText =
                element.ConvertedType is null or ConvertedType.UTF8 or ConvertedType.JSON or ConvertedType.ENUM;
            if (element.Type == Parquet.Meta.Type.BYTE_ARRAY && isText)
            {
                (element.ConvertedType, element.LogicalType) = (null, null);
            }
        }
    }

    private RowGroup? TryRead(
        CorpusFile file,
        FileStream stored,
        ParquetRowGroupReader rows,
        Columns columns,
        long before
    )
    {
        RowGroup? group = null;
        try
        {
            foreach (DataField field in (DataField[])[columns.Text, .. columns.Domains])
            {
                ParquetCheck.CheckColumn(stored, rows.GetMetadata(field)!.MetaData!, rows.RowCount);
            }

            group = new RowGroup((int)rows.RowCount, Column.Read(rows, columns.Text));
            foreach (DataField field in columns.Domains)
            {
                group.Domains.Add(Column.Read(rows, field));
            }

            return group;
        }
        catch (Exception e) when (IsDamage(e))
        {
            group?.Dispose();
            pass.Report.AddBrokenFile(file.Path, before, $"cannot be read after this row: {e.Message}");
            return null;
        }
    }

    private TextDocument? Take(CorpusFile file, RowGroup group, Columns columns, int row, long number)
    {
        ReadOnlyMemory<byte>? text = group.Text[row];
        string? domain = null;
        string? odd = columns.OddDomain;
        for (int i = 0; i < group.Domains.Count && domain is null; i++)
        {
            if (group.Domains[i][row] is not { Length: > 0 } name)
            {
                continue;
            }

            if (name.Length <= MaxDomainBytes && Utf8.IsValid(name.Span))
            {
                domain = System.Text.Encoding.UTF8.GetString(name.Span);
            }
            else
            {
                odd = $"column '{Columns.NameOf(columns.Domains[i])}' is not a text of at most {MaxDomainBytes} bytes";
            }
        }

        string? problem = ProblemOf(text, columns) ?? (pass.Options.IsDomainAutomatic ? null : odd);
        pass.CountRecord(number, new RecordFields(default, domain, odd));
        if (problem is not null)
        {
            pass.Report.AddBrokenRecord(file.Path, number, problem, pass.Options.MaxBrokenShare);
            return null;
        }

        // A copy: the row group's memory is used again for the next one.
        return new TextDocument(text.GetValueOrDefault().ToArray(), domain ?? file.Domain, file.Path, number)
        {
            NamesDomain = domain is not null,
        };
    }

    private string? ProblemOf(ReadOnlyMemory<byte>? text, Columns columns)
    {
        if (text is not { } bytes)
        {
            return $"column '{Columns.NameOf(columns.Text)}' is null";
        }

        if (bytes.Length > pass.Options.MaxRecordBytes)
        {
            return $"is longer than {pass.Options.MaxRecordBytes} bytes";
        }

        return Utf8.IsValid(bytes.Span) ? null : "holds text that is not valid Unicode";
    }

    /// <summary>The columns for text and domain.</summary>
    /// <param name="OddDomain">A usual column for the domain that holds something else, and what; null where there is none.</param>
    private sealed record Columns(DataField Text, IReadOnlyList<DataField> Domains, string? OddDomain)
    {
        public static Columns Find(ParquetSchema schema, CorpusReaderOptions options)
        {
            DataField[] all = schema.GetDataFields();
            DataField? text = options
                .TextFields.Select(name => Named(all, name))
                .FirstOrDefault(field => field is not null);
            DataField[] domains = [.. options.DomainNames.Select(name => Named(all, name)).OfType<DataField>()];
            string there = $"it has {string.Join(", ", all.Select(field => $"'{NameOf(field)}'"))}";
            if (text is null)
            {
                throw new UnreadableFileException(
                    $"has no column {Any(options.TextFields)}; {there}. Name the text's column"
                );
            }

            if (domains.Length == 0 && options.DomainFields is { Count: > 0 } wanted)
            {
                throw new UnreadableFileException($"has no column {Any(wanted)} for the domain; {there}");
            }

            string? odd = domains.Select(ProblemOf).FirstOrDefault(problem => problem is not null);
            string? problem = ProblemOf(text) ?? (options.IsDomainAutomatic ? null : odd);
            if (problem is null)
            {
                return new Columns(text, [.. domains.Where(field => ProblemOf(field) is null)], odd);
            }

            throw new UnreadableFileException(problem);
        }

        public static string NameOf(DataField field) => string.Join('.', field.Path.ToList());

        private static DataField? Named(DataField[] all, string name) =>
            Array.Find(all, field => NameOf(field) == name);

        private static string Any(IEnumerable<string> names) => string.Join(" or ", names.Select(name => $"'{name}'"));

        private static string? ProblemOf(DataField field)
        {
            bool isText = field.ClrType == typeof(ReadOnlyMemory<byte>) || field.ClrType == typeof(byte[]);
            if (isText && field.MaxRepetitionLevel == 0)
            {
                return null;
            }

            string found = field.MaxRepetitionLevel > 0 ? "a list" : field.ClrType.Name;
            return $"has a column '{NameOf(field)}' that is not one optional text a row, but {found}";
        }
    }

    /// <summary>One column of a row group; the library packs the values that are not null to the front.</summary>
    private sealed class Column(RawColumnData<ReadOnlyMemory<byte>> data, int[]? places) : IDisposable
    {
        public ReadOnlyMemory<byte>? this[int row]
        {
            get
            {
                int place = places is null ? row : places[row];
                if (place < 0)
                {
                    return null;
                }

                return data.Values[place];
            }
        }

        public static Column Read(ParquetRowGroupReader rows, DataField field)
        {
            var data =
                (RawColumnData<ReadOnlyMemory<byte>>)
                    rows.ReadRawColumnDataBaseAsync(field).AsTask().GetAwaiter().GetResult();
            if (field.MaxDefinitionLevel == 0)
            {
                return new Column(data, null);
            }

            int[] places = new int[data.DefinitionLevels.Length];
            int next = 0;
            for (int row = 0; row < places.Length; row++)
            {
                places[row] = -1;
                if (data.DefinitionLevels[row] == field.MaxDefinitionLevel)
                {
                    places[row] = next++;
                }
            }

            return new Column(data, places);
        }

        public void Dispose() => data.Dispose();
    }

    private sealed class RowGroup(int count, Column text) : IDisposable
    {
        public int Count { get; } = count;

        public Column Text { get; } = text;

        public List<Column> Domains { get; } = [];

        public void Dispose()
        {
            Text.Dispose();
            Domains.ForEach(column => column.Dispose());
        }
    }
}
