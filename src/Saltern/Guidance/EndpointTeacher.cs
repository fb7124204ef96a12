using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Saltern.Tokenization;

namespace Saltern.Guidance;

/// <summary>What a served model says of one token of a text.</summary>
/// <param name="Token">The token that stands there.</param>
/// <param name="LogProbability">Its log probability given all before it, nats.</param>
/// <param name="Top">The likeliest tokens there, likeliest first, the lower id first among equals.</param>
internal sealed record ServedScore(
    int Token,
    double LogProbability,
    IReadOnlyList<(int Token, double LogProbability)> Top
);

/// <summary>A teacher behind OpenAI's API: <c>/v1/completions</c> scores token ids that it is given (<c>echo</c>, <c>logprobs</c>, <c>max_tokens: 0</c>), as <c>saltern serve</c> and vLLM do it.</summary>
/// <remarks>
/// Tokens are asked for by id (<c>return_tokens_as_token_ids</c>), because pieces of text do not tell ids apart. What fails for a moment (no answer, 429, 5xx) is asked again, five times in all.
/// </remarks>
internal sealed class EndpointTeacher : IDisposable
{
    private const string IdMark = "token_id:";
    private const int Attempts = 5;

    // Of a server's own words, as much as helps.
    private const int LongestComplaint = 400;

    // A batch on a slow machine takes minutes.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private readonly HttpClient _http = new() { Timeout = Patience };
    private readonly string _address;
    private readonly TimeSpan _firstWait;

