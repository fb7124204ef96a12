using System.Text.Json;
using Saltern.Corpora;
using Saltern.Evaluation;
using Saltern.Tokenization;

namespace Saltern.FineTuning;

/// <summary>Reads examples from JSON lines. A broken record is an error, never skipped: it names file and line.</summary>
internal sealed class ExampleReader
{
    private const string AlpacaInstruction =
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n";
    private const string AlpacaWithInput =
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        + "Write a response that appropriately completes the request.\n\n";

    private readonly ExampleConfig _config;
    private readonly PromptTemplate _prompt;
    private readonly PromptTemplate _response;
    private readonly PromptTemplate? _splitBy;
    private readonly ChatTemplate? _chat;
    private readonly BpeTokenizer _tokenizer;

    /// <summary>Prepares reading.</summary>
    /// <param name="config">Layout of the records.</param>
    /// <exception cref="ConfigurationException">The tokenizer lacks tokens that the chat template spells out.</exception>
    public ExampleReader(ExampleConfig config, BpeTokenizer tokenizer)
    {
        (_config, _tokenizer) = (config, tokenizer);
        _prompt = PromptTemplate.Parse(config.Prompt ?? "{prompt}");
        _response = PromptTemplate.Parse(config.Response ?? "{response}");
        _splitBy = config.SplitBy is null ? null : PromptTemplate.Parse(config.SplitBy);
        _chat = config.Template is null ? null : ChatTemplate.Create(config.Template, tokenizer);
    }

    /// <summary>Examples of a file, each with the text that decides its side of the split, in the order of the file.</summary>
    /// <exception cref="ConfigurationException">The file is missing or has another ending.</exception>
    /// <exception cref="DataFormatException">The file is damaged, a record is broken, or there is none.</exception>
    public IReadOnlyList<(Example Example, string SplitKey)> Read(string path, string key)
    {
        if (!File.Exists(path))
        {
            throw new ConfigurationException(
                $"{key} = {path} does not exist. Name a file of JSON lines: .jsonl, .jsonl.gz or .jsonl.zst."
            );
        }

        if (!RecordFile.IsOne(path))
        {
            throw new ConfigurationException(
                $"{key} = {path} has another ending than .jsonl, .jsonl.gz or .jsonl.zst."
            );
        }

        var examples = new List<(Example, string)>();
        RecordFile.Read(
            path,
            "",
            (record, line) =>
            {
                if (record.ValueKind != JsonValueKind.Object)
                {
                    throw new DataFormatException($"is no object but {record.ValueKind}");
                }

                IReadOnlyList<TextPiece> pieces = Pieces(record);
                string id = record.TryGetProperty("id", out JsonElement given) ? given.ToString() : $"line {line}";
                string split =
                    _splitBy?.Fill(record)
                    ?? string.Concat(pieces.TakeWhile(piece => !piece.Counts).Select(piece => piece.Text));
                examples.Add((Example.Encode(id, pieces, _tokenizer), split));
                return true;
            }
        );
        if (examples.Count > 0)
        {
            return examples;
        }

        throw new DataFormatException($"{path} holds no example.");
    }

    private IReadOnlyList<TextPiece> Pieces(JsonElement record) =>
        _config.Format switch
        {
            ExampleFormat.Messages => _chat!.Render(Messages(record)),
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

        return [new TextPiece(prompt), new TextPiece(response, Counts: true), TextPiece.End];
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

    private ChatMessage[] Messages(JsonElement record)
    {
        string name = _config.Field("messages");
        if (!record.TryGetProperty(name, out JsonElement list) || list.ValueKind != JsonValueKind.Array)
        {
            throw new DataFormatException(
                $"has no list '{name}', but {Names(record)}. Name the field under data.fields"
            );
        }

        return
        [
            .. list.EnumerateArray()
                .Select(
                    (message, i) =>
                    {
                        if (message.ValueKind != JsonValueKind.Object)
                        {
                            throw new DataFormatException($"message {i + 1} is no object but {message.ValueKind}");
                        }

                        string role = Text(message, "role", required: true);
                        string known = _config.Roles?.GetValueOrDefault(role) ?? role;
                        if (ChatTemplate.Roles.Contains(known))
                        {
                            return new ChatMessage(known, Text(message, "content", required: true));
                        }

                        throw new DataFormatException(
                            $"message {i + 1} has the role '{role}'. "
                                + $"Allowed are {string.Join(", ", ChatTemplate.Roles.Concat(_config.Roles?.Keys ?? []))}; "
                                + "name others under data.roles"
                        );
                    }
                ),
        ];
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

    private static string Names(JsonElement record)
    {
        string[] names = [.. record.EnumerateObject().Select(field => $"'{field.Name}'")];
        if (names.Length == 0)
        {
            return "no field at all";
        }

        return string.Join(", ", names);
    }
}
