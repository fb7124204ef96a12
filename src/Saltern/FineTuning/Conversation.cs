using System.Text.Json;

namespace Saltern.FineTuning;

/// <summary>Reads conversations as they are published: OpenAI's messages, ShareGPT's turns, and what others have made of them.</summary>
/// <remarks>What cannot be trained as its author means it is refused with the reason: calls of tools, pictures, replies of a part weight.</remarks>
internal sealed class Conversation(ExampleConfig config)
{
    // Names of one thing in published data sets; the first is OpenAI's.
    private static readonly Dictionary<string, string[]> UsualFields = new(StringComparer.Ordinal)
    {
        ["messages"] = ["messages", "conversations", "conversation"],
        ["role"] = ["role", "from"],
        ["content"] = ["content", "value"],
        ["system"] = ["system", "system_prompt"],
    };

    // What else messages may have: names and numbers that say nothing to be learned, and what refuses a record where it holds something.
    private static readonly string[] OtherFields =
    [
        "weight",
        "name",
        "id",
        "tool_call_id",
        "annotations",
        "tool_calls",
        "function_call",
        "refusal",
        "audio",
    ];

    // What a record offers the model beside the conversation.
    private static readonly string[] Tools = ["tools", "functions"];

    private static readonly Dictionary<string, string> UsualRoles = new(StringComparer.OrdinalIgnoreCase)
    {
        [ChatTemplate.System] = ChatTemplate.System,
        [ChatTemplate.User] = ChatTemplate.User,
        [ChatTemplate.Assistant] = ChatTemplate.Assistant,
        [ChatTemplate.Tool] = ChatTemplate.Tool,
        ["developer"] = ChatTemplate.System,
        ["human"] = ChatTemplate.User,
        ["gpt"] = ChatTemplate.Assistant,
        ["chatgpt"] = ChatTemplate.Assistant,
        ["bing"] = ChatTemplate.Assistant,
        ["bard"] = ChatTemplate.Assistant,
        ["model"] = ChatTemplate.Assistant,
        ["function"] = ChatTemplate.Tool,
        ["ipython"] = ChatTemplate.Tool,
        ["observation"] = ChatTemplate.Tool,
    };

    /// <summary>Fields that hold something and are not read, with how many records have each.</summary>
    public Dictionary<string, int> Unread { get; } = new(StringComparer.Ordinal);

    /// <summary>The messages up to the last reply.</summary>
    /// <param name="unanswered">Messages behind it, which nobody answers; they are left out.</param>
    /// <exception cref="DataFormatException">The record is no conversation, or has what cannot be trained.</exception>
    public IReadOnlyList<ChatMessage> Read(JsonElement record, out int unanswered)
    {
        List<ChatMessage> messages = [];
        JsonElement list = List(record);
        int number = 0;
        foreach (JsonElement message in list.EnumerateArray())
        {
            number++;
            if (!IsEmptySystem(message))
            {
                messages.Add(Message(message, number));
            }
        }

        AddSystem(record, messages);
        int replies = messages.FindLastIndex(message => message.Role == ChatTemplate.Assistant) + 1;
        if (replies == 0)
        {
            throw new DataFormatException(
                messages.Count == 0 ? "has no messages" : "has no message of the assistant, which is what is learned"
            );
        }

        if (!messages.Any(message => message.Role == ChatTemplate.Assistant && message.IsLearned))
        {
            throw new DataFormatException("has no reply to learn: all have weight 0");
        }

        foreach (string field in UnreadFields(record, list).Distinct())
        {
            Unread[field] = Unread.GetValueOrDefault(field) + 1;
        }

        unanswered = messages.Count - replies;
        return messages[..replies];
    }

    private IEnumerable<string> UnreadFields(JsonElement record, JsonElement list)
    {
        string[] read =
        [
            .. UsualFields["role"],
            .. UsualFields["content"],
            .. config.Fields?.Values ?? [],
            .. OtherFields,
        ];
        IEnumerable<string> beside = Tools.Where(name =>
            record.TryGetProperty(name, out JsonElement value) && HoldsSomething(value)
        );
        return list.EnumerateArray()
            .SelectMany(message => message.EnumerateObject())
            .Where(field => !read.Contains(field.Name) && HoldsSomething(field.Value))
            .Select(field => field.Name)
            .Concat(beside);
    }

    private JsonElement List(JsonElement record)
    {
        if (Find(record, "messages") is { ValueKind: JsonValueKind.Array } list)
        {
            return list;
        }

        throw new DataFormatException(
            $"has no list '{config.Field("messages")}', but {ExampleReader.Names(record)}. Name the field under data.fields"
        );
    }

