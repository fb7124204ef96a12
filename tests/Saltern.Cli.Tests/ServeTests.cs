using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Saltern.Cli.Tests;

/// <summary>The endpoint as clients meet it: over the wire, in the forms that OpenAI's libraries and lm-evaluation-harness use.</summary>
public sealed class ServeTests(ServeTests.Server server) : IClassFixture<ServeTests.Server>
{
    [Fact]
    public async Task Models_AreTheOne()
    {
        JsonElement list = await server.Get("/v1/models");
        Assert.Equal("teacher", list.GetProperty("data")[0].GetProperty("id").GetString());
        Assert.Equal("ok", (await server.Get("/health")).GetProperty("status").GetString());
    }

    [Fact]
    public async Task ACompletion_IsTheTextThatGenerateGives()
    {
        JsonElement answer = await server.Post(
            "/v1/completions",
            """{"model":"x","prompt":"The cat sees","max_tokens":12,"temperature":0}"""
        );
        (int code, string text, string error) = SalternProcess.Run(
            "generate",
            server.Model,
            "--prompt",
            "The cat sees",
            "--max-tokens",
            "12",
            "--temperature",
            "0"
        );
        Assert.True(code == 0, error);
        string written = answer.GetProperty("choices")[0].GetProperty("text").GetString()!;
        Assert.Equal(text.TrimEnd('\n'), "The cat sees" + written);
        JsonElement usage = answer.GetProperty("usage");
        Assert.Equal(
            usage.GetProperty("total_tokens").GetInt32(),
            usage.GetProperty("prompt_tokens").GetInt32() + usage.GetProperty("completion_tokens").GetInt32()
        );
        Assert.Contains(
            answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString(),
            new[] { "length", "stop" }
        );
    }

    [Fact]
    public async Task ManyAtOnce_AreAnsweredAsEachAlone()
    {
        string[] prompts = ["The cat sees", "My neighbour", "A small boat follows the", "The wind"];
        Task<JsonElement>[] together =
        [
            .. prompts.Select(prompt =>
                server.Post(
                    "/v1/completions",
                    JsonSerializer.Serialize(
                        new
                        {
                            prompt,
                            max_tokens = 10,
                            temperature = 0,
                        }
                    )
                )
            ),
        ];
        JsonElement all = await server.Post(
            "/v1/completions",
            JsonSerializer.Serialize(
                new
                {
                    prompt = prompts,
                    max_tokens = 10,
                    temperature = 0,
                }
            )
        );
        for (int i = 0; i < prompts.Length; i++)
        {
            string alone = Text(await together[i]);
            Assert.Equal(alone, all.GetProperty("choices")[i].GetProperty("text").GetString());
        }
    }

