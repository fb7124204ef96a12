using System.Text.Json;
using Saltern.Models;

namespace Saltern.Serve;

/// <summary>What a client asks for, checked: prompts as ids, and how to go on from them.</summary>
internal sealed record CompletionRequest
{
    private const int MostChoices = 16;
    private const int MostPrompts = 256;
    private const int MostStops = 16;
    private const int MostAlternatives = 20;

    /// <summary>Ids of each prompt.</summary>
    public required IReadOnlyList<int[]> Prompts { get; init; }

    /// <summary>Texts for each prompt.</summary>
    public required int Choices { get; init; }

    /// <summary>How tokens are drawn.</summary>
    public required SamplingOptions Sampling { get; init; }

    /// <summary>Texts that end an answer and do not belong to it.</summary>
    public required IReadOnlyList<string> Stops { get; init; }

    /// <summary>Whether the prompt stands before the answer.</summary>
    public bool Echo { get; init; }

    /// <summary>Likeliest tokens to name in each place; null for no log probabilities.</summary>
    public int? Alternatives { get; init; }

    /// <summary>Whether scored tokens are named by their ids, <c>token_id:17</c>, as vLLM does it where it is asked: texts do not tell all ids apart.</summary>
    public bool NamesIds { get; init; }

    /// <summary>Whether the answer comes piece by piece.</summary>
    public bool Stream { get; init; }

    /// <summary>Whether a streamed answer ends with the counts.</summary>
    public bool StreamUsage { get; init; }

    /// <summary>Reads a request of <c>/v1/completions</c>.</summary>
    /// <exception cref="ApiException">Something is wrong with it.</exception>
    public static CompletionRequest OfText(RequestJson json, ServedModel model)
    {
        JsonElement prompt =
            json.Value("prompt") ?? throw new ApiException(400, "prompt is missing: a text, or token ids.", "prompt");
        List<int[]> prompts = [.. EncodeAll(prompt, model)];
        if (prompts.Count is 0 or > MostPrompts)
        {
            throw new ApiException(
                400,
                $"prompt has {prompts.Count} texts; 1 to {MostPrompts} go in one request.",
                "prompt"
            );
        }

        bool echo = json.Flag("echo");
        CompletionRequest request = Common(
            json,
            model,
            prompts,
            json.Integer("max_tokens", 0, int.MaxValue) ?? 16,
            echo
        ) with
        {
            Alternatives = json.Integer("logprobs", 0, MostAlternatives),
            NamesIds = json.Flag("return_tokens_as_token_ids"),
        };
        if (json.Number("best_of", 1, MostChoices) is > 1)
        {
            throw new ApiException(400, "best_of above 1 is not done here. Ask for several texts by n.", "best_of");
        }

        if (json.Texts("suffix") is [not ""])
        {
            throw new ApiException(400, "suffix is not done here: the model goes on from the end of a text.", "suffix");
        }

        RefuseUnknown(json);
        return request;
    }

    /// <summary>Reads a request of <c>/v1/chat/completions</c>.</summary>
    /// <exception cref="ApiException">Something is wrong with it.</exception>
    public static CompletionRequest OfChat(RequestJson json, ServedModel model)
    {
        if (model.Template is not { } template)
        {
            throw new ApiException(
                400,
                "Nothing says how this model writes a conversation. Start 'saltern serve' with --template chatml or "
                    + "turns, or use /v1/completions."
            );
        }

        JsonElement messages =
            json.Value("messages")
            ?? throw new ApiException(400, "messages is missing: the conversation so far.", "messages");
        int[] prompt = ConversationPrompt.Encode(messages, template, model);
        int? limit =
            json.Integer("max_completion_tokens", 1, int.MaxValue) ?? json.Integer("max_tokens", 1, int.MaxValue);
        CompletionRequest request = Common(
            json,
            model,
            [prompt],
            limit ?? Math.Max(1, model.Window - prompt.Length),
            echo: false
        );
        bool scores = json.Flag("logprobs");
        int? top = json.Integer("top_logprobs", 0, MostAlternatives);
        if (top is not null && !scores)
        {
            throw new ApiException(400, "top_logprobs needs logprobs: true.", "top_logprobs");
        }

        foreach (string key in new[] { "tools", "functions", "response_format" })
        {
            if (
                json.Value(key) is { } value
                && !(key == "response_format" && value.GetRawText().Contains("\"text\"", StringComparison.Ordinal))
            )
            {
                throw new ApiException(400, $"{key} is not done here.", key);
            }
        }

        RefuseUnknown(json);
        return request with { Alternatives = scores ? top ?? 0 : null };
    }