    private EndpointTeacher(string address, string? key, TimeSpan firstWait)
    {
        (_address, _firstWait) = (address, firstWait);
        if (key is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
    }

    /// <summary>The model's name, as the server calls it.</summary>
    public string Model { get; private set; } = "";

    /// <summary>Finds the server and the model.</summary>
    /// <param name="endpoint">Its address, with or without <c>/v1</c>.</param>
    /// <param name="model">Name of the model; null where the server has only one.</param>
    /// <param name="key">What the server wants to be shown; null for nothing.</param>
    /// <param name="firstWait">Wait before a question is asked again, which doubles; a second by default.</param>
    /// <exception cref="ConfigurationException">The address is no URL, nobody answers there, or there is no such model.</exception>
    public static EndpointTeacher Open(
        string endpoint,
        string? model,
        string? key,
        TimeSpan? firstWait = null,
        CancellationToken cancellation = default
    )
    {
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https"))
        {
            throw new ConfigurationException(
                $"--endpoint = {endpoint} is no URL. Give one such as http://127.0.0.1:8077/v1."
            );
        }

        string address = endpoint.TrimEnd('/');
        if (!address.EndsWith("/v1", StringComparison.Ordinal))
        {
            address += "/v1";
        }

        var teacher = new EndpointTeacher(address, key, firstWait ?? TimeSpan.FromSeconds(1));
        try
        {
            teacher.Model = teacher.Find(model, cancellation);
            return teacher;
        }
        catch
        {
            teacher.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a server whose tokens are not those of a tokenizer: it is given a text, and says which ids it makes of it.</summary>
    /// <param name="tokenizer">The data set's.</param>
    /// <param name="text">A text of the data set.</param>
    /// <exception cref="ConfigurationException">They differ; the first difference is named.</exception>
    public void CheckTokens(BpeTokenizer tokenizer, string text, CancellationToken cancellation)
    {
        int[] expected = [.. tokenizer.BeginOfText, .. tokenizer.Encode(text)];
        using JsonDocument answer = Complete(JsonValue.Create(text), logprobs: 1, cancellation);
        int[] found = [.. Scores(answer.RootElement, 0).GetProperty("tokens").EnumerateArray().Select(Id)];
        if (found.SequenceEqual(expected))
        {
            return;
        }

        int at = expected.Zip(found).TakeWhile(pair => pair.First == pair.Second).Count();
        throw new ConfigurationException(
            $"{_address}: the tokens do not agree. Of a text of the data set the server makes {found.Length} tokens, "
                + "the data set's tokenizer "
                + $"{expected.Length}; the first difference is token {at + 1}: {Named(found, at)} there, {Named(expected, at)} here. "
                + "Soft labels are probabilities of the same token ids: prepare the data set with the served model's tokenizer.json."
        );

        static string Named(int[] ids, int at) =>
            at < ids.Length ? ids[at].ToString(CultureInfo.InvariantCulture) : "none";
    }

    /// <summary>Scores texts.</summary>
    /// <param name="prompts">Token ids of each.</param>
    /// <param name="count">Likeliest tokens to name in each place.</param>
    /// <returns>Of each text its tokens but the first.</returns>
    /// <exception cref="SalternException">The server does not answer, refuses, or answers otherwise than asked.</exception>
    public ServedScore[][] Score(IReadOnlyList<int[]> prompts, int count, CancellationToken cancellation)
    {
        var list = new JsonArray();
        foreach (int[] prompt in prompts)
        {
            list.Add(new JsonArray([.. prompt.Select(id => (JsonNode)id)]));
        }

        using JsonDocument answer = Complete(list, count, cancellation);
        return [.. prompts.Select((prompt, i) => ScoresOf(answer.RootElement, i, prompt, count))];
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private ServedScore[] ScoresOf(JsonElement answer, int index, int[] prompt, int count)
    {
        JsonElement scores = Scores(answer, index);
        JsonElement[] tokens = [.. scores.GetProperty("tokens").EnumerateArray()];
        JsonElement[] own = [.. scores.GetProperty("token_logprobs").EnumerateArray()];
        JsonElement[] top = [.. scores.GetProperty("top_logprobs").EnumerateArray()];
        if (tokens.Length < prompt.Length || own.Length < prompt.Length || top.Length < prompt.Length)
        {
            throw Strange(
                $"it scores {Math.Min(tokens.Length, Math.Min(own.Length, top.Length))} of {prompt.Length} tokens of a prompt"
            );
        }

        var found = new ServedScore[prompt.Length - 1];
        for (int i = 1; i < prompt.Length; i++)
        {
            (int Token, double LogProbability)[] likeliest =
            [
                .. top[i]
                    .EnumerateObject()
                    .Select(one => (Id(one.Name), one.Value.GetDouble()))
                    .OrderByDescending(one => one.Item2)
                    .ThenBy(one => one.Item1),
            ];
            int token = Id(tokens[i]);
            if (token != prompt[i])
            {
                throw Strange($"it was given the token {prompt[i]} and scores {token}");
            }

            // A token that is none of the likeliest may be named beside them.
            int named = likeliest.Length - Convert.ToInt32(likeliest.Length > count);
            if (named < count)
            {
                throw new SalternException(
                    $"{_address} names {named} tokens of a position, and {count} are to be kept. Give --keep {named}, or let the "
                        + "server name more (vLLM: --max-logprobs)."
                );
            }

            found[i - 1] = new ServedScore(token, own[i].GetDouble(), likeliest[..count]);
        }

        return found;
    }

    private string Find(string? model, CancellationToken cancellation)
    {
        using JsonDocument answer = Ask(HttpMethod.Get, "/models", body: null, attempts: 1, cancellation);
        string[] names =
        [
            .. answer
                .RootElement.GetProperty("data")
                .EnumerateArray()
                .Select(one => one.GetProperty("id").GetString()!),
        ];
        if (model is null && names.Length == 1)
        {
            return names[0];
        }

        if (model is not null && names.Contains(model, StringComparer.Ordinal))
        {
            return model;
        }

        string problem = model is null ? "Name the model by --model" : $"--model = {model} is not served";
        throw new ConfigurationException($"{_address}: {problem}. There: {string.Join(", ", names)}.");
    }

    private JsonDocument Complete(JsonNode prompt, int logprobs, CancellationToken cancellation) =>
        Ask(
            HttpMethod.Post,
            "/completions",
            new JsonObject
            {
                ["model"] = Model,
                ["prompt"] = prompt,
                ["max_tokens"] = 0,
                ["echo"] = true,
                ["logprobs"] = logprobs,
                ["return_tokens_as_token_ids"] = true,
            }.ToJsonString(),
            Attempts,
            cancellation
        );

    private JsonElement Scores(JsonElement answer, int index)
    {
        foreach (JsonElement choice in answer.GetProperty("choices").EnumerateArray())
        {
            if (
                choice.GetProperty("index").GetInt32() == index
                && choice.TryGetProperty("logprobs", out JsonElement scores)
                && scores.ValueKind == JsonValueKind.Object
            )
            {
                return scores;
            }
        }

        throw Strange("it gives no log probabilities of the prompt");
    }

    private int Id(JsonElement token) => Id(token.GetString() ?? "");

    private int Id(string token)
    {
        if (
            token.StartsWith(IdMark, StringComparison.Ordinal)
            && int.TryParse(token.AsSpan(IdMark.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
        )
        {
            return id;
        }

        throw Strange($"it does not name tokens by their ids, but as '{token}'");
    }

    private SalternException Strange(string what) =>
        new(
            $"{_address} cannot be a teacher: {what}. It has to know echo, logprobs, max_tokens: 0 and return_tokens_as_token_ids of "
                + "/v1/completions, as 'saltern serve' and vLLM do."
        );

    private JsonDocument Ask(HttpMethod method, string path, string? body, int attempts, CancellationToken cancellation)
    {
        TimeSpan wait = _firstWait;
        for (int attempt = 1; ; attempt++)
        {
            (JsonDocument? answer, string problem, bool mayPass) = AskOnce(method, path, body, cancellation);
            if (answer is not null)
            {
                return answer;
            }

            if (!mayPass || attempt == attempts)
            {
                string often = attempt > 1 ? $" (asked {attempt} times)" : "";
                throw new SalternException($"{_address}{path}: {problem}{often}");
            }

            cancellation.WaitHandle.WaitOne(wait);
            cancellation.ThrowIfCancellationRequested();
            wait *= 2;
        }
    }

    private (JsonDocument? Answer, string Problem, bool MayPass) AskOnce(
        HttpMethod method,
        string path,
        string? body,
        CancellationToken cancellation
    )
    {
        using var request = new HttpRequestMessage(method, _address + path);
        if (body is not null)
        {
            request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        }

        try
        {
            using HttpResponseMessage response = _http.Send(request, cancellation);
            using Stream content = response.Content.ReadAsStream(cancellation);
            if (response.IsSuccessStatusCode)
            {
                return (JsonDocument.Parse(content), "", false);
            }

            string said = Complaint(new StreamReader(content).ReadToEnd());
            string remedy = response.StatusCode switch
            {
                HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden =>
                    " It wants a key: put it into the variable SALTERN_ENDPOINT_KEY.",
                HttpStatusCode.NotFound => " Is it the address of OpenAI's API?",
                _ => "",
            };
            bool mayPass =
                response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout
                || (int)response.StatusCode >= 500;
            return (null, $"the server answers {(int)response.StatusCode}: {said}{remedy}", mayPass);
        }
        catch (JsonException e)
        {
            return (null, $"the answer is no JSON: {e.Message}", false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return (null, $"it cannot be reached: {e.Message} Is the server up, and the address right?", true);
        }
        catch (TaskCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (null, $"it gave no answer within {Patience.TotalMinutes:0} minutes.", true);
        }
    }

    // {"error": {"message": "…"}}, or whatever it was.
    private static string Complaint(string body)
    {
        try
        {
            if (JsonNode.Parse(body)?["error"]?["message"]?.GetValue<string>() is string message)
            {
                return message;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Then it is shown as it is.
        }

        return body.Length > LongestComplaint ? body[..LongestComplaint] + "…" : body;
    }
}