    [Fact]
    public async Task ASeed_RepeatsADraw_AndChoicesDiffer()
    {
        const string Body = """{"prompt":"The","max_tokens":20,"temperature":1.5,"seed":7,"n":3}""";
        JsonElement first = await server.Post("/v1/completions", Body);
        JsonElement second = await server.Post("/v1/completions", Body);
        string[] texts =
        [
            .. first.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()!),
        ];
        Assert.Equal(
            texts,
            second.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()!)
        );
        Assert.True(texts.Distinct().Count() > 1);
    }

    // What lm-evaluation-harness sends for a likelihood, and how it reads the answer.
    [Fact]
    public async Task EchoedLogProbabilities_AreTheModelsOwn()
    {
        int[] ids = await Ids("The cat sees the harbour");
        JsonElement answer = await server.Post(
            "/v1/completions",
            JsonSerializer.Serialize(
                new
                {
                    model = "x",
                    prompt = new[] { ids },
                    max_tokens = 1,
                    logprobs = 1,
                    seed = 1_234,
                    echo = true,
                    temperature = 0,
                }
            )
        );
        JsonElement scores = answer.GetProperty("choices")[0].GetProperty("logprobs");
        JsonElement[] tokens = [.. scores.GetProperty("token_logprobs").EnumerateArray()];
        Assert.Equal(JsonValueKind.Null, tokens[0].ValueKind);
        Assert.InRange(tokens.Length, ids.Length, ids.Length + 1);
        Assert.All(tokens.Skip(1), token => Assert.True(token.GetDouble() < 0));
        JsonElement[] top = [.. scores.GetProperty("top_logprobs").EnumerateArray()];
        for (int i = 1; i < tokens.Length; i++)
        {
            double best = top[i].EnumerateObject().Max(property => property.Value.GetDouble());
            Assert.True(best >= tokens[i].GetDouble());
        }

        // Without echo and tokens of one's own there is nothing to say.
        (HttpStatusCode status, JsonElement error) = await server.Ask(
            "/v1/completions",
            """{"prompt":"The","max_tokens":0}"""
        );
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("max_tokens", error.GetProperty("error").GetProperty("param").GetString());
    }

    [Fact]
    public async Task AStopText_EndsAnAnswer_AndIsNotInIt()
    {
        string whole = Text(
            await server.Post("/v1/completions", """{"prompt":"The cat","max_tokens":24,"temperature":0}""")
        );
        string stop = whole[(whole.Length / 2)..(whole.Length / 2 + 3)];
        JsonElement answer = await server.Post(
            "/v1/completions",
            JsonSerializer.Serialize(
                new
                {
                    prompt = "The cat",
                    max_tokens = 24,
                    temperature = 0,
                    stop,
                }
            )
        );
        Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], Text(answer));
        Assert.Equal("stop", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData("/v1/completions", """{"prompt":"The cat","max_tokens":7,"temperature":0,"stream":true}""")]
    [InlineData(
        "/v1/chat/completions",
        """{"messages":[{"role":"user","content":"The cat"}],"max_tokens":7,"temperature":0"""
            + ""","stream":true,"stream_options":{"include_usage":true}}"""
    )]
    public async Task AStream_IsTheSameTextInPieces(string path, string body)
    {
        JsonElement whole = await server.Post(
            path,
            body.Replace(",\"stream\":true", "", StringComparison.Ordinal)
                .Replace(",\"stream_options\":{\"include_usage\":true}", "", StringComparison.Ordinal)
        );
        var text = new StringBuilder();
        string? reason = null;
        bool ended = false;
        foreach (string line in await server.Lines(path, body))
        {
            if (line.Length == 0)
            {
                continue;
            }

            Assert.StartsWith("data: ", line, StringComparison.Ordinal);
            if (line == "data: [DONE]")
            {
                ended = true;
                continue;
            }

            using var chunk = JsonDocument.Parse(line["data: ".Length..]);
            foreach (JsonElement choice in chunk.RootElement.GetProperty("choices").EnumerateArray())
            {
                if (choice.TryGetProperty("text", out JsonElement piece))
                {
                    text.Append(piece.GetString());
                }
                else if (choice.GetProperty("delta").TryGetProperty("content", out piece))
                {
                    text.Append(piece.GetString());
                }

                reason = choice.GetProperty("finish_reason").GetString() ?? reason;
            }
        }

        JsonElement expected = whole.GetProperty("choices")[0];
        Assert.True(ended);
        Assert.Equal(expected.GetProperty("finish_reason").GetString(), reason);
        Assert.Equal(
            path.EndsWith("chat/completions", StringComparison.Ordinal)
                ? expected.GetProperty("message").GetProperty("content").GetString()
                : expected.GetProperty("text").GetString(),
            text.ToString()
        );
    }

    [Theory]
    [InlineData("/v1/completions", "{", 400, "no JSON")]
    [InlineData("/v1/completions", "[]", 400, "no JSON object")]
    [InlineData("/v1/completions", "{}", 400, "prompt is missing")]
    [InlineData("/v1/completions", """{"prompt":"a","max_tokens":100000}""", 400, "positions")]
    [InlineData("/v1/completions", """{"prompt":[999999]}""", 400, "no id below")]
    [InlineData("/v1/completions", """{"prompt":"a","temperature":-1}""", 400, "temperature = -1")]
    [InlineData("/v1/completions", """{"prompt":"a","logit_bias":{"5":1}}""", 400, "logit_bias")]
    [InlineData("/v1/completions", """{"prompt":"a","typo":1}""", 400, "typo: not known here")]
    [InlineData("/v1/chat/completions", """{"messages":[]}""", 400, "messages")]
    [InlineData("/v1/chat/completions", """{"messages":[{"role":"user","content":"a"}],"tools":[1]}""", 400, "tools")]
    [InlineData("/v1/embeddings", "{}", 404, "not served")]
    public async Task WhatCannotBeDone_IsSaidInOpenAisForm(string path, string body, int status, string words)
    {
        (HttpStatusCode code, JsonElement error) = await server.Ask(path, body);
        Assert.Equal(status, (int)code);
        Assert.Contains(words, error.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.NotNull(error.GetProperty("error").GetProperty("type").GetString());
    }

    [Fact]
    public async Task OtherHostsAndPages_AreRefused()
    {
        using var foreign = new HttpRequestMessage(HttpMethod.Get, server.Address + "/v1/models");
        foreign.Headers.Host = "attacker.example";
        using HttpResponseMessage answer = await Server.Client.SendAsync(
            foreign,
            TestContext.Current.CancellationToken
        );
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);

        using var page = new HttpRequestMessage(HttpMethod.Get, server.Address + "/v1/models");
        page.Headers.Add("Origin", "http://attacker.example");
        using HttpResponseMessage other = await Server.Client.SendAsync(page, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
    }

    private async Task<int[]> Ids(string text)
    {
        // The tokens of a text, by its echo: as many as there are log probabilities.
        Saltern.Tokenization.BpeTokenizer tokenizer = Saltern.Tokenization.BpeTokenizer.Load(server.TokenizerPath);
        await Task.CompletedTask;
        return tokenizer.Encode(text);
    }

    private static string Text(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("text").GetString()!;

    public sealed class Server : IAsyncLifetime
    {
        private readonly Workspace _workspace = new();
        private Process? _process;

        public static HttpClient Client { get; } = new() { Timeout = TimeSpan.FromMinutes(3) };

        public string Address { get; private set; } = "";

        public string Model
        {
            get => field ?? _workspace["teacher"];
            init;
        }

        public string TokenizerPath => _workspace["tokenizer.json"];

        public async ValueTask InitializeAsync()
        {
            _process = SalternProcess.StartQuietly(
                "serve",
                Model,
                "--port",
                "0",
                "--template",
                "turns",
                "--threads",
                "1"
            );
            while (await _process.StandardOutput.ReadLineAsync() is { } line)
            {
                if (line.StartsWith("serving teacher: ", StringComparison.Ordinal))
                {
                    Address = line["serving teacher: ".Length..].Replace("/v1", "", StringComparison.Ordinal);
                    return;
                }
            }

            throw new InvalidOperationException("The server ended: " + await _process.StandardError.ReadToEndAsync());
        }

        public ValueTask DisposeAsync()
        {
            _process?.Kill();
            _process?.Dispose();
            _workspace.Dispose();
            return ValueTask.CompletedTask;
        }

        public async Task<JsonElement> Get(string path) =>
            await Client.GetFromJsonAsync<JsonElement>(Address + path, TestContext.Current.CancellationToken);

        public async Task<JsonElement> Post(string path, string body)
        {
            (HttpStatusCode status, JsonElement answer) = await Ask(path, body);
            Assert.True(status == HttpStatusCode.OK, answer.ToString());
            return answer;
        }

        public async Task<(HttpStatusCode Status, JsonElement Answer)> Ask(string path, string body)
        {
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await Client.PostAsync(
                Address + path,
                content,
                TestContext.Current.CancellationToken
            );
            string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            using var document = JsonDocument.Parse(text);
            return (response.StatusCode, document.RootElement.Clone());
        }

        public async Task<string[]> Lines(string path, string body)
        {
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage response = await Client.PostAsync(
                Address + path,
                content,
                TestContext.Current.CancellationToken
            );
            Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
            string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            return text.Split('\n');
        }
    }
}
