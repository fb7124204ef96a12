using System.Text;
using System.Text.Json;
using Saltern.FineTuning;

namespace Saltern.Serve;

/// <summary>Messages of a request → the ids that the model goes on from.</summary>
internal static class ConversationPrompt
{
    private const int MostMessages = 1_000;

    /// <summary>Reads and encodes them.</summary>
    /// <exception cref="ApiException">They are no conversation, or the template has no place for one of them.</exception>
    public static int[] Encode(JsonElement messages, ChatTemplate template, ServedModel model)
    {
        if (messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() is 0 or > MostMessages)
        {
            throw new ApiException(400, $"messages is no list of 1 to {MostMessages} messages.", "messages");
        }

        try
        {
            ChatMessage[] conversation = [.. messages.EnumerateArray().Select(Message)];
            return Example.Encode("", template.RenderPrompt(conversation), model.Tokenizer).Tokens;
        }
        catch (DataFormatException e)
        {
            throw new ApiException(400, $"messages: the conversation {e.Message}.", "messages");
        }
    }

    private static ChatMessage Message(JsonElement message, int index)
    {
        if (
            message.ValueKind != JsonValueKind.Object
            || !message.TryGetProperty("role", out JsonElement role)
            || role.ValueKind != JsonValueKind.String
            || !message.TryGetProperty("content", out JsonElement content)
        )
        {
            throw new ApiException(400, $"messages[{index}] has no role and content.", "messages");
        }

        string name = role.GetString()!;
        if (name == "developer")
        {
            name = ChatTemplate.System; // OpenAI's newer word for it
        }

        if (!ChatTemplate.Roles.Contains(name))
        {
            throw new ApiException(
                400,
                $"messages[{index}].role = {name} is none of {string.Join(", ", ChatTemplate.Roles)}.",
                "messages"
            );
        }

        return new ChatMessage(name, Text(content, index));
    }

    // A text, or parts of which only texts are understood.
    private static string Text(JsonElement content, int index)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            return content.GetString()!;
        }

        if (content.ValueKind != JsonValueKind.Array)
        {
            throw new ApiException(400, $"messages[{index}].content is no text.", "messages");
        }

        var text = new StringBuilder();
        foreach (JsonElement part in content.EnumerateArray())
        {
            if (
                part.ValueKind != JsonValueKind.Object
                || !part.TryGetProperty("text", out JsonElement words)
                || words.ValueKind != JsonValueKind.String
            )
            {
                throw new ApiException(
                    400,
                    $"messages[{index}].content has a part that is no text: only text is read here.",
                    "messages"
                );
            }

            text.Append(words.GetString());
        }

        return text.ToString();
    }
}
