using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Saltern.Files;
using Saltern.RunFiles;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>The examples of a fine-tuning run: read, split, encoded, packed.</summary>
internal sealed record ExampleSet
{
    private const double DefaultValidPercent = 2;
    private const int NamedFields = 5;

    /// <summary>Rows that are trained on.</summary>
    public required ExampleRows Train { get; init; }

    /// <summary>Rows that are validated on.</summary>
    public required ExampleRows Valid { get; init; }

    /// <summary>What became of the examples.</summary>
    public required ExampleCounts Counts { get; init; }

    /// <summary>SHA-256 over all tokens and what counts of them.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Prompts of two validation examples, for samples of text.</summary>
    public required IReadOnlyList<int[]> Prompts { get; init; }

    /// <summary>What a person should know of them; may be empty.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Reads what a recipe names.</summary>
    /// <exception cref="ConfigurationException">A file is missing, or no example is left to train or validate on.</exception>
    /// <exception cref="DataFormatException">A file is damaged or a record broken.</exception>
    public static ExampleSet Open(ExampleConfig config, BpeTokenizer tokenizer)
    {
        var reader = new ExampleReader(config, tokenizer);
        List<ReadExamples> files = [reader.Read(config.Path, "data.path")];
        IReadOnlyList<(Example Example, string SplitKey)> read = files[0].Examples;
        List<(Example Example, string SplitKey)> train;
        List<(Example Example, string SplitKey)> valid;
        if (config.ValidPath is string path)
        {
            files.Add(reader.Read(path, "data.valid_path"));
            (train, valid) = ([.. read], [.. files[1].Examples]);
        }
        else
        {
            ILookup<bool, (Example, string)> sides = read.ToLookup(entry =>
                IsValid(entry.SplitKey, config.ValidPercent ?? DefaultValidPercent)
            );
            (train, valid) = ([.. sides[false]], [.. sides[true]]);
        }

        int longer = train.Concat(valid).Count(entry => !Fits(entry));
        bool cuts = config.TooLong is null
            ? longer * 2 > train.Count + valid.Count
            : config.TooLong == TooLongExamples.CutPrompt;
        if (cuts)
        {
            train = [.. train.Select(Cut)];
            valid = [.. valid.Select(Cut)];
        }

        bool Fits((Example Example, string SplitKey) entry) => entry.Example.Positions <= config.SequenceLength;
        (Example Example, string SplitKey) Cut((Example Example, string SplitKey) entry)
        {
            if (Fits(entry))
            {
                return entry;
            }

            Example? cut = entry.Example.CutTo(config.SequenceLength, tokenizer.BeginOfText.Count);
            return (cut ?? entry.Example, entry.SplitKey);
        }

        string[] tooLong = [.. train.Concat(valid).Where(entry => !Fits(entry)).Select(entry => entry.Example.Id)];
        Example[] trained = [.. train.Where(Fits).Select(entry => entry.Example)];
        Example[] validated = [.. valid.Where(Fits).Select(entry => entry.Example)];
        if (trained.Length == 0 || validated.Length == 0)
        {
            throw new ConfigurationException(
                $"data: of {train.Count + valid.Count} examples {trained.Length} are left to train on and "
                    + $"{validated.Length} to validate on; {tooLong.Length} are longer than data.sequence_length = "
                    + $"{config.SequenceLength} tokens. Raise data.sequence_length or data.valid_percent, "
                    + "or name data.valid_path."
            );
        }

        var rows = new ExampleRows(trained, config.SequenceLength, tokenizer.EndOfTextId);
        var validRows = new ExampleRows(validated, config.SequenceLength, tokenizer.EndOfTextId);
        return new ExampleSet
        {
            Train = rows,
            Valid = validRows,
            Counts = new ExampleCounts
            {
                Train = trained.Length,
                Valid = validated.Length,
                Rows = rows.Sizes[0],
                Targets = rows.TargetCount,
                TooLong = tooLong,
                CutPrompts = cuts ? longer - tooLong.Length : 0,
                PassedOver = files.Sum(file => file.PassedOver),
                FirstPassedOver = [.. files.SelectMany(file => file.FirstPassedOver)],
            },
            Fingerprint = Hash(trained, validated),
            Prompts = [.. validated.Take(2).Select(example => example.Prompt)],
            Remarks =
            [
                .. files.SelectMany(Omissions),
                .. CutPrompts(cuts ? longer - tooLong.Length : 0, config),
                .. Overlap(train, valid),
            ],
        };
    }

    /// <summary>Whether an example is split off, by the SHA-256 of the SHA-256 of its key: the same whatever else the file holds, as documents are split.</summary>
    internal static bool IsValid(string key, double percent) =>
        DocumentSplit.IsBelowPercent(SHA256.HashData(SHA256.HashData(Encoding.UTF8.GetBytes(key))), percent);

    private static IEnumerable<string> Omissions(ReadExamples file)
    {
        if (file.LeftOut.Count > 0)
        {
            yield return $"not read: {file.LeftOut.Count} other files: "
                + string.Join(", ", file.LeftOut.Take(NamedFields).Select(Path.GetFileName))
                + (file.LeftOut.Count > NamedFields ? ", …" : "");
        }

        if (file.PassedOver > 0)
        {
            yield return $"passed over: {file.PassedOver} of {file.PassedOver + file.Examples.Count} records, "
                + $"the first: {file.FirstPassedOver[0]}";
        }

        if (file.UnreadFields.Count > 0)
        {
            yield return "fields of conversations that are not read: "
                + string.Join(
                    ", ",
                    file.UnreadFields.Take(NamedFields).Select(field => $"{field.Key} ({field.Value} records)")
                )
                + (file.UnreadFields.Count > NamedFields ? ", …" : "");
        }

        if (file.Unanswered > 0)
        {
            yield return $"{file.Unanswered} conversations end with messages that nobody answers; these messages are left out.";
        }
    }

    private static IEnumerable<string> CutPrompts(int count, ExampleConfig config)
    {
        if (count > 0)
        {
            string why = config.TooLong is null ? ", as more than half are" : "";
            yield return $"{count} examples are longer than {config.SequenceLength} tokens{why}: their prompts lose their beginnings. "
                + "data.too_long: leave_out leaves the examples out.";
        }
    }

    private static IEnumerable<string> Overlap(
        List<(Example Example, string SplitKey)> train,
        List<(Example Example, string SplitKey)> valid
    )
    {
        HashSet<string> known = [.. train.Select(entry => entry.SplitKey)];
        int shared = valid.Count(entry => known.Contains(entry.SplitKey));
        if (shared > 0)
        {
            yield return $"{shared} of {valid.Count} validation examples have a prompt that is trained on too, "
                + "so the validation loss looks too good.";
        }
    }

    private static Fingerprint Hash(Example[] train, Example[] valid)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Example example in train.Append(new Example("", [-1], [false])).Concat(valid))
        {
            hash.AppendData(MemoryMarshal.AsBytes(example.Tokens.AsSpan()));
            hash.AppendData(MemoryMarshal.AsBytes(example.Counts.AsSpan()));
        }

        return Files.Fingerprint.Of(hash);
    }
}
