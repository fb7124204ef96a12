using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Saltern.Guidance;

namespace Saltern.Cli.Tests;

// Soft labels from a served teacher: those of the model's folder, and clear words where they cannot be had.
public sealed class EndpointTeachTests(ServeTests.Server server, Workspace workspace)
    : IClassFixture<ServeTests.Server>,
        IClassFixture<Workspace>
{
    private string[] Asked =>
        ["teach", "--data", workspace["data"], "--sequence-length", "32", "--mode", "top_k", "--keep", "7", "--out"];

    [Fact]
    public void Labels_AreThoseOfTheFolder_AndTrainARun()
    {
        Require([.. Asked, workspace["folder"], "--teacher", workspace["teacher"]]);
        string output = Require([.. Asked, workspace["served"], "--endpoint", server.Address]);
        Assert.Contains($"teacher: teacher, served at {server.Address}", output, StringComparison.Ordinal);
        using TeacherCache folder = TeacherCache.Open(workspace["folder"], verify: true);
        using TeacherCache served = TeacherCache.Open(workspace["served"], verify: true);
        Assert.Equal(folder.Manifest.Positions, served.Manifest.Positions);
        Assert.Equal(folder.Plan.Coverage, served.Plan.Coverage);
        Assert.Null(served.Manifest.Teacher.PassFlops);
        int compared = 0;
        int swapped = 0;
        foreach (TeachShard shard in folder.Manifest.Shards)
        {
            for (int i = 0; i < shard.Samples; i++)
            {
                SampleLabels expected = folder.Read(shard.FirstDomain, shard.FirstIndex + i);
                SampleLabels found = served.Read(shard.FirstDomain, shard.FirstIndex + i);
                Assert.Equal(expected.Starts, found.Starts);

                // Half precision has a step of 5e-4 of a value; the two forward passes differ in batches, by float32's rounding.
                for (int position = 0; position < expected.Nll.Length; position++)
                {
                    Assert.Equal(expected.Nll[position], found.Nll[position], 1e-3 * (1 + expected.Nll[position]));
                    Assert.True(found.Entropy[position] <= expected.Entropy[position] + 5e-3);
                    Assert.True(
                        found.Rank[position] == Math.Min(expected.Rank[position], (byte)8)
                            || Math.Abs(found.Rank[position] - expected.Rank[position]) <= 1
                    );
                }

                for (int entry = 0; entry < expected.Ids.Length; entry++, compared++)
                {
                    swapped += Convert.ToInt32(expected.Ids[entry] != found.Ids[entry]);
                    Assert.Equal(expected.Probabilities[entry], found.Probabilities[entry], 1e-3);
                }
            }

            if (folder.Manifest.Shards.Count > 1 && compared > 50_000)
            {
                break;
            }
        }

        // Two tokens that are equally likely to the last bits may change places.
        Assert.InRange(compared, 5_000, int.MaxValue);
        Assert.InRange(swapped, 0, compared / 500);

        foreach (string file in Directory.GetFiles(workspace["folder"], "validation-*.bin"))
        {
            float[] ours = Values(file);
            float[] theirs = Values(Path.Combine(workspace["served"], Path.GetFileName(file)));
            Assert.Equal(ours, theirs, (one, other) => Math.Abs(one - other) < 1e-3);
        }

        output = Require(
            "train",
            workspace["salt.yaml"],
            "--out",
            workspace["taught"],
            "--set",
            "teacher.cache=" + workspace["served"],
            "teacher.path=null"
        );
        Assert.Contains("7 tokens", output, StringComparison.Ordinal);
        using var result = JsonDocument.Parse(File.ReadAllText(workspace["taught/result.json"]));
        Assert.Equal("teacher", result.RootElement.GetProperty("teacher").GetProperty("name").GetString());

        static float[] Values(string file)
        {
            byte[] bytes = File.ReadAllBytes(file);
            float[] values = new float[(bytes.Length - 72) / 4];
            Buffer.BlockCopy(bytes, 72, values, 0, values.Length * 4);
            return values;
        }
    }

    [Fact]
    public async Task AnInterruptedPass_GoesOn_WithTheSameModelAlone()
    {
        string[] pass = [.. Asked, workspace["again"], "--endpoint"];
        Require([.. pass, server.Address]);
        File.Delete(workspace["again/manifest.json"]);
        string output = Require([.. pass, server.Address]);
        Assert.Contains("samples of an interrupted pass were kept, 0 were made.", output, StringComparison.Ordinal);

        // Another model by the same name.
        File.Delete(workspace["again/manifest.json"]);
        Require(
            "train",
            workspace["teacher.yaml"],
            "--out",
            workspace["other/teacher"],
            "--set",
            "seed=9",
            "training.steps=10"
        );
        await using var other = new ServeTests.Server { Model = workspace["other/teacher"] };
        await other.InitializeAsync();
        Refuse("holds a pass of another model", [.. pass, other.Address]);
    }

    [Fact]
    public void WhatCannotBe_IsSaid()
    {
        Refuse("it cannot be reached", [.. Asked, workspace["x"], "--endpoint", $"http://127.0.0.1:{FreePort()}"]);
        Refuse("is no URL", [.. Asked, workspace["x"], "--endpoint", "localhost:8077"]);
        Refuse(
            "--model = gpt-4 is not served. There: teacher.",
            [.. Asked, workspace["x"], "--endpoint", server.Address, "--model", "gpt-4"]
        );
        Refuse(
            "Give either --teacher FOLDER or --endpoint URL.",
            [.. Asked, workspace["x"], "--endpoint", server.Address, "--teacher", workspace["teacher"]]
        );
        Refuse(
            "--endpoint gives probabilities at a temperature of 1, and 2 is asked for",
            [.. Asked, workspace["x"], "--endpoint", server.Address, "--temperature", "2"]
        );
        Refuse(
            "--endpoint goes with --mode top_k",
            [
                "teach",
                "--data",
                workspace["data"],
                "--sequence-length",
                "32",
                "--mode",
                "sampled",
                "--out",
                workspace["x"],
                "--endpoint",
                server.Address,
            ]
        );

        // As many as the server names, and its own words where more are asked for.
        string[] many = [.. Asked];
        many[^2] = "30"; // of --keep
        Refuse("the server answers 400: logprobs", [.. many, workspace["many"], "--endpoint", server.Address]);
        Assert.False(Directory.Exists(workspace["x"]));
    }

    [Fact]
    public void WhatNeedsMoreThanTheLikeliestTokens_IsRefused()
    {
        string[] pass = [.. Asked, workspace["few"], "--endpoint", server.Address];
        pass[^5] = "3"; // of --keep
        Require(pass);
        Refuse(
            "--k = 10, but the pass in",
            ["select", "--scores", workspace["few"], "--share", "0.5", "--out", workspace["chosen"]]
        );
        Refuse(
            "distillation.gate = entropy needs the teacher's entropy, but the cache was made from a served model",
            [
                "train",
                workspace["salt.yaml"],
                "--out",
                workspace["gated"],
                "--set",
                "teacher.cache=" + workspace["few"],
                "teacher.path=null",
                "distillation.gate=entropy",
                "distillation.gate_threshold=1",
            ]
        );
    }

    [Fact]
    public void OtherTokens_AreRefused_ByTheFirstDifference()
    {
        Require(
            "tokenizer",
            "train",
            "--input",
            workspace["text"],
            "--vocab",
            "290",
            "--out",
            workspace["foreign.json"]
        );
        Require(
            "prepare",
            "--input",
            workspace["text"],
            "--tokenizer",
            workspace["foreign.json"],
            "--out",
            workspace["foreign"]
        );
        Refuse(
            "the tokens do not agree.",
            [
                "teach",
                "--data",
                workspace["foreign"],
                "--sequence-length",
                "32",
                "--out",
                workspace["y"],
                "--endpoint",
                server.Address,
            ]
        );
    }

    [Fact]
    public async Task AServerThatIsBusy_IsAskedAgain_AndOneThatNamesTooLittleIsRefused()
    {
        int asked = 0;
        using var listener = new HttpListener();
        int port = FreePort();
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        string tokens = "token_id:";
        Task serving = Task.Run(
            async () =>
            {
                while (listener.IsListening)
                {
                    HttpListenerContext context = await listener.GetContextAsync();
                    bool isList = context.Request.Url!.AbsolutePath == "/v1/models";
                    if (!isList && ++asked < 3)
                    {
                        context.Response.StatusCode = 503;
                        context.Response.Close();
                        continue;
                    }

                    const string Scores =
                        """{"tokens":["token_id:5","token_id:6"],"token_logprobs":[null,-1.5],"top_logprobs":[null,"""
                        + """{"token_id:9":-0.5,"token_id:6":-1.5}]}""";
                    string answer = isList
                        ? """{"data":[{"id":"m"}]}"""
                        : """{"choices":[{"index":0,"logprobs":""" + Scores + "}]}";
                    answer = answer.Replace("token_id:", tokens, StringComparison.Ordinal);
                    context.Response.Close(Encoding.UTF8.GetBytes(answer), willBlock: true);
                }
            },
            TestContext.Current.CancellationToken
        );
        using (
            var teacher = EndpointTeacher.Open(
                $"http://127.0.0.1:{port}/v1/",
                null,
                "secret",
                TimeSpan.FromMilliseconds(1),
                TestContext.Current.CancellationToken
            )
        )
        {
            CancellationToken cancel = TestContext.Current.CancellationToken;
            ServedScore score = Assert.Single(
                Assert.Single(
                    teacher.Score(
                        [
                            [5, 6],
                        ],
                        2,
                        cancel
                    )
                )
            );
            Assert.Equal(3, asked);
            Assert.Equal((6, -1.5), (score.Token, score.LogProbability));
            Assert.Equal([(9, -0.5), (6, -1.5)], score.Top);
            Assert.Contains(
                "names 2 tokens of a position, and 3 are to be kept. Give --keep 2",
                Assert
                    .Throws<SalternException>(() =>
                        teacher.Score(
                            [
                                [5, 6],
                            ],
                            3,
                            cancel
                        )
                    )
                    .Message,
                StringComparison.Ordinal
            );
            Assert.Contains(
                "it was given the token 7 and scores 6",
                Assert
                    .Throws<SalternException>(() =>
                        teacher.Score(
                            [
                                [5, 7],
                            ],
                            1,
                            cancel
                        )
                    )
                    .Message,
                StringComparison.Ordinal
            );
            Assert.Contains(
                "it scores 2 of 3 tokens",
                Assert
                    .Throws<SalternException>(() =>
                        teacher.Score(
                            [
                                [5, 6, 7],
                            ],
                            1,
                            cancel
                        )
                    )
                    .Message,
                StringComparison.Ordinal
            );
            tokens = "w";
            Assert.Contains(
                "it does not name tokens by their ids, but as 'w",
                Assert
                    .Throws<SalternException>(() =>
                        teacher.Score(
                            [
                                [5, 6],
                            ],
                            1,
                            cancel
                        )
                    )
                    .Message,
                StringComparison.Ordinal
            );
            asked = int.MinValue;
            Assert.Contains(
                "the server answers 503:  (asked 5 times)",
                Assert
                    .Throws<SalternException>(() =>
                        teacher.Score(
                            [
                                [5, 6],
                            ],
                            1,
                            cancel
                        )
                    )
                    .Message,
                StringComparison.Ordinal
            );
        }

        listener.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => serving);
    }

    private static string Require(params string[] arguments)
    {
        (int code, string output, string error) = SalternProcess.Run(arguments);
        Assert.True(code == 0, output + error);
        return output;
    }

    private static void Refuse(string words, string[] arguments)
    {
        (int code, string output, string error) = SalternProcess.Run(arguments);
        Assert.True(code != 0, output);
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    private static int FreePort()
    {
        using var socket = new TcpListener(IPAddress.Loopback, 0);
        socket.Start();
        return ((IPEndPoint)socket.LocalEndpoint).Port;
    }
}
