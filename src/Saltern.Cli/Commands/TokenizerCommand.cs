using System.CommandLine;
using System.Globalization;
using Saltern.Batches;
using Saltern.Cli.Terminal;
using Saltern.Corpora;
using Saltern.Files;
using Saltern.Tokenization;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern tokenizer train</c> and <c>show</c>.</summary>
public static class TokenizerCommand
{
    /// <summary>The verb.</summary>
    public static Command Create() =>
        new("tokenizer", "Train a byte-level BPE tokenizer, or look at one.") { Train(), Show() };

    private static Verb Train()
    {
        var corpus = new CorpusOptions();
        var vocabulary = new Option<int>("--vocab")
        {
            Description = "Number of token ids, special tokens included.",
            Required = true,
        };
        var output = new Option<string>("--out") { Description = "tokenizer.json to write.", Required = true };
        var frequency = new Option<int>("--min-frequency")
        {
            Description = "A pair must occur this often to become a token.",
            DefaultValueFactory = _ => 2,
        };
        var pattern = new Option<SplitPattern>("--pattern")
        {
            Description = "How text is split into words before merging.",
            DefaultValueFactory = _ => SplitPattern.Llama3,
        };
        var special = new Option<string[]>("--special")
        {
            Description = "Special tokens; one must be a name that ends a text, such as <|endoftext|> or </s>.",
            DefaultValueFactory = _ => ["<|endoftext|>"],
            AllowMultipleArgumentsPerToken = true,
        };
        var sentinels = new Option<int>("--sentinels")
        {
            Description = "Sentinel tokens <extra_id_0> … for span corruption, after the special ones.",
            DefaultValueFactory = _ => 0,
        };
        var command = new Verb(
            "train",
            "Learn a byte-level BPE tokenizer from text.",
            ["saltern tokenizer train --input text/ --vocab 4096 --out tokenizer.json"]
        )
        {
            vocabulary,
            output,
            frequency,
            pattern,
            special,
            sentinels,
        };
        corpus.AddTo(command);
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, cancellation) =>
                {
                    if (parsed.GetValue(sentinels) < 0)
                    {
                        throw new ConfigurationException(
                            $"--sentinels = {parsed.GetValue(sentinels)} is below 0. Give the number of sentinel tokens, or 0."
                        );
                    }

                    string path = parsed.GetRequiredValue(output);
                    using FileLock held = FileLock.Take(
                        path + FileLock.Ending,
                        $"Another 'saltern tokenizer train' is making {path}",
                        "Wait for it, or name another file with --out."
                    );
                    var reader = new CorpusReader(parsed.GetRequiredValue(corpus.Input), corpus.Read(parsed));
                    CommonOptions.WarnOfHeldOut(
                        console,
                        reader,
                        valid: null,
                        "The tokenizer would learn its words from them. Name the files to train on, "
                            + "such as --input 'corpus/*.train.*'."
                    );
                    var options = new BpeTrainerOptions
                    {
                        VocabularySize = parsed.GetRequiredValue(vocabulary),
                        MinimumFrequency = parsed.GetValue(frequency),
                        Pattern = parsed.GetValue(pattern),
                        SpecialTokens =
                        [
                            .. parsed.GetRequiredValue(special),
                            .. Enumerable.Range(0, parsed.GetValue(sentinels)).Select(SentinelTokens.Name),
                        ],
                    };
                    if (options.SpecialTokens is [string first, ..])
                    {
                        reader.Marks = new SpecialMarks(first, options.SpecialTokens);
                    }

                    BpeTokenizer tokenizer;
                    using (var status = new StatusLine(console))
                    {
                        var progress = new ImmediateProgress<BpeTrainingProgress>(p => status.Show(() => Describe(p)));
                        tokenizer = Guard(() =>
                            BpeTrainer.Train(
                                reader.ReadDocuments(cancellation).Select(document => document.Text),
                                options,
                                progress,
                                cancellation
                            )
                        );
                    }

                    tokenizer.Save(path);
                    console.Line($"{path}: {tokenizer.VocabularySize} tokens, {tokenizer.Fingerprint}");
                    if (tokenizer.VocabularySize < options.VocabularySize)
                    {
                        console.Line(
                            $"The text has pairs for {tokenizer.VocabularySize} tokens only, "
                                + $"{options.VocabularySize} were asked for."
                        );
                    }

                    CommonOptions.ReportReading(console, reader);
                    console.Next($"saltern prepare --input TEXT --tokenizer {path} --out data");
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static string Describe(BpeTrainingProgress progress)
    {
        if (progress.VocabularySize > 0)
        {
            return $"merging: {progress.VocabularySize} of {progress.TargetVocabularySize} tokens";
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"reading: {progress.Documents} documents, {progress.TextBytes / 1e6:0.0} MB, {progress.DistinctWords} distinct words"
        );
    }

    private static Verb Show()
    {
        var file = new Argument<string>("FILE") { Description = "tokenizer.json" };
        var text = new Option<string?>("--text") { Description = "Text to encode." };
        var command = new Verb(
            "show",
            "Describe a tokenizer, and how it splits a text.",
            ["saltern tokenizer show tokenizer.json --text \"Hello, world\""]
        )
        {
            file,
            text,
        };
        command.SetAction(parsed =>
            CommandRunner.Run(
                json: false,
                (console, _) =>
                {
                    BpeTokenizer tokenizer = BpeTokenizer.Load(parsed.GetRequiredValue(file));
                    console.Line($"tokens: {tokenizer.VocabularySize}");
                    console.Line($"end of text: {tokenizer.EndOfTextId} ({tokenizer.Decode([tokenizer.EndOfTextId])})");
                    if (tokenizer.BeginOfText.Count > 0)
                    {
                        console.Line(
                            $"begins a text: {string.Join(' ', tokenizer.BeginOfText)} "
                                + $"({tokenizer.Decode([.. tokenizer.BeginOfText])})"
                        );
                    }

                    console.Line($"fingerprint: {tokenizer.Fingerprint}");
                    if (parsed.GetValue(text) is string sample)
                    {
                        int[] ids = tokenizer.Encode(sample);
                        console.Line(
                            $"{ids.Length} tokens: {string.Join(' ', ids.Select(id => $"{id}:'{tokenizer.Decode([id])}'"))}"
                        );
                    }

                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static BpeTokenizer Guard(Func<BpeTokenizer> train)
    {
        try
        {
            return train();
        }
        catch (ArgumentException e)
        {
            throw new ConfigurationException(e.Message);
        }
    }
}
