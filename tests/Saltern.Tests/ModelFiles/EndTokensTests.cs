using System.Text;
using System.Text.Json.Nodes;
using Saltern.Checkpoints;
using Saltern.Corpora;
using Saltern.Export;
using Saltern.Growth;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tests.Runs;
using Saltern.Tests.Tokenization;
using Saltern.Tokenization;

namespace Saltern.Tests.ModelFiles;

public class EndTokensTests
{
    private const int EndOfText = 256;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void EveryFileThatNamesOne_Counts()
    {
        using var folder = new TemporaryFolder();
        BpeTokenizer tokenizer = Tokenizer(folder);
        Assert.Equal([EndOfText], EndTokens.Of(folder.Path, tokenizer));
        folder.Write("config.json", """{"eos_token_id": 97}""");
        Assert.Equal([EndOfText, 97], EndTokens.Of(folder.Path, tokenizer));
        folder.Write("generation_config.json", """{"eos_token_id": [98, 97, 256]}""");
        Assert.Equal([EndOfText, 98, 97], EndTokens.Of(folder.Path, tokenizer));
        folder.Write("tokenizer_config.json", """{"eos_token": "<|reply|>"}""");
        Assert.Equal([EndOfText, 98, 97, 257], EndTokens.Of(folder.Path, tokenizer));

        // As an AddedToken, and by the table of tokenizer_config.json.
        folder.Write(
            "tokenizer_config.json",
            """{"eos_token":{"content":"z","lstrip":false},"added_tokens_decoder":{"122":{"content":"z"}}}"""
        );
        folder.Write("special_tokens_map.json", "\uFEFF" + """{"eos_token": {"content": "<|reply|>"}}""");
        Assert.Equal([EndOfText, 98, 97, 122, 257], EndTokens.Of(folder.Path, tokenizer));
    }

