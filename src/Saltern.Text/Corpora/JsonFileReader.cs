namespace Saltern.Corpora;

/// <summary>Streams the documents of one file of JSON records, stored plain or compressed; one record is held at a time.</summary>
internal sealed class JsonFileReader(CorpusPass pass)
{
    private readonly JsonRecordParser _parser = new(pass.Options);

    /// <summary>Reads the documents.</summary>
    /// <param name="skip">Records (lines, where they are lines) that are skipped and not counted: an earlier pass has dealt with them.</param>
    public IEnumerable<TextDocument> Read(CorpusFile file, long skip)
    {
        using Stream? stream = pass.OpenText(file);
        if (stream is null)
        {
            yield break;
        }

        try
        {
            var records = new JsonRecords(stream, pass.Options.MaxRecordBytes);
            while (TryReadRecord(file, records, skip, out TextDocument? document))
            {
                if (document is not null)
                {
                    yield return document;
                }
            }
        }
        finally
        {
            pass.Close();
        }
    }

    // False at the end of the file; a null document is a record that gave none.
    // Apart from the loop, because an iterator cannot yield inside a catch.
    private bool TryReadRecord(CorpusFile file, JsonRecords records, long skip, out TextDocument? document)
    {
        document = null;
        RecordResult result;
        ReadOnlySpan<byte> record;
        try
        {
            result = records.Read(out record);
        }
        catch (Exception e) when (CorpusPass.IsReadFailure(e))
        {
            pass.Report.AddBrokenFile(file.Path, records.Number, CorpusPass.Reason(e));
            return false;
        }

        if (result == RecordResult.End)
        {
            return false;
        }

        if (records.Number <= skip)
        {
            return true;
        }

        string? problem = $"is longer than {pass.Options.MaxRecordBytes} bytes";
        var fields = new RecordFields(default, null, null);
        if (result == RecordResult.Record)
        {
            problem = _parser.Parse(record, out fields);
        }

        pass.CountRecord(records.Number, fields);
        if (problem is null)
        {
            document = new TextDocument(fields.Text, fields.Domain ?? file.Domain, file.Path, records.Number)
            {
                NamesDomain = fields.Domain is not null,
            };
        }
        else
        {
            pass.Report.AddBrokenRecord(file.Path, records.Number, problem, pass.Options.MaxBrokenShare);
        }

        return true;
    }
}
