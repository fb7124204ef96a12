using System.CommandLine;
using System.Net;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.FineTuning;
using Saltern.Hosting;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Runs;
using Saltern.Serve;
using Saltern.Tokenization;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern serve MODEL</c>: a model behind OpenAI's API, for the tools that people have.</summary>
internal static class ServeCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var model = new Argument<string>("MODEL")
        {
            Description = "Run folder, checkpoint folder or Hugging Face folder.",
        };
        var listen = new ListenOptions(port: 8077, "a key, which clients have to send");
        var template = new Option<string?>("--template")
        {
            Description =
                "How a conversation becomes text: chatml, turns or alpaca. By default that of the model's fine-tuning, or "
                + "chatml where its tokenizer has the marks.",
        };
        Option<ComputePrecision> precision = CommonOptions.Precision();
        Option<int?> threads = CommonOptions.Threads();
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        var command = new Verb(
            "serve",
            "Answer OpenAI's API on this machine with a model: completions, conversations, log probabilities.",
            ["saltern serve runs/core-salt", "saltern serve exported/ --port 9000 --template chatml"]
        )
        {
            model,
            template,
            precision,
            threads,
            ignored,
        };
        listen.AddTo(command);
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, interrupted) =>
                {
                    CommonOptions.SetThreads(parsed.GetValue(threads));
                    EngineSetup.Prepare();
                    string folder = ModelLocation.Resolve(parsed.GetRequiredValue(model));
                    using Transformer transformer = GenerateCommand.Load(console, folder, parsed.GetValue(ignored));
                    ComputePlan compute = ComputePlan.Of(ComputeDevice.Cpu, parsed.GetValue(precision));
                    transformer.ProductType = compute.ProductType;
                    foreach (string remark in compute.Remarks())
                    {
                        console.Line(remark);
                    }

                    ServedModel served = Served(
                        console,
                        parsed.GetRequiredValue(model),
                        folder,
                        transformer,
                        parsed.GetValue(template)
                    );
                    ServeOptions options = Options(parsed.GetRequiredValue(model), listen.Read(parsed));
                    return Run(console, served, options, interrupted).GetAwaiter().GetResult();
                }
            )
        );
        return command;
    }

    private static ServedModel Served(
        Output console,
        string path,
        string folder,
        Transformer transformer,
        string? named
    )
    {
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(folder));
        if (transformer.Config.VocabSize < tokenizer.VocabularySize)
        {
            throw new DataFormatException(
                $"{folder} has {transformer.Config.VocabSize} rows for the {tokenizer.VocabularySize} ids of its "
                    + "tokenizer, so they do not belong together."
            );
        }

        var conversation = ConversationTemplate.Find(path, folder, tokenizer, named);
        console.Line(
            conversation.Template is null
                ? $"conversations: none, since {conversation.Whose}; --template {string.Join(" or ", ChatTemplate.Names)} says it"
                : $"conversations: template {conversation.Whose}"
        );
        HashSet<int> ends = [.. EndTokens.Of(folder, tokenizer)];
        if (conversation.EndOfReply(tokenizer) is int end)
        {
            ends.Add(end);
        }

        return new ServedModel(transformer, tokenizer, ends, conversation.Template);
    }

    private static ServeOptions Options(string path, (IPAddress Address, int Port, string? Key) listen) =>
        new()
        {
            ModelName = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))),
            Address = listen.Address,
            Port = listen.Port,
            Token = listen.Key,
        };

    private static async Task<int> Run(
        Output console,
        ServedModel model,
        ServeOptions options,
        CancellationToken interrupted
    )
    {
        ModelServer server = await ListenOptions.StartAsync(
            () => ModelServer.StartAsync(model, options),
            options.Address,
            options.Port
        );
        await using (server)
        {
            console.Line($"serving {options.ModelName}: {server.Address}");
            if (options.Token is string token)
            {
                console.Line(
                    $"key: {token}\nWhoever has it may ask. It travels unencrypted; between sites use an SSH tunnel to 127.0.0.1 instead."
                );
            }

            console.Line("Ctrl-C ends.");
            // Requests are answered by other threads until the user has asked enough.
            interrupted.WaitHandle.WaitOne();
        }

        return ExitCode.Done;
    }
}
