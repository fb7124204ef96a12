using System.Text.Json;
using Saltern.Corpora;
using Saltern.Evaluation;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>What an <see cref="ExampleReader"/> found in a file.</summary>
internal sealed record ReadExamples
{
    /// <summary>Examples, each with the text that decides its side of the split, in the order of the file.</summary>
    public required IReadOnlyList<(Example Example, string SplitKey)> Examples { get; init; }

    /// <summary>Records passed over.</summary>
    public required int PassedOver { get; init; }

    /// <summary>The first of them: place and reason.</summary>
    public required IReadOnlyList<string> FirstPassedOver { get; init; }

    /// <summary>Files of a folder or glob that are not read.</summary>
    public required IReadOnlyList<string> LeftOut { get; init; }

    /// <summary>Fields of conversations that hold something and are not read, with how many records have each.</summary>
    public required IReadOnlyDictionary<string, int> UnreadFields { get; init; }

    /// <summary>Conversations that end with messages which nobody answers; these are left out.</summary>
    public required int Unanswered { get; init; }
}

/// <summary>Reads examples from records. One that is none is passed over, counted and named, and half of them are an error.</summary>
internal sealed class ExampleReader
{
    private const int NamedRecords = 10;

    internal const string AlpacaInstruction =
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n";
    private const string AlpacaWithInput =
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        + "Write a response that appropriately completes the request.\n\n";

    private readonly ExampleConfig _config;
    private readonly PromptTemplate _prompt;
    private readonly PromptTemplate _response;
    private readonly PromptTemplate? _splitBy;
    private readonly ChatTemplate? _chat;
    private readonly Conversation _conversation;
    private readonly BpeTokenizer _tokenizer;
    private int _unanswered;

    /// <summary>Prepares reading.</summary>
    /// <param name="config">Layout of the records.</param>
    /// <exception cref="ConfigurationException">The tokenizer lacks tokens that the chat template spells out.</exception>
    public ExampleReader(ExampleConfig config, BpeTokenizer tokenizer)
    {
        (_config, _tokenizer, _conversation) = (config, tokenizer, new Conversation(config));
        _prompt = PromptTemplate.Parse(config.Prompt ?? "{prompt}");
        _response = PromptTemplate.Parse(config.Response ?? "{response}");
        _splitBy = config.SplitBy is null ? null : PromptTemplate.Parse(config.SplitBy);
        _chat = config.Template is null ? null : ChatTemplate.Create(config.Template, tokenizer);
    }

    /// <summary>Examples of a file, or of the shards that a folder or glob leads to, one after the other.</summary>
    /// <exception cref="ConfigurationException">The file is missing or of another kind.</exception>
    /// <exception cref="DataFormatException">A file is damaged, or more of the records are no examples than are.</exception>
    public ReadExamples Read(string path, string key)
    {
        (IReadOnlyList<string> files, IReadOnlyList<string> leftOut) = Files(path, key);
        var examples = new List<(Example, string)>();
        var named = new List<string>();
        int passedOver = 0;
        _unanswered = 0;
        _conversation.Unread.Clear();
        foreach (string file in files)
        {
            string shard = files.Count == 1 ? "" : Path.GetFileName(file) + ", ";
            RecordFile.Read(
                file,
                "",
                (record, number) =>
                {
                    examples.Add(Read(record, $"{shard}line {number}"));
                    return true;
                },
                (place, reason) =>
                {
                    passedOver++;
                    if (named.Count < NamedRecords)
                    {
                        named.Add($"{place} {reason}");
                    }
                },
                _config.Encoding
            );
        }

        if (examples.Count > 0 && passedOver <= examples.Count)
        {
            return new ReadExamples
            {
                Examples = examples,
                PassedOver = passedOver,
                FirstPassedOver = named,
                Unanswered = _unanswered,
                LeftOut = leftOut,
                UnreadFields = new Dictionary<string, int>(_conversation.Unread),
            };
        }

        string found = passedOver == 0 ? "" : $": {passedOver} of {passedOver + examples.Count} records are none";
        string what = examples.Count == 0 ? "holds no example" : "holds too few examples";
        throw new DataFormatException(
            $"{path} {what}{found}.{string.Concat(named.Select(line => $"{Environment.NewLine}  {line}"))}"
        );
    }

