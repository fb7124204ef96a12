using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;
using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;

namespace Saltern.Corpora;

/// <summary>Streams the documents of an Arrow file or stream, as <c>datasets</c> saves them; one batch is held at a time.</summary>
internal sealed class ArrowReader(CorpusPass pass)
{
    private const int MaxDomainBytes = 256;
    private const int SmallFileBytes = 64 << 20;

    /// <summary>Reads the documents.</summary>
    /// <param name="skip">Rows that are skipped and not counted: an earlier pass has dealt with them.</param>
    public IEnumerable<TextDocument> Read(CorpusFile file, long skip)
    {
        using FileStream? stored = pass.Open(file);
        if (stored is null || !TryOpen(file, stored, out ArrowStreamReader? reader, out Columns? columns))
        {
            yield break;
        }

        pass.Follow(stored);
        try
        {
            long before = 0;
            while (TryRead(file, stored, reader, before, out RecordBatch? batch))
            {
                using (batch)
                {
                    for (int row = (int)Math.Clamp(skip - before, 0, batch.Length); row < batch.Length; row++)
                    {
                        if (Take(file, batch, columns, row, before + row + 1) is { } document)
                        {
                            yield return document;
                        }
                    }

                    before += batch.Length;
                }
            }
        }
        finally
        {
            pass.Close();
            reader.Dispose();
        }
    }

    // The library throws whatever its code meets in a damaged file, so all but a lack of memory counts as damage.
    private static bool IsDamage(Exception e) => e is not (OutOfMemoryException or OperationCanceledException);

    // A small file that asks for more memory than there is lies.
    private static bool IsDamage(Exception e, FileStream stored) =>
        IsDamage(e) || (e is OutOfMemoryException && stored.Length < SmallFileBytes);

    private bool TryOpen(
        CorpusFile file,
        FileStream stored,
        [NotNullWhen(true)] out ArrowStreamReader? reader,
        [NotNullWhen(true)] out Columns? columns
    )
    {
        (reader, columns) = (null, null);
        try
        {
            byte[] head = FileContent.Head(stored);
            if (!FileContent.IsArrow(head))
            {
                throw new UnreadableFileException(
                    FileContent.IsPointer(head)
                        ? "is a Git LFS pointer, not the file itself; fetch it with 'git lfs pull'"
                        : "begins neither as a file of Arrow nor as a stream of it"
                );
            }

            reader = Open(stored, head);
            columns = Columns.Find(reader.Schema, pass.Options);
            return true;
        }
        catch (Exception e) when (IsDamage(e, stored))
        {
            string reason =
                e is UnreadableFileException ? e.Message : $"is no Arrow file that can be read ({e.Message})";
            pass.Report.AddBrokenFile(file.Path, null, reason);
            reader?.Dispose();
            return false;
        }
    }

    /// <summary>Opens a file or stream of Arrow.</summary>
    internal static ArrowStreamReader Open(FileStream stored, ReadOnlySpan<byte> head)
    {
        RequireHonestLength(stored, head);
        var codecs = new CompressionCodecFactory();
        return head.StartsWith("ARROW1"u8)
            ? new ArrowFileReader(stored, codecs)
            : new ArrowStreamReader(stored, codecs, leaveOpen: true);
    }

    // The library asks for as much memory as a file says that its schema, or its footer, takes.
    private static void RequireHonestLength(FileStream stored, ReadOnlySpan<byte> head)
    {
        const int Mark = 4; // bytes of 0xFF before a stream's length
        const int Tail = 10; // a file ends in the footer's length and "ARROW1"
        long position = stored.Position;
        bool isFile = head.StartsWith("ARROW1"u8);
        byte[] length = new byte[sizeof(int)];
        stored.Position = isFile ? Math.Max(0, stored.Length - Tail) : Mark;
        bool isThere = stored.ReadAtLeast(length, length.Length, throwOnEndOfStream: false) == length.Length;
        stored.Position = position;
        int said = BinaryPrimitives.ReadInt32LittleEndian(length);
        if (isThere && (said < 0 || said > stored.Length))
        {
            throw new InvalidDataException(
                $"its {(isFile ? "footer" : "schema")} is said to have {said} bytes, the file has {stored.Length}"
            );
        }
    }

    private bool TryRead(
        CorpusFile file,
        FileStream stored,
        ArrowStreamReader reader,
        long before,
        [NotNullWhen(true)] out RecordBatch? batch
    )
    {
        batch = null;
        try
        {
            batch = reader.ReadNextRecordBatch();
            if (batch is null)
            {
                RequireEnd(stored);
            }

            return batch is not null;
        }
        catch (Exception e) when (IsDamage(e, stored))
        {
            pass.Report.AddBrokenFile(file.Path, before, $"is damaged or cut short after this row ({e.Message})");
            return false;
        }
    }

