using System.Globalization;
using System.Text.Json;
using Saltern.Corpora;

namespace Saltern.Evaluation;

/// <summary>Reads the items of a task from a file of records. A broken record is an error: a score over the rest would be of another task.</summary>
internal static class TaskItemReader
{
    private static readonly string[] Compressions = ["", ".gz", ".zst", ".bz2", ".xz"];
    private static readonly string[] Endings =
    [
        "",
        .. new[] { ".jsonl", ".json", ".ndjson", ".jsonlines" }.SelectMany(ending =>
            Compressions.Select(compression => ending + compression)
        ),
        ".parquet",
        ".arrow",
    ];

    /// <summary>Finds a task's file.</summary>
    /// <param name="data">What the task file says: a path or a name.</param>
    /// <param name="dataFolder"><c>--data-dir</c>; null where none was given.</param>
    /// <param name="taskFolder">Folder of the task file, from which its paths count.</param>
    /// <returns>The path; null where there is no such file.</returns>
    public static string? Find(string data, string? dataFolder, string taskFolder) =>
        new[] { dataFolder, taskFolder }
            .OfType<string>()
            .SelectMany(folder => Endings.Select(ending => Path.Combine(folder, data + ending)))
            .FirstOrDefault(path => File.Exists(path) && RecordFile.IsOne(path));

    /// <summary>Reads items.</summary>
    /// <param name="limit">Most items, from the first on; null for all.</param>
    /// <exception cref="DataFormatException">The file is damaged, or a record does not fit the task; the message names file and line.</exception>
    public static IReadOnlyList<TaskItem> Read(TaskDefinition definition, string path, int? limit = null)
    {
        var items = new List<TaskItem>();
        var joined = new List<JsonElement>();
        TaskReading? joining = null;
        int most = limit ?? int.MaxValue;
        RecordFile.Read(
            path,
            $" ({definition.Task})",
            (record, _) =>
            {
                TaskReading reading =
                    definition.Readings.FirstOrDefault(reading => reading.Fits(record))
                    ?? throw NoReading(definition, record);
                if (reading.Join is not null)
                {
                    joining = reading;
                    joined.Add(record);
                    return true;
                }

                items.Add(Fill(definition.Kind, reading, record, items.Count));
                return items.Count < most;
            },
            encoding: definition.Encoding
        );
        if (joining?.Join is { } join)
        {
            foreach (JsonElement record in join.Join(joined).Take(most - items.Count))
            {
                items.Add(Fill(definition.Kind, joining, record, items.Count));
            }
        }

        if (items.Count > 0)
        {
            return items;
        }

        throw new DataFormatException($"{path} holds no item.");
    }

    private static DataFormatException NoReading(TaskDefinition definition, JsonElement record)
    {
        string found = $"no object but {record.ValueKind}";
        if (record.ValueKind == JsonValueKind.Object)
        {
            found = string.Join(", ", record.EnumerateObject().Select(field => field.Name));
        }

        return new DataFormatException(
            $"no reading of the task fits the record, which has {found}. Add one under readings"
        );
    }

    private static TaskItem Fill(TaskKind kind, TaskReading reading, JsonElement published, int index)
    {
        JsonElement record = reading.Fields(published)!.Value;
        string Text(string template) => PromptTemplate.Parse(template).Fill(record);
        IReadOnlyList<string> List(IReadOnlyList<string> templates, string? field)
        {
            if (field is null)
            {
                return [.. templates.Select(Text)];
            }

            return FieldPath.Parse(field).All(record);
        }

        string prompt = reading.FillPrompt(record);
        IReadOnlyList<string> choices = List(reading.Choices, reading.ChoicesFrom);
        IReadOnlyList<string> contexts = List(reading.Contexts, reading.ContextsFrom);
        IReadOnlyList<string> options = kind == TaskKind.ContextChoice ? contexts : choices;
        string answer = reading.Answer is null ? "" : Text(reading.Answer);
        string[] answers =
        [
            .. reading.Answers.Select(FieldPath.Parse).SelectMany(field => field.All(record)).Distinct(),
        ];
        if (answers.Length == 0 && kind == TaskKind.Generate)
        {
            answers =
            [
                reading.NoAnswer
                    ?? throw new DataFormatException("has no reference answer, and the reading no no_answer"),
            ];
        }

        int gold = reading.Gold is string field ? GoldIndex(reading, field, record, options.Count) : 0;
        if (
            kind is TaskKind.Choice or TaskKind.Pair or TaskKind.ContextChoice
            && (options.Count < 2 || options.Any(string.IsNullOrWhiteSpace))
        )
        {
            throw new DataFormatException(
                $"has {options.Count} choices, of which {options.Count(string.IsNullOrWhiteSpace)} are empty; "
                    + "at least two with text are needed"
            );
        }

        if (
            (kind is TaskKind.ContextChoice or TaskKind.LastWord && string.IsNullOrWhiteSpace(answer))
            || (kind == TaskKind.Perplexity && string.IsNullOrWhiteSpace(prompt))
        )
        {
            throw new DataFormatException("has an empty text where something must be predicted");
        }

        return new TaskItem
        {
            Id = IdOf(published, index),
            Index = index,
            Record = published,
            Prompt = prompt,
            Counted = reading.Counted is null ? null : Text(reading.Counted),
            Choices = choices,
            Contexts = contexts,
            Gold = gold,
            Answer = answer,
            Answers = answers,
            Example = kind switch
            {
                _ when reading.Example is not null => Text(reading.Example),
                TaskKind.Choice => choices[gold],
                TaskKind.Generate => answers[0],
                _ => answer,
            },
        };
    }

    private static string IdOf(JsonElement record, int index)
    {
        if (record.TryGetProperty("id", out JsonElement id))
        {
            return id.ToString();
        }

        return index.ToString(CultureInfo.InvariantCulture);
    }

    private static int GoldIndex(TaskReading reading, string field, JsonElement record, int count)
    {
        string text = FieldPath.Parse(field).One(record);
        IReadOnlyList<string> labels = reading.GoldLabels;
        if (reading.GoldLabelsFrom is string from)
        {
            labels = FieldPath.Parse(from).All(record);
        }

        int gold = -1;
        string allowed = $"0 to {count - 1}";
        if (labels.Count > 0)
        {
            gold = labels.ToList().FindIndex(label => label == text || label.Split('|').Contains(text));
            allowed = string.Join(", ", labels);
        }
        else if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            gold = number;
        }

        if (gold >= 0 && gold < count)
        {
            return gold;
        }

        throw new DataFormatException(
            $"field '{field}' is '{text}'; of {count} choices allowed are {allowed}. Test sets without answers cannot be scored"
        );
    }
}