    [Fact]
    public void WhatTheTokenizerDoesNotHave_IsLeftOut_AndDamageIsNamed()
    {
        using var folder = new TemporaryFolder();
        BpeTokenizer tokenizer = Tokenizer(folder);
        folder.Write("config.json", """{"eos_token_id": null}""");
        folder.Write("generation_config.json", """{"eos_token_id": [-1, 999999, "a", 97]}""");
        folder.Write("tokenizer_config.json", """{"eos_token": "<|nobody|>"}""");
        Assert.Equal([EndOfText, 97], EndTokens.Of(folder.Path, tokenizer));
        folder.Write("generation_config.json", "{");
        Assert.Contains(
            "generation_config.json is damaged",
            Assert.Throws<DataFormatException>(() => EndTokens.Of(folder.Path, tokenizer)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void GenerationStops_AtEveryOne()
    {
        using var folder = new TemporaryFolder();
        FamilyModel.Write(folder, "llama");
        using Transformer model = ModelFolder.Load(folder.Path, trainable: false);
        var greedy = new SamplingOptions { Temperature = 0, MaxTokens = 5 };
        int[] tokens =
        [
            .. TextGenerator.Generate(model, [1, 2], EndOfText, FamilyModel.Vocabulary, greedy, Cancellation),
        ];
        Assert.NotEmpty(tokens);
        Assert.Empty(
            TextGenerator.Generate(model, [1, 2], [EndOfText, tokens[0]], FamilyModel.Vocabulary, greedy, Cancellation)
        );
        int[][] batch = GreedyBatch.Generate(
            model,
            [
                [1, 2],
            ],
            new AnswerLimits(5, EndOfText, FamilyModel.Vocabulary) { MoreEnds = [tokens[0]] },
            cancellation: Cancellation
        );
        Assert.Empty(Assert.Single(batch));
    }

    [Fact]
    public void ImportAndExport_CarryThem()
    {
        using var folder = new TemporaryFolder();
        using var source = new TemporaryFolder();
        FamilyModel.Write(source, "llama");
        ModelImport.Run(source.Path, folder["plain"], cancellation: Cancellation);
        Assert.False(File.Exists(folder["plain/generation_config.json"])); // tokenizer.json says it all

        source.Write("generation_config.json", """{"eos_token_id": [256, 97], "temperature": 0.6}""");
        ModelImport.Run(source.Path, folder["imported"], cancellation: Cancellation);
        ModelExport.Run(
            folder["imported"],
            folder["exported"],
            new ExportOptions { Format = ExportFormat.HuggingFace },
            cancellation: Cancellation
        );
        foreach (
            string file in new[]
            {
                "imported/generation_config.json",
                "exported/generation_config.json",
                "exported/config.json",
            }
        )
        {
            Assert.Equal("[256,97]", JsonNode.Parse(File.ReadAllText(folder[file]))!["eos_token_id"]!.ToJsonString());
        }
    }

    [Fact]
    public void CheckpointsOfARunThatStartsFromAModel_CarryThem()
    {
        using var folder = new TemporaryFolder();
        string teacher = new CheckpointStore(TinyRun.Shared.TeacherFolder).PathOf(40);
        ModelImport.Run(teacher, folder["chat"], cancellation: Cancellation);
        folder.Write("chat/generation_config.json", """{"eos_token_id": [97]}""");
        RunConfig config = TinyRun.Shared.Plain("from-chat", 10) with
        {
            Model = TinyRun.TeacherShape,
            InitFrom = new InitFromConfig { Path = folder["chat"] },
        };
        using (TrainingRun first = TrainingRun.Open(config, folder["run"], TinyRun.Quick))
        {
            first.Continue(10, Cancellation);
        }

        BpeTokenizer tokenizer = BpeTokenizer.Load(folder["chat/tokenizer.json"]);
        string checkpoint = new CheckpointStore(folder["run"]).PathOf(10);
        Assert.Equal([tokenizer.EndOfTextId, 97], EndTokens.Of(checkpoint, tokenizer));
        Assert.Null(Checkpoint.Problem(checkpoint));

        // A run of fresh weights has none to carry.
        Assert.False(File.Exists(Path.Combine(teacher, "generation_config.json")));
    }

    [Fact]
    public void ATokenizerWithAnEndOfAnotherName_FindsItInTheFilesBeside()
    {
        using var folder = new TemporaryFolder();
        JsonObject json = TokenizerJsonTests.Minimal();
        folder.Write("tokenizer.json", json.ToJsonString().Replace("endoftext", "finis", StringComparison.Ordinal));
        string message = Assert.Throws<DataFormatException>(() => BpeTokenizer.Load(folder["tokenizer.json"])).Message;
        Assert.Contains("\"eos_token\" is one of the added tokens", message, StringComparison.Ordinal);

        folder.Write("tokenizer_config.json", """{"eos_token": "<|finis|>"}""");
        BpeTokenizer tokenizer = BpeTokenizer.Load(folder["tokenizer.json"]);
        Assert.Equal((EndOfText, false), (tokenizer.EndOfTextId, tokenizer.NamesItsEnd));
        File.Delete(folder["tokenizer_config.json"]);
        folder.Write("generation_config.json", """{"eos_token_id": 256}""");
        Assert.Equal(EndOfText, BpeTokenizer.Load(folder["tokenizer.json"]).EndOfTextId);

        // What is made with it can be opened by itself.
        DatasetBuilder.Build(
            [
                .. Enumerable
                    .Range(0, 40)
                    .Select(i => new TextDocument(Encoding.UTF8.GetBytes($"text {i}"), "d", $"{i}.txt")),
            ],
            null,
            tokenizer,
            folder["data"],
            new DatasetBuilderOptions { ValidPercent = 10 },
            progress: null,
            TestContext.Current.CancellationToken
        );
        Assert.Equal(EndOfText, BpeTokenizer.Load(folder["data/tokenizer.json"]).EndOfTextId);
    }

    private static BpeTokenizer Tokenizer(TemporaryFolder folder)
    {
        JsonObject json = TokenizerJsonTests.Minimal();
        JsonNode reply = json["added_tokens"]![0]!.DeepClone();
        (reply["id"], reply["content"]) = (257, "<|reply|>");
        json["added_tokens"]!.AsArray().Add(reply);
        folder.Write("tokenizer.json", json.ToJsonString());
        return BpeTokenizer.Load(folder["tokenizer.json"]);
    }
}
