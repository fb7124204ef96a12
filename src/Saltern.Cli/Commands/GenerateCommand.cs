using System.CommandLine;
using System.Text;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Hosting;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Runs;
using Saltern.Tokenization;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern generate MODEL</c>: text from a model, as it comes.</summary>
public static class GenerateCommand
{
    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var defaults = new SamplingOptions();
        var model = new Argument<string>("MODEL")
        {
            Description = "Run folder, checkpoint folder or Hugging Face folder.",
        };
        var prompt = new Option<string>("--prompt")
        {
            Description = "Text to go on from.",
            DefaultValueFactory = _ => "",
        };
        var maxTokens = new Option<int>("--max-tokens")
        {
            Description = "Most tokens to add.",
            DefaultValueFactory = _ => defaults.MaxTokens,
        };
        var temperature = new Option<double>("--temperature")
        {
            Description = "Divides the logits; 0 takes the most likely token.",
            DefaultValueFactory = _ => defaults.Temperature,
        };
        var topK = new Option<int>("--top-k")
        {
            Description = "Only the k most likely tokens; 0 for all.",
            DefaultValueFactory = _ => defaults.TopK,
        };
        var topP = new Option<double>("--top-p")
        {
            Description = "Only the most likely tokens with this probability together; 1 for all.",
            DefaultValueFactory = _ => defaults.TopP,
        };
        var seed = new Option<int>("--seed")
        {
            Description = "Decides the draws.",
            DefaultValueFactory = _ => defaults.Seed,
        };
        Option<ComputePrecision> precision = CommonOptions.Precision();
        Option<string> weights = CommonOptions.Weights();
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        var command = new Verb(
            "generate",
            "Sample text from a model.",
            ["saltern generate runs/core-salt --prompt \"Once upon a time\""]
        )
        {
            model,
            prompt,
            maxTokens,
            temperature,
            topK,
            topP,
            seed,
            precision,
            weights,
            ignored,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, cancellation) =>
                {
                    var options = new SamplingOptions
                    {
                        MaxTokens = parsed.GetValue(maxTokens),
                        Temperature = parsed.GetValue(temperature),
                        TopK = parsed.GetValue(topK),
                        TopP = parsed.GetValue(topP),
                        Seed = parsed.GetValue(seed),
                    };
                    options.Validate();
                    EngineSetup.Prepare();
                    string folder = ModelLocation.Resolve(
                        parsed.GetRequiredValue(model),
                        CommonOptions.IsAverage(parsed.GetValue(weights))
                    );
                    string text = parsed.GetRequiredValue(prompt);
                    using Transformer transformer = Load(console, folder, parsed.GetValue(ignored));
                    ComputePlan compute = ComputePlan.Of(ComputeDevice.Cpu, parsed.GetValue(precision));
                    transformer.ProductType = compute.ProductType;
                    foreach (string remark in compute.Remarks())
                    {
                        console.Line(remark);
                    }

                    BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(folder));
                    if (transformer.Config.VocabSize < tokenizer.VocabularySize)
                    {
                        throw new DataFormatException(
                            $"{folder} has {transformer.Config.VocabSize} rows "
                                + $"for the {tokenizer.VocabularySize} ids of its tokenizer, so they do not belong together."
                        );
                    }

                    int[] ids = [.. tokenizer.BeginOfText, .. tokenizer.Encode(text)];
                    int window = transformer.Config.MaxPositionEmbeddings;
                    if (ids.Length >= window)
                    {
                        Console.Error.WriteLine(
                            $"The prompt has {ids.Length} tokens and the model {window} positions: it reads the last {window - 1}."
                        );
                    }

                    console.Lines.Write(text);

                    // Tokens may end inside a character: the decoder holds its first bytes back until the rest has come.
                    Decoder decoder = Encoding.UTF8.GetDecoder();
                    char[] characters = new char[256];
                    foreach (
                        int token in TextGenerator.Generate(
                            transformer,
                            ids,
                            EndTokens.Of(folder, tokenizer),
                            tokenizer.VocabularySize,
                            options,
                            cancellation
                        )
                    )
                    {
                        byte[] bytes = tokenizer.DecodeToBytes([token]);
                        if (bytes.Length >= characters.Length)
                        {
                            characters = new char[bytes.Length + 1];
                        }

                        console.Lines.Write(characters, 0, decoder.GetChars(bytes, characters, flush: false));
                        console.Lines.Flush();
                    }

                    console.Lines.Write(characters, 0, decoder.GetChars([], characters, flush: true));
                    console.Line();
                    if (cancellation.IsCancellationRequested)
                    {
                        return ExitCode.Interrupted;
                    }

                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    /// <summary>Loads a model to be used as it is.</summary>
    internal static Transformer Load(Output console, string folder, IReadOnlyCollection<string>? ignoredKeys)
    {
        ConfigReading reading = ModelFolder.ReadConfig(folder, ignoredKeys);
        if (reading.Remark is string remark)
        {
            Console.Error.WriteLine(remark);
        }

        using var status = new StatusLine(console);
        return ModelFolder.Load(folder, reading.Shape, trainable: false, progress: WeightsLine.On(status, "loading"));
    }
}