    /// <summary>Requires the mark that ends a stream, or a file: the library takes a stream cut between two batches for a whole one.</summary>
    internal static void RequireEnd(FileStream stored)
    {
        byte[] tail = new byte[8];
        stored.Position = Math.Max(0, stored.Length - tail.Length);
        stored.ReadExactly(tail);
        if (
            tail.AsSpan(2).SequenceEqual("ARROW1"u8)
            || tail.AsSpan().SequenceEqual<byte>([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
        )
        {
            return;
        }

        throw new EndOfStreamException("the mark of the end is not there");
    }

    private TextDocument? Take(CorpusFile file, RecordBatch batch, Columns columns, int row, long number)
    {
        string? domain = null;
        string? odd = columns.OddDomain;
        string? problem = null;
        byte[]? text = null;
        try
        {
            text = columns.Text.Bytes(batch, row);
            foreach (Column column in columns.Domains)
            {
                if (domain is not null || column.Bytes(batch, row) is not { Length: > 0 } name)
                {
                    continue;
                }

                if (name.Length <= MaxDomainBytes && Utf8.IsValid(name))
                {
                    domain = Encoding.UTF8.GetString(name);
                }
                else
                {
                    odd = $"column '{column.Name}' is not a text of at most {MaxDomainBytes} bytes";
                }
            }
        }
        catch (Exception e) when (IsDamage(e))
        {
            problem = $"is damaged ({e.Message})";
        }

        problem ??= ProblemOf(text, columns) ?? (pass.Options.IsDomainAutomatic ? null : odd);
        pass.CountRecord(number, new RecordFields(default, domain, odd));
        if (problem is not null)
        {
            pass.Report.AddBrokenRecord(file.Path, number, problem, pass.Options.MaxBrokenShare);
            return null;
        }

        return new TextDocument(text, domain ?? file.Domain, file.Path, number) { NamesDomain = domain is not null };
    }

    private string? ProblemOf(byte[]? text, Columns columns)
    {
        if (text is null)
        {
            return $"column '{columns.Text.Name}' is null";
        }

        if (text.Length > pass.Options.MaxRecordBytes)
        {
            return $"is longer than {pass.Options.MaxRecordBytes} bytes";
        }

        return Utf8.IsValid(text) ? null : "holds text that is not valid Unicode";
    }

    /// <summary>The columns for text and domain.</summary>
    /// <param name="OddDomain">A usual column for the domain that holds something else, and what; null where there is none.</param>
    private sealed record Columns(Column Text, IReadOnlyList<Column> Domains, string? OddDomain)
    {
        public static Columns Find(Schema schema, CorpusReaderOptions options)
        {
            Column? text = options
                .TextFields.Select(name => Column.Find(schema, name))
                .FirstOrDefault(column => column is not null);
            Column[] domains = [.. options.DomainNames.Select(name => Column.Find(schema, name)).OfType<Column>()];
            string there = $"it has {string.Join(", ", schema.FieldsList.Select(field => $"'{field.Name}'"))}";
            if (text is null)
            {
                throw new UnreadableFileException(
                    $"has no column {string.Join(" or ", options.TextFields.Select(name => $"'{name}'"))}; {there}. Name the text's column"
                );
            }

            if (domains.Length == 0 && options.DomainFields is { Count: > 0 } wanted)
            {
                throw new UnreadableFileException(
                    $"has no column {string.Join(" or ", wanted.Select(name => $"'{name}'"))} for the domain; {there}"
                );
            }

            string? odd = domains.Select(column => column.Problem).FirstOrDefault(problem => problem is not null);
            string? problem = text.Problem ?? (options.IsDomainAutomatic ? null : odd);
            if (problem is null)
            {
                return new Columns(text, [.. domains.Where(column => column.Problem is null)], odd);
            }

            throw new UnreadableFileException(problem);
        }
    }

    /// <summary>A column, or a field within columns of structures.</summary>
    /// <param name="Path">Place of the column, then of the field within it, and so on.</param>
    private sealed record Column(string Name, int[] Path, string? Problem)
    {
        public static Column? Find(Schema schema, string name)
        {
            IReadOnlyList<Field> fields = schema.FieldsList;
            List<int> path = [];
            Field? found = null;
            foreach (string part in name.Split('.'))
            {
                int at = fields.ToList().FindIndex(field => field.Name == part);
                if (at < 0)
                {
                    return null;
                }

                path.Add(at);
                found = fields[at];
                fields = found.DataType is Apache.Arrow.Types.StructType structure ? structure.Fields : [];
            }

            Apache.Arrow.Types.IArrowType type = found!.DataType;
            if (type is Apache.Arrow.Types.DictionaryType dictionary)
            {
                type = dictionary.ValueType;
            }

            bool isText =
                type.TypeId
                is Apache.Arrow.Types.ArrowTypeId.String
                    or Apache.Arrow.Types.ArrowTypeId.LargeString
                    or Apache.Arrow.Types.ArrowTypeId.StringView
                    or Apache.Arrow.Types.ArrowTypeId.Binary
                    or Apache.Arrow.Types.ArrowTypeId.LargeBinary;
            return new Column(
                name,
                [.. path],
                isText ? null : $"has a column '{name}' that is not one optional text a row, but {type.Name}"
            );
        }

        public byte[]? Bytes(RecordBatch batch, int row)
        {
            IArrowArray array = batch.Column(Path[0]);
            foreach (int field in Path.Skip(1))
            {
                if (array.IsNull(row))
                {
                    return null;
                }

                array = ((StructArray)array).Fields[field];
            }

            return ArrowValues.Bytes(array, row);
        }
    }
}
