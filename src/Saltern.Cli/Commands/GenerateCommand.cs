using System.CommandLine;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.FineTuning;
using Saltern.Hosting;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Runs;
using Saltern.Tokenization;
using TorchSharp;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern generate MODEL</c>: text from a model, as it comes.</summary>
public static class GenerateCommand
{
    private const string StandardInput = "-";
    private const int MostSamples = 10_000;

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var options = new Options();
        var command = new Verb(
            "generate",
            "Sample text from a model.",
            [
                "saltern generate runs/core-salt --prompt \"Once upon a time\" --samples 3",
                "saltern generate runs/chat --chat --prompt \"What is 2 + 3?\" --stop \"User:\"",
            ]
        )
        {
            options.Model,
            options.Prompt,
            options.Chat,
            options.System,
            options.Template,
            options.Stop,
            options.Samples,
            options.MaxTokens,
            options.Temperature,
            options.TopK,
            options.TopP,
            options.RepetitionPenalty,
            options.Seed,
            options.Precision,
            options.Weights,
            options.Device,
            options.Threads,
            options.Ignored,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(json: false, (console, cancellation) => Run(console, options, parsed, cancellation))
        );
        return command;
    }

    /// <summary>Loads a model to be used as it is.</summary>
    internal static Transformer Load(
        Output console,
        string folder,
        IReadOnlyCollection<string>? ignoredKeys,
        torch.Device? device = null
    )
    {
        ConfigReading reading = ModelFolder.ReadConfig(folder, ignoredKeys);
        if (reading.Remark is string remark)
        {
            Console.Error.WriteLine(remark);
        }

        using var status = new StatusLine(console);
        return ModelFolder.Load(
            folder,
            reading.Shape,
            trainable: false,
            progress: WeightsLine.On(status, "loading"),
            device
        );
    }

    private static int Run(Output console, Options options, ParseResult parsed, CancellationToken cancellation)
    {
        SamplingOptions sampling = options.Sampling(parsed);
        sampling.Validate();
        int samples = parsed.GetValue(options.Samples);
        if (samples is < 1 or > MostSamples)
        {
            throw new ConfigurationException($"--samples = {samples} is outside [1, {MostSamples}].");
        }

        string[] stops = parsed.GetValue(options.Stop) ?? [];
        if (stops.Contains(""))
        {
            throw new ConfigurationException("--stop has an empty text, at which every text would end.");
        }

        string prompt = PromptOf(parsed.GetRequiredValue(options.Prompt));
        CommonOptions.SetThreads(parsed.GetValue(options.Threads));
        EngineSetup.Prepare();
        string path = parsed.GetRequiredValue(options.Model);
        string folder = ModelLocation.Resolve(path, CommonOptions.IsAverage(parsed.GetValue(options.Weights)));
        ComputePlan compute = ComputePlan.Of(
            CommonOptions.DeviceOf(parsed.GetValue(options.Device)),
            parsed.GetValue(options.Precision)
        );
        using Transformer transformer = Load(console, folder, parsed.GetValue(options.Ignored), compute.Device);
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

        List<int> ends = [.. EndTokens.Of(folder, tokenizer)];
        int[] ids = [.. tokenizer.BeginOfText, .. tokenizer.Encode(prompt)];
        if (options.IsChat(parsed))
        {
            var conversation = ConversationTemplate.Find(path, folder, tokenizer, parsed.GetValue(options.Template));
            ids = Encode(conversation, prompt, parsed.GetValue(options.System), tokenizer);
            if (conversation.EndOfReply(tokenizer) is int end && !ends.Contains(end))
            {
                ends.Add(end);
            }

            prompt = "";
        }
        else if (parsed.GetValue(options.System) is not null)
        {
            throw new ConfigurationException("--system is a message of a conversation. Give --chat too.");
        }

        int window = transformer.Config.MaxPositionEmbeddings;
        if (ids.Length >= window)
        {
            Console.Error.WriteLine(
                $"The prompt has {ids.Length} tokens and the model {window} positions: it reads the last {window - 1}."
            );
        }

        for (int i = 0; i < samples && !cancellation.IsCancellationRequested; i++)
        {
            if (samples > 1)
            {
                console.Line($"--- sample {i + 1} of {samples}, seed {sampling.Seed + i}");
            }

            console.Lines.Write(prompt);
            IEnumerable<int> tokens = TextGenerator.Generate(
                transformer,
                ids,
                ends,
                tokenizer.VocabularySize,
                sampling with
                {
                    Seed = sampling.Seed + i,
                },
                cancellation
            );
            Write(console, tokens, tokenizer, stops);
        }

        if (cancellation.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }

        return ExitCode.Done;
    }

    private static void Write(Output console, IEnumerable<int> tokens, BpeTokenizer tokenizer, string[] stops)
    {
        var text = new StreamedText(stops);
        foreach (int token in tokens)
        {
            text.Append(tokenizer.DecodeToBytes([token]));
            console.Lines.Write(text.Take(all: false));
            console.Lines.Flush();
            if (text.IsStopped)
            {
                break;
            }
        }

        if (!text.IsStopped)
        {
            text.End();
        }

        console.Lines.Write(text.Take(all: true));
        console.Line();
    }

    // The last line break belongs to the file, not to the text.
    private static string PromptOf(string given)
    {
        if (given != StandardInput)
        {
            return given;
        }

        string text = Console.In.ReadToEnd();
        if (text.EndsWith('\n'))
        {
            text = text[..^1];
        }

        return text.EndsWith('\r') ? text[..^1] : text;
    }

    private static int[] Encode(
        ConversationTemplate conversation,
        string prompt,
        string? system,
        BpeTokenizer tokenizer
    )
    {
        if (conversation.Template is not ChatTemplate template)
        {
            throw new ConfigurationException(
                $"--chat: {conversation.Whose}. Name a template with --template {string.Join(" or ", ChatTemplate.Names)}, "
                    + "or leave --chat out and give the text as the model was trained on it."
            );
        }

        List<ChatMessage> messages = [];
        if (system is not null)
        {
            messages.Add(new ChatMessage(ChatTemplate.System, system));
        }

        messages.Add(new ChatMessage(ChatTemplate.User, prompt));
        try
        {
            return Example.Encode("", template.RenderPrompt(messages), tokenizer).Tokens;
        }
        catch (DataFormatException e)
        {
            throw new ConfigurationException($"--chat: the conversation {e.Message}.");
        }
    }

    private sealed class Options
    {
        private static readonly SamplingOptions Defaults = new();

        public Argument<string> Model { get; } =
            new("MODEL") { Description = "Run folder, checkpoint folder or Hugging Face folder." };

        public Option<string> Prompt { get; } =
            new("--prompt")
            {
                Description = "Text to go on from; with --chat the user's message. - reads it from standard input.",
                DefaultValueFactory = _ => "",
            };

        public Option<bool> Chat { get; } =
            new("--chat")
            {
                Description =
                    "The prompt is a message, put into the form of conversations that the model was fine-tuned on; "
                    + "only the reply is written.",
            };

        public Option<string?> System { get; } =
            new("--system") { Description = "System message in front of it, with --chat." };

        public Option<string?> Template { get; } =
            new("--template")
            {
                Description =
                    "How a conversation becomes text: turns, chatml or alpaca; by default as the model itself says. "
                    + "Means --chat.",
            };

        public Option<string[]> Stop { get; } =
            new("--stop")
            {
                Description = "Text at which a sample ends, itself left out; may be repeated.",
                DefaultValueFactory = _ => [],
            };

        public Option<int> Samples { get; } =
            new("--samples")
            {
                Description = "How many texts, of the seeds from --seed on.",
                DefaultValueFactory = _ => 1,
            };

        public Option<int> MaxTokens { get; } =
            new("--max-tokens") { Description = "Most tokens to add.", DefaultValueFactory = _ => Defaults.MaxTokens };

        public Option<double> Temperature { get; } =
            new("--temperature")
            {
                Description = "Divides the logits; 0 takes the most likely token.",
                DefaultValueFactory = _ => Defaults.Temperature,
            };

        public Option<int> TopK { get; } =
            new("--top-k")
            {
                Description = "Only the k most likely tokens; 0 for all.",
                DefaultValueFactory = _ => Defaults.TopK,
            };

        public Option<double> TopP { get; } =
            new("--top-p")
            {
                Description = "Only the most likely tokens with this probability together; 1 for all.",
                DefaultValueFactory = _ => Defaults.TopP,
            };

        public Option<double> RepetitionPenalty { get; } =
            new("--repetition-penalty")
            {
                Description =
                    "Divides positive and multiplies negative logits of tokens that prompt or text have already; 1 for none.",
                DefaultValueFactory = _ => Defaults.RepetitionPenalty,
            };

        public Option<int> Seed { get; } =
            new("--seed") { Description = "Decides the draws.", DefaultValueFactory = _ => Defaults.Seed };

        public Option<ComputePrecision> Precision { get; } = CommonOptions.Precision();

        public Option<string> Weights { get; } = CommonOptions.Weights();

        public Option<string> Device { get; } = CommonOptions.Device();

        public Option<int?> Threads { get; } = CommonOptions.Threads();

        public Option<string[]> Ignored { get; } = CommonOptions.IgnoreKey();

        public bool IsChat(ParseResult parsed) => parsed.GetValue(Chat) || parsed.GetValue(Template) is not null;

        public SamplingOptions Sampling(ParseResult parsed) =>
            new()
            {
                MaxTokens = parsed.GetValue(MaxTokens),
                Temperature = parsed.GetValue(Temperature),
                TopK = parsed.GetValue(TopK),
                TopP = parsed.GetValue(TopP),
                RepetitionPenalty = parsed.GetValue(RepetitionPenalty),
                Seed = parsed.GetValue(Seed),
            };
    }
}
