using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Models;

namespace Saltern.Serve;

/// <summary>Answers in the form of OpenAI's API.</summary>
internal sealed class ApiJson(ServedModel model, string name)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Bytes of a document.</summary>
    public static byte[] Bytes(JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node, Options);

    /// <summary>An error.</summary>
    public static JsonObject Error(ApiException error) =>
        new()
        {
            ["error"] = new JsonObject
            {
                ["message"] = error.Message,
                ["type"] = error.Status switch
                {
                    401 => "authentication_error",
                    429 => "rate_limit_error",
                    >= 500 => "server_error",
                    _ => "invalid_request_error",
                },
                ["param"] = error.Parameter,
                ["code"] = null,
            },
        };

    /// <summary>The list of models: the one.</summary>
    public JsonObject Models() => new() { ["object"] = "list", ["data"] = new JsonArray(Model()) };

    /// <summary>The model.</summary>
    public JsonObject Model() =>
        new()
        {
            ["id"] = name,
            ["object"] = "model",
            ["created"] = _created,
            ["owned_by"] = "saltern",
            ["max_model_len"] = model.Window,
        };

    /// <summary>What every answer and every piece of one begins with.</summary>
    public JsonObject Head(string id, string kind) =>
        new()
        {
            ["id"] = id,
            ["object"] = kind,
            ["created"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
            ["model"] = name,
        };

    /// <summary>Tokens read and written.</summary>
    public static JsonObject Usage(CompletionRequest request, IReadOnlyList<Answer> answers)
    {
        int prompt = request.Prompts.Sum(ids => ids.Length);
        int written = answers.Sum(answer => answer.TokenCount);
        return new JsonObject
        {
            ["prompt_tokens"] = prompt,
            ["completion_tokens"] = written,
            ["total_tokens"] = prompt + written,
        };
    }

    /// <summary>Log probabilities as <c>/v1/completions</c> has them.</summary>
    /// <param name="scores">Of the tokens of the text.</param>
    /// <param name="offset">Characters before the first of them.</param>
    /// <param name="namesIds">Whether tokens are named by their ids.</param>
    public JsonObject TextScores(IReadOnlyList<TokenScore> scores, int offset, bool namesIds)
    {
        string Named(int id) => namesIds ? string.Create(CultureInfo.InvariantCulture, $"token_id:{id}") : Shown(id);

        JsonArray tokens = [];
        JsonArray logProbabilities = [];
        JsonArray top = [];
        JsonArray offsets = [];
        foreach (TokenScore score in scores)
        {
            string token = Named(score.Token);
            tokens.Add(token);
            logProbabilities.Add(score.LogProbability is double value ? JsonValue.Create(value) : null);
            offsets.Add(offset);
            offset += namesIds ? Shown(score.Token).Length : token.Length;
            if (score.LogProbability is null)
            {
                top.Add(null);
                continue;
            }

            // Two ids may be written alike; the likelier one comes first and stands for both.
            JsonObject alternatives = [];
            foreach ((int id, double logProbability) in score.Top)
            {
                alternatives.TryAdd(Named(id), logProbability);
            }

            alternatives.TryAdd(token, score.LogProbability);
            top.Add(alternatives);
        }

        return new JsonObject
        {
            ["tokens"] = tokens,
            ["token_logprobs"] = logProbabilities,
            ["top_logprobs"] = top,
            ["text_offset"] = offsets,
        };
    }

    /// <summary>Log probabilities as <c>/v1/chat/completions</c> has them.</summary>
    /// <param name="alternatives">Likeliest tokens to name.</param>
    public JsonObject ChatScores(IReadOnlyList<TokenScore> scores, int alternatives)
    {
        JsonArray content = [];
        foreach (TokenScore score in scores)
        {
            JsonObject token = Scored(score.Token, score.LogProbability);
            token["top_logprobs"] = new JsonArray([
                .. score.Top.Take(alternatives).Select(other => (JsonNode)Scored(other.Token, other.LogProbability)),
            ]);
            content.Add(token);
        }

        return new JsonObject { ["content"] = content, ["refusal"] = null };
    }

    private JsonObject Scored(int token, double? logProbability)
    {
        byte[] bytes = model.Tokenizer.DecodeToBytes([token]);
        return new JsonObject
        {
            ["token"] = Shown(token),
            ["logprob"] = logProbability,
            ["bytes"] = new JsonArray([.. bytes.Select(part => (JsonNode)(int)part)]),
        };
    }

    // A token that is a part of a character is no text: its bytes are written instead.
    private string Shown(int token)
    {
        byte[] bytes = model.Tokenizer.DecodeToBytes([token]);
        if (System.Text.Unicode.Utf8.IsValid(bytes))
        {
            return Encoding.UTF8.GetString(bytes);
        }

        return "bytes:" + string.Concat(bytes.Select(part => $"\\x{part:x2}"));
    }
}