    // Says that there is no system message, as an empty field beside the list does.
    private bool IsEmptySystem(JsonElement message) =>
        message.ValueKind == JsonValueKind.Object
        && Find(message, "role") is { ValueKind: JsonValueKind.String } role
        && Known(role.GetString()!) == ChatTemplate.System
        && Find(message, "content") is { } content
        && (
            content.ValueKind == JsonValueKind.Null
            || (content.ValueKind == JsonValueKind.String && string.IsNullOrWhiteSpace(content.GetString()))
        );

    private string Known(string role) =>
        config.Roles?.GetValueOrDefault(role) ?? UsualRoles.GetValueOrDefault(role) ?? role;

    private ChatMessage Message(JsonElement message, int number)
    {
        if (message.ValueKind != JsonValueKind.Object)
        {
            throw new DataFormatException($"message {number} is no object but {message.ValueKind}");
        }

        string role = Text(message, "role", number);
        string known = Known(role);
        if (!ChatTemplate.Roles.Contains(known))
        {
            throw new DataFormatException(
                $"message {number} has the role '{role}'. "
                    + $"Allowed are {string.Join(", ", ChatTemplate.Roles.Concat(config.Roles?.Keys ?? []))}; "
                    + "name others under data.roles"
            );
        }

        foreach (string call in (string[])["tool_calls", "function_call", "refusal", "audio"])
        {
            if (message.TryGetProperty(call, out JsonElement value) && HoldsSomething(value))
            {
                throw new DataFormatException($"message {number} has '{call}', for which templates have no text");
            }
        }

        return new ChatMessage(known, Text(message, "content", number), IsLearned(message, number));
    }

    private static bool HoldsSomething(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.False => false,
            JsonValueKind.Array => value.GetArrayLength() > 0,
            JsonValueKind.String => value.GetString()!.Length > 0,
            _ => true,
        };

    // OpenAI's key: a reply of weight 0 is read and not learned.
    private static bool IsLearned(JsonElement message, int number)
    {
        if (!message.TryGetProperty("weight", out JsonElement weight) || weight.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        if (weight.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return weight.GetBoolean();
        }

        if (weight.ValueKind == JsonValueKind.Number && weight.GetDouble() is 0 or 1)
        {
            return weight.GetDouble() == 1;
        }

        throw new DataFormatException($"message {number} has the weight {weight}. Allowed are 0 (not learned) and 1");
    }

    private string Text(JsonElement message, string name, int number)
    {
        if (Find(message, name) is not { } value)
        {
            throw new DataFormatException(
                $"message {number} has no field '{config.Field(name)}', but {ExampleReader.Names(message)}. "
                    + "Name the field under data.fields"
            );
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Array when name == "content" => string.Concat(
                value.EnumerateArray().Select(part => PartText(part, number))
            ),
            JsonValueKind.Null => throw new DataFormatException($"message {number} has null for its {name}"),
            _ => throw new DataFormatException(
                $"message {number} has {value.ValueKind} for its {name}, where a text is needed"
            ),
        };
    }

    private static string PartText(JsonElement part, int number)
    {
        if (part.ValueKind == JsonValueKind.String)
        {
            return part.GetString()!;
        }

        bool isText =
            part.ValueKind == JsonValueKind.Object
            && (!part.TryGetProperty("type", out JsonElement type) || type.ValueEquals("text"));
        if (isText && part.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String)
        {
            return text.GetString()!;
        }

        throw new DataFormatException($"message {number} has a part that is no text (a picture, sound or file)");
    }

    // Some keep the system message beside the list.
    private void AddSystem(JsonElement record, List<ChatMessage> messages)
    {
        if (
            Find(record, "system") is not { ValueKind: JsonValueKind.String } system
            || string.IsNullOrWhiteSpace(system.GetString())
        )
        {
            return;
        }

        string text = system.GetString()!;
        if (messages is not [{ Role: ChatTemplate.System } first, ..])
        {
            messages.Insert(0, new ChatMessage(ChatTemplate.System, text));
        }
        else if (first.Content != text)
        {
            throw new DataFormatException("has a system message in its list and another one in a field beside it");
        }
    }

    // The field that the recipe names, and no other where it names one.
    private JsonElement? Find(JsonElement record, string name)
    {
        string[] names = [.. UsualFields[name]];
        if (config.Fields?.GetValueOrDefault(name) is { } named)
        {
            names = [named];
        }

        foreach (string field in names)
        {
            if (record.TryGetProperty(field, out JsonElement value))
            {
                return value;
            }
        }

        return null;
    }
}