    private static CompletionRequest Common(
        RequestJson json,
        ServedModel model,
        List<int[]> prompts,
        int maxTokens,
        bool echo
    )
    {
        int longest = prompts.Max(prompt => prompt.Length);

        // The last token of a text that is scored alone needs no position: nothing comes behind it.
        int scoredAlone = Convert.ToInt32(maxTokens == 0 && echo);
        if (longest + maxTokens > model.Window + scoredAlone)
        {
            throw new ApiException(
                400,
                $"This model has {model.Window} positions; {longest} tokens of the prompt and max_tokens = {maxTokens} do not fit. "
                    + "Shorten the prompt, or ask for fewer tokens.",
                "max_tokens"
            );
        }

        if (maxTokens == 0 && !echo)
        {
            throw new ApiException(400, "max_tokens = 0 without echo asks for nothing.", "max_tokens");
        }

        IReadOnlyList<string> stops = json.Texts("stop");
        if (stops.Count > MostStops || stops.Any(stop => stop.Length is 0 or > 256))
        {
            throw new ApiException(400, $"stop takes at most {MostStops} texts of 1 to 256 characters.", "stop");
        }

        bool stream = json.Flag("stream");
        bool usage =
            json.Value("stream_options") is { ValueKind: JsonValueKind.Object } options
            && options.TryGetProperty("include_usage", out JsonElement wanted)
            && wanted.ValueKind == JsonValueKind.True;
        if (json.Number("presence_penalty", -2, 2) is not (null or 0))
        {
            throw new ApiException(400, "presence_penalty other than 0 is not done here.", "presence_penalty");
        }

        return new CompletionRequest
        {
            Prompts = prompts,
            Choices = json.Integer("n", 1, MostChoices) ?? 1,
            Sampling = new SamplingOptions
            {
                MaxTokens = maxTokens,
                Temperature = json.Number("temperature", 0, 100) ?? 1,
                TopP = json.Number("top_p", 1e-9, 1) ?? 1,
                TopK = json.Integer("top_k", 0, int.MaxValue) ?? 0,
                Seed = json.Integer("seed", int.MinValue, int.MaxValue) ?? Random.Shared.Next(),
            },
            Stops = stops,
            Echo = echo,
            Stream = stream,
            StreamUsage = usage,
        };
    }

    // What a client library sends beside what it means is let pass by name; anything else would be silently ignored.
    private static void RefuseUnknown(RequestJson json)
    {
        foreach (string key in new[] { "model", "user", "metadata", "store", "service_tier", "parallel_tool_calls" })
        {
            json.Value(key);
        }

        if (json.Number("frequency_penalty", -2, 2) is not (null or 0))
        {
            throw new ApiException(400, "frequency_penalty other than 0 is not done here.", "frequency_penalty");
        }

        if (json.Value("logit_bias") is { } bias && bias.GetRawText() != "{}")
        {
            throw new ApiException(400, "logit_bias is not done here.", "logit_bias");
        }

        string[] unknown = [.. json.Unread];
        if (unknown.Length > 0)
        {
            throw new ApiException(
                400,
                $"{string.Join(", ", unknown)}: not known here, and left out silently it would change the answer.",
                unknown[0]
            );
        }
    }

    private static IEnumerable<int[]> EncodeAll(JsonElement prompt, ServedModel model)
    {
        if (prompt.ValueKind == JsonValueKind.String)
        {
            return [Encode(prompt.GetString()!, model)];
        }

        if (prompt.ValueKind != JsonValueKind.Array)
        {
            throw new ApiException(400, "prompt is neither a text nor token ids, nor a list of either.", "prompt");
        }

        JsonElement[] items = [.. prompt.EnumerateArray()];
        if (items.Length > 0 && items.All(item => item.ValueKind == JsonValueKind.Number))
        {
            return [Ids(items, model)];
        }

        return items.Select(item =>
            item.ValueKind switch
            {
                JsonValueKind.String => Encode(item.GetString()!, model),
                JsonValueKind.Array => Ids([.. item.EnumerateArray()], model),
                _ => throw new ApiException(
                    400,
                    "prompt is neither a text nor token ids, nor a list of either.",
                    "prompt"
                ),
            }
        );
    }

    private static int[] Encode(string text, ServedModel model) =>
        NotEmpty([.. model.Tokenizer.BeginOfText, .. model.Tokenizer.Encode(text)], model);

    private static int[] Ids(JsonElement[] items, ServedModel model)
    {
        int[] ids = new int[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            if (
                items[i].ValueKind != JsonValueKind.Number
                || !items[i].TryGetInt32(out ids[i])
                || ids[i] < 0
                || ids[i] >= model.Vocabulary
            )
            {
                throw new ApiException(
                    400,
                    $"prompt has {items[i].GetRawText()}, which is no id below {model.Vocabulary}.",
                    "prompt"
                );
            }
        }

        return NotEmpty(ids, model);
    }

    // The model always goes on from something: an empty prompt is the beginning of a text.
    private static int[] NotEmpty(int[] ids, ServedModel model) => ids.Length > 0 ? ids : [model.Tokenizer.EndOfTextId];
}
