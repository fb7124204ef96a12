using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.FineTuning;
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
    private const int TokenBytes = 16;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var model = new Argument<string>("MODEL")
        {
            Description = "Run folder, checkpoint folder or Hugging Face folder.",
        };
        // The number again, not the constant: reading that would load the web parts for every verb's parser.
        var port = new Option<int>("--port")
        {
            Description = "Port to listen on; 0 takes any free one.",
            DefaultValueFactory = _ => 8077,
        };
        var host = new Option<string>("--host")
        {
            Description = "IP address to listen on. Any other than loopback gets a key, which clients have to send.",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var template = new Option<string?>("--template")
        {
            Description =
                "How a conversation becomes text: chatml or turns. By default that of the model's fine-tuning, or "
                + "chatml where its tokenizer has the marks.",
        };
        Option<ComputePrecision> precision = CommonOptions.Precision();
        var threads = new Option<int?>("--threads")
        {
            Description = "Threads to compute with; the free cores by default.",
        };
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        var command = new Verb(
            "serve",
            "Answer OpenAI's API on this machine with a model: completions, conversations, log probabilities.",
            ["saltern serve runs/core-salt", "saltern serve exported/ --port 9000 --template chatml"]
        )
        {
            model,
            port,
            host,
            template,
            precision,
            threads,
            ignored,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, interrupted) =>
                {
                    if (parsed.GetValue(threads) is int count)
                    {
                        if (count is < 1 or > 4_096)
                        {
                            throw new ConfigurationException($"--threads = {count} is outside [1, 4096].");
                        }

                        Environment.SetEnvironmentVariable("OMP_NUM_THREADS", $"{count}");
                    }

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
                    ServeOptions options = Options(
                        parsed.GetRequiredValue(model),
                        parsed.GetRequiredValue(host),
                        parsed.GetValue(port)
                    );
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

        ChatTemplate? template = null;
        (ChatTemplateConfig? config, string whose) = Template(path, tokenizer, named);
        if (config is not null)
        {
            template = ChatTemplate.Create(config, tokenizer);
            console.Line($"conversations: template {whose}");
        }
        else
        {
            console.Line(
                "conversations: none, since nothing says how this model writes them; --template chatml or turns does"
            );
        }

        HashSet<int> ends = [.. EndTokens.Of(folder, tokenizer)];
        if (
            template?.EndOfReply is string end
            && tokenizer.Definition.AddedTokens.FirstOrDefault(token => token.Content == end) is { } mark
        )
        {
            ends.Add(mark.Id);
        }

        return new ServedModel(transformer, tokenizer, ends, template);
    }

    // What was asked for; else what the model was fine-tuned with; else the marks that its tokenizer has.
    private static (ChatTemplateConfig? Config, string Whose) Template(
        string path,
        BpeTokenizer tokenizer,
        string? named
    )
    {
        if (named is not null)
        {
            if (!ChatTemplate.Names.Contains(named))
            {
                throw new ConfigurationException(
                    $"--template = {named} is none of {string.Join(", ", ChatTemplate.Names)}."
                );
            }

            return (new ChatTemplateConfig { Name = named }, named);
        }

        string recipe = Path.Combine(path, RunFiles.RunLayout.Recipe);
        if (File.Exists(recipe) && RunConfig.IsOfFineTuning(recipe))
        {
            return (RecipeReader.Read<FineTuneConfig>(recipe, []).Data.Template, "of its fine-tuning");
        }

        bool hasMarks = tokenizer.Definition.AddedTokens.Any(token => token.Content == "<|im_start|>");
        return hasMarks
            ? (new ChatTemplateConfig { Name = "chatml" }, "chatml, whose marks the tokenizer has")
            : (null, "");
    }

    private static ServeOptions Options(string path, string host, int port)
    {
        if (!IPAddress.TryParse(host == "localhost" ? "127.0.0.1" : host, out IPAddress? address))
        {
            throw new ConfigurationException(
                $"--host = {host} is no IP address. Use 127.0.0.1 for this machine alone, or 0.0.0.0 for every address it has."
            );
        }

        if (port is < 0 or > IPEndPoint.MaxPort)
        {
            throw new ConfigurationException($"--port = {port} is outside [0, {IPEndPoint.MaxPort}].");
        }

        return new ServeOptions
        {
            ModelName = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))),
            Address = address,
            Port = port,
            Token = IPAddress.IsLoopback(address)
                ? null
                : RandomNumberGenerator.GetHexString(2 * TokenBytes, lowercase: true),
        };
    }

    private static async Task<int> Run(
        Output console,
        ServedModel model,
        ServeOptions options,
        CancellationToken interrupted
    )
    {
        ModelServer server;
        try
        {
            server = await ModelServer.StartAsync(model, options);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new ConfigurationException(
                $"Cannot listen on {options.Address}, port {options.Port}: {e.Message} Choose another with --port, or "
                    + "--port 0 for any free one."
            );
        }

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
