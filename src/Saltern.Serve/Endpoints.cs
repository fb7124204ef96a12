// The four addresses that OpenAI's clients ask: /v1/models, /v1/completions, /v1/chat/completions, and /health for those that watch over it.
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Saltern.Models;

namespace Saltern.Serve;

/// <summary>Requests in, answers out.</summary>
internal sealed class Endpoints(ServedModel model, CompletionEngine engine, ApiJson json)
{
    private const string TextCompletion = "text_completion";
    private const string ChatCompletion = "chat.completion";
    private const string ChatChunk = "chat.completion.chunk";

    /// <summary>Adds them to a server.</summary>
    public void Map(IEndpointRouteBuilder application)
    {
        application.MapGet("/health", context => Write(context, new JsonObject { ["status"] = "ok" }));
        application.MapGet("/v1/models", context => Write(context, json.Models()));
        application.MapGet("/v1/models/{**id}", context => Write(context, json.Model()));
        application.MapPost("/v1/completions", context => Answered(context, isChat: false));
        application.MapPost("/v1/chat/completions", context => Answered(context, isChat: true));
        application.MapFallback(context =>
            Refuse(
                context,
                new ApiException(
                    404,
                    $"{context.Request.Method} {context.Request.Path} is not served; /v1/models, /v1/completions and "
                        + "/v1/chat/completions are."
                )
            )
        );
    }

    /// <summary>Writes an error.</summary>
    public static Task Refuse(HttpContext context, ApiException error)
    {
        context.Response.StatusCode = error.Status;
        return Write(context, ApiJson.Error(error));
    }

    private static Task Write(HttpContext context, JsonNode node)
    {
        context.Response.ContentType = "application/json";
        return context.Response.Body.WriteAsync(ApiJson.Bytes(node), context.RequestAborted).AsTask();
    }

    private async Task Answered(HttpContext context, bool isChat)
    {
        try
        {
            CompletionRequest request = await Read(context, isChat).ConfigureAwait(false);
            if (request.Stream)
            {
                await Streamed(context, request, isChat).ConfigureAwait(false);
                return;
            }

            await Write(context, await Whole(request, isChat, context.RequestAborted).ConfigureAwait(false))
                .ConfigureAwait(false);
        }
        catch (ApiException error) when (!context.Response.HasStarted)
        {
            await Refuse(context, error).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The client went away, or the server ends.
            context.Abort();
        }
    }

    private async Task<CompletionRequest> Read(HttpContext context, bool isChat)
    {
        JsonDocument document;
        try
        {
            document = await JsonDocument
                .ParseAsync(context.Request.Body, new JsonDocumentOptions { MaxDepth = 32 }, context.RequestAborted)
                .ConfigureAwait(false);
        }
        catch (JsonException e)
        {
            throw new ApiException(400, $"The body of the request is no JSON: {e.Message}");
        }
        catch (BadHttpRequestException e)
        {
            throw new ApiException(e.StatusCode, e.Message);
        }

        using (document)
        {
            var request = new RequestJson(document.RootElement);
            return isChat ? CompletionRequest.OfChat(request, model) : CompletionRequest.OfText(request, model);
        }
    }

    private List<Answer> Begin(CompletionRequest request, Action<Answer, string, IReadOnlyList<TokenScore>>? onText)
    {
        var answers = new List<Answer>();
        foreach (int[] prompt in request.Prompts)
        {
            for (int choice = 0; choice < request.Choices; choice++)
            {
                Answer? answer = null;
                answer = new Answer(model, request, answers.Count, prompt)
                {
                    OnText = onText is null ? null : (text, scores) => onText(answer!, text, scores),
                };
                answers.Add(answer);
            }
        }

        return answers;
    }

    private async Task<JsonObject> Whole(CompletionRequest request, bool isChat, CancellationToken cancellation)
    {
        IReadOnlyList<Answer> answers = Begin(request, onText: null);
        await Finish(request, answers, cancellation).ConfigureAwait(false);
        JsonArray choices = [];
        foreach (Answer answer in answers)
        {
            choices.Add(
                isChat
                    ? ChatChoice(request, answer)
                    : await TextChoice(request, answer, cancellation).ConfigureAwait(false)
            );
        }

        JsonObject result = json.Head(NewId(isChat), isChat ? ChatCompletion : TextCompletion);
        result["choices"] = choices;
        result["usage"] = ApiJson.Usage(request, answers);
        return result;
    }

    // Nothing is drawn where no tokens are asked for: then the prompt's own scores are the answer.
    private async Task Finish(CompletionRequest request, IReadOnlyList<Answer> answers, CancellationToken cancellation)
    {
        if (request.Sampling.MaxTokens > 0)
        {
            await engine.AnswerAsync(answers, cancellation).ConfigureAwait(false);
            return;
        }

        foreach (Answer answer in answers)
        {
            answer.Finish(Answer.AtLimit);
        }
    }