    // A file by itself; a folder or glob gives its files of records in ordinal order.
    private static (IReadOnlyList<string> Files, IReadOnlyList<string> LeftOut) Files(string path, string key)
    {
        if (File.Exists(path))
        {
            if (RecordFile.IsOne(path))
            {
                return ([path], []);
            }

            throw new ConfigurationException($"{key} = {path} has another ending than {RecordFile.Endings}.");
        }

        if (!Directory.Exists(path) && !path.AsSpan().ContainsAny('*', '?'))
        {
            throw new ConfigurationException(
                $"{key} = {path} does not exist. Name a file ({RecordFile.Endings}), or a folder or glob of such files."
            );
        }

        CorpusFiles found = CorpusPaths.Resolve([path]);
        ILookup<bool, string> kinds = found.Files.ToLookup(file => file.Format != CorpusFormat.Text, file => file.Path);
        if (kinds[true].Any())
        {
            return ([.. kinds[true]], [.. found.LeftOut, .. kinds[false]]);
        }

        throw new ConfigurationException($"{key} = {path} leads to no file of records ({RecordFile.Endings}).");
    }

    private (Example Example, string SplitKey) Read(JsonElement record, string place)
    {
        if (record.ValueKind != JsonValueKind.Object)
        {
            throw new DataFormatException($"is no object but {record.ValueKind}");
        }

        IReadOnlyList<TextPiece> pieces = Pieces(record);
        string id = record.TryGetProperty("id", out JsonElement given) ? given.ToString() : place;
        return (Example.Encode(id, pieces, _tokenizer), _splitBy?.Fill(record) ?? SplitKey(pieces));
    }

    // Of a conversation all that is not a reply, so that neither a greeting nor a first question that many share decides; where nobody asks, all of it.
    private static string SplitKey(IReadOnlyList<TextPiece> pieces)
    {
        string asked = string.Concat(
            pieces.Where(piece => piece is { IsReply: false, IsMarkup: false }).Select(piece => piece.Text)
        );
        if (asked.Length > 0)
        {
            return asked;
        }

        return string.Concat(pieces.Select(piece => piece.Text));
    }

    private IReadOnlyList<TextPiece> Pieces(JsonElement record) =>
        _config.Format switch
        {
            ExampleFormat.Messages => Conversation(record),
            ExampleFormat.Alpaca => Exchange(AlpacaPrompt(record), Text(record, "output", required: true)),
            _ => Exchange(Fill(_prompt, "prompt", record), Fill(_response, "response", record)),
        };

    private static string Fill(PromptTemplate template, string key, JsonElement record)
    {
        if (template.Fields.FirstOrDefault(field => !field.Exists(record)) is { } missing)
        {
            throw new DataFormatException(
                $"has no field '{missing.Notation}', but {Names(record)}. Name the fields in data.{key}, as {key}: \"{{my_field}}\""
            );
        }

        return template.Fill(record);
    }

    private static TextPiece[] Exchange(string prompt, string response)
    {
        if (string.IsNullOrWhiteSpace(prompt))
        {
            throw new DataFormatException("has an empty prompt");
        }

        if (string.IsNullOrWhiteSpace(response))
        {
            throw new DataFormatException(
                "has an empty response, of which nothing can be learned. Take the record out"
            );
        }

        return [new TextPiece(prompt), TextPiece.Reply(response, isLearned: true), TextPiece.End];
    }

    // The wording of Stanford Alpaca (train.py, PROMPT_DICT), with the line break behind "### Response:" that later programs have.
    private string AlpacaPrompt(JsonElement record)
    {
        string instruction = Text(record, "instruction", required: true);
        string input = Text(record, "input", required: false);
        if (string.IsNullOrWhiteSpace(instruction))
        {
            throw new DataFormatException($"field '{_config.Field("instruction")}' is empty");
        }

        if (string.IsNullOrWhiteSpace(input))
        {
            return $"{AlpacaInstruction}### Instruction:\n{instruction}\n\n### Response:\n";
        }

        return $"{AlpacaWithInput}### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
    }

    private IReadOnlyList<TextPiece> Conversation(JsonElement record)
    {
        IReadOnlyList<TextPiece> pieces = _chat!.Render(_conversation.Read(record, out int unanswered));
        _unanswered += Math.Min(unanswered, 1);
        return pieces;
    }

    private string Text(JsonElement record, string name, bool required)
    {
        string field = _config.Field(name);
        bool isThere = record.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null;
        if (isThere && value.ValueKind == JsonValueKind.String)
        {
            return value.GetString()!;
        }

        if (isThere)
        {
            throw new DataFormatException($"field '{field}' is {value.ValueKind} where a text is needed");
        }

        if (required)
        {
            throw new DataFormatException(
                $"has no field '{field}', but {Names(record)}. Name the field under data.fields"
            );
        }

        return "";
    }

    /// <summary>The fields of a record, for messages.</summary>
    internal static string Names(JsonElement record)
    {
        string[] names = [.. record.EnumerateObject().Select(field => $"'{field.Name}'")];
        if (names.Length == 0)
        {
            return "no field at all";
        }

        return string.Join(", ", names);
    }
}