    private static JsonObject ChatChoiceOf(Answer answer) =>
        new()
        {
            ["index"] = answer.Index,
            ["message"] = new JsonObject
            {
                ["role"] = "assistant",
                ["content"] = answer.Text,
                ["refusal"] = null,
            },
        };

    private JsonObject ChatChoice(CompletionRequest request, Answer answer)
    {
        JsonObject choice = ChatChoiceOf(answer);
        choice["logprobs"] = request.Alternatives is int count ? json.ChatScores(answer.Scores, count) : null;
        choice["finish_reason"] = answer.FinishReason;
        return choice;
    }

    private async Task<JsonObject> TextChoice(CompletionRequest request, Answer answer, CancellationToken cancellation)
    {
        string prompt = request.Echo ? model.Tokenizer.Decode(answer.Prompt) : "";
        List<TokenScore> scores = [];
        if (request is { Echo: true, Alternatives: int before })
        {
            scores.AddRange(
                await engine.ScoreAsync(answer.Prompt, Math.Max(1, before), cancellation).ConfigureAwait(false)
            );
        }

        scores.AddRange(answer.Scores);
        return new JsonObject
        {
            ["index"] = answer.Index,
            ["text"] = prompt + answer.Text,
            ["logprobs"] = request.Alternatives is null ? null : json.TextScores(scores, 0, request.NamesIds),
            ["finish_reason"] = answer.FinishReason,
        };
    }

    // Server-sent events: a piece of text each, then the reason, then [DONE].
    private async Task Streamed(HttpContext context, CompletionRequest request, bool isChat)
    {
        string id = NewId(isChat);
        var pieces = Channel.CreateUnbounded<JsonObject>();
        IReadOnlyList<Answer> answers = Begin(
            request,
            (answer, text, scores) =>
            {
                if (text.Length > 0 || scores.Count > 0)
                {
                    pieces.Writer.TryWrite(Piece(request, isChat, answer, text, scores, reason: null));
                }
            }
        );
        foreach (Answer answer in answers.Where(_ => isChat || request.Echo))
        {
            JsonObject first = Piece(
                request,
                isChat,
                answer,
                isChat ? "" : model.Tokenizer.Decode(answer.Prompt),
                [],
                reason: null
            );
            if (isChat)
            {
                first["delta"] = new JsonObject { ["role"] = "assistant", ["content"] = "" };
            }

            pieces.Writer.TryWrite(first);
        }

        Task work = Ended();
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        await foreach (JsonObject piece in pieces.Reader.ReadAllAsync(context.RequestAborted).ConfigureAwait(false))
        {
            JsonObject chunk = json.Head(id, isChat ? ChatChunk : TextCompletion);
            chunk["choices"] = new JsonArray(piece);
            await Send(context, chunk).ConfigureAwait(false);
        }

        await work.ConfigureAwait(false);
        if (request.StreamUsage)
        {
            JsonObject last = json.Head(id, isChat ? ChatChunk : TextCompletion);
            last["choices"] = new JsonArray();
            last["usage"] = ApiJson.Usage(request, answers);
            await Send(context, last).ConfigureAwait(false);
        }

        await context.Response.WriteAsync("data: [DONE]\n\n", context.RequestAborted).ConfigureAwait(false);

        async Task Ended()
        {
            try
            {
                await Finish(request, answers, context.RequestAborted).ConfigureAwait(false);
                foreach (Answer answer in answers)
                {
                    pieces.Writer.TryWrite(Piece(request, isChat, answer, "", [], answer.FinishReason));
                }
            }
            finally
            {
                pieces.Writer.TryComplete();
            }
        }
    }

    private JsonObject Piece(
        CompletionRequest request,
        bool isChat,
        Answer answer,
        string text,
        IReadOnlyList<TokenScore> scores,
        string? reason
    )
    {
        JsonObject? told = null;
        if (request.Alternatives is int count && scores.Count > 0)
        {
            told = isChat ? json.ChatScores(scores, count) : json.TextScores(scores, 0, request.NamesIds);
        }

        var piece = new JsonObject { ["index"] = answer.Index };
        if (isChat)
        {
            piece["delta"] = text.Length > 0 ? new JsonObject { ["content"] = text } : new JsonObject();
        }
        else
        {
            piece["text"] = text;
        }

        piece["logprobs"] = told;
        piece["finish_reason"] = reason;
        return piece;
    }

    private static async Task Send(HttpContext context, JsonObject chunk)
    {
        await context.Response.WriteAsync("data: ", context.RequestAborted).ConfigureAwait(false);
        await context.Response.Body.WriteAsync(ApiJson.Bytes(chunk), context.RequestAborted).ConfigureAwait(false);
        await context.Response.WriteAsync("\n\n", context.RequestAborted).ConfigureAwait(false);
        await context.Response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    private static string NewId(bool isChat) =>
        string.Create(CultureInfo.InvariantCulture, $"{(isChat ? "chatcmpl" : "cmpl")}-{Guid.NewGuid():N}");
}
