using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Distributed;
using Saltern.Evaluation;
using Saltern.Files;
using Saltern.FineTuning;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern eval MODEL</c>: loss, perplexity, bits per byte and accuracy, by domain; or tasks.</summary>
public static class EvalCommand
{
    // Models may know far more positions than fit into a forward pass here.
    private const int LongestDefaultWindow = 1_024;

    private static readonly JsonSerializerOptions JsonFormat = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>The verb's name.</summary>
    public const string Name = "eval";

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var model = new Argument<string>("MODEL")
        {
            Description = "Run folder, checkpoint folder or Hugging Face folder.",
        };
        var data = new Option<string?>("--data") { Description = "Data set folder; that of the run by default." };
        var split = new Option<string>("--split") { Description = "Which text.", DefaultValueFactory = _ => "valid" };
        split.AcceptOnlyFromAmong("valid", "train", "all");
        var tokens = new Option<int>("--tokens")
        {
            Description = "About how many tokens; all there is where there is less.",
            DefaultValueFactory = _ => 262_144,
        };
        var length = new Option<int?>("--sequence-length")
        {
            Description = "Tokens of a window; the run's own by default, else at most 1,024.",
        };
        var teacher = new Option<string?>("--teacher")
        {
            Description = "A second model to show on the same tokens or items.",
        };
        var buckets = new Option<string?>("--buckets")
        {
            Description =
                "Folder of 'saltern teach': also by easy, medium and hard; needs --teacher, the model of that pass.",
        };
        var output = new Option<string?>("--out") { Description = "Folder for the result as JSON." };
        Option<bool> verify = CommonOptions.Verify();
        Option<bool> json = CommonOptions.Json();
        var tasks = new TaskOptions();
        var command = new Verb(
            Name,
            "Measure a model on a data set, or on tasks.",
            ["saltern eval runs/core-salt", "saltern eval runs/core-salt --tasks tasks/lastword.yaml --data-dir items/"]
        )
        {
            model,
            data,
            split,
            tokens,
            length,
            teacher,
            buckets,
            tasks.Tasks,
            tasks.DataFolder,
            tasks.Shots,
            tasks.Limit,
            output,
            verify,
            json,
        };
        command.SetAction(parsed =>
            RankProcess.Run(
                (rank, console, cancellation) =>
                {
                    EngineSetup.Prepare(rank);
                    rank.Ranks.Activity = "evaluation";
                    string path = parsed.GetRequiredValue(model);
                    string folder = ModelLocation.Resolve(path);
                    RunConfig? run = RecipeOfRun(path);
                    if (tasks.Of(parsed) is TaskRequest request)
                    {
                        if (parsed.GetValue(data) is not null || parsed.GetValue(buckets) is not null)
                        {
                            throw new ConfigurationException(
                                "--tasks measures tasks instead of a data set. Leave --data and --buckets out, or run eval twice."
                            );
                        }

                        (string, string)? other = parsed.GetValue(teacher) is string secondName
                            ? (secondName, ModelLocation.Resolve(secondName))
                            : null;
                        return TaskEvaluation.Run(
                            console,
                            rank.Ranks,
                            request,
                            (path, folder),
                            other,
                            (of, at) => Window(parsed.GetValue(length), SequenceLengthOfRun(of), at),
                            parsed.GetValue(output),
                            cancellation
                        );
                    }

                    string dataFolder =
                        parsed.GetValue(data)
                        ?? run?.Data.Path
                        ?? throw new ConfigurationException(
                            $"{path} is not the folder of a run with a data set. Give --data."
                        );
                    using TokenDataset dataset = TokenDataset.OpenAny(
                        dataFolder,
                        TokenizerFor(dataFolder, folder),
                        parsed.GetValue(verify),
                        cancellation
                    );
                    int window = Window(parsed.GetValue(length), SequenceLengthOfRun(path), folder);
                    var set = new Request(dataset, parsed.GetValue(split)!, parsed.GetValue(tokens), window);
                    DifficultyBuckets? bounds = Bounds(parsed.GetValue(buckets), parsed.GetValue(teacher), set);
                    Evaluated student = Evaluate(console, rank.Ranks, path, folder, set);
                    Evaluated? second = parsed.GetValue(teacher) is string name
                        ? Evaluate(console, rank.Ranks, name, ModelLocation.Resolve(name), set)
                        : null;
                    ModelScores scores = student.Scores with
                    {
                        Buckets = bounds is null ? null : ByBucket(student, second!, bounds),
                    };
                    ModelScores? teacherScores = second?.Scores;
                    string result = JsonSerializer.Serialize(
                        new
                        {
                            Schema = "saltern.eval/1",
                            Data = dataset.Fingerprint,
                            Split = parsed.GetValue(split),
                            Student = scores,
                            Teacher = teacherScores,
                        },
                        JsonFormat
                    );
                    if (parsed.GetValue(output) is string target && rank.Ranks.Rank == 0)
                    {
                        Directory.CreateDirectory(target);
                        WholeFile.WriteText(Path.Combine(target, "eval.json"), result);
                    }

                    if (console.IsJson)
                    {
                        Output.Json(result);
                    }
                    else
                    {
                        Print(console, scores);
                        if (teacherScores is not null)
                        {
                            Print(console, teacherScores);
                        }
                    }

                    return ExitCode.Done;
                },
                parsed.GetValue(json)
            )
        );
        return command;
    }

    private static int Window(int? length, int? trained, string folder) =>
        length ?? trained ?? Math.Min(ModelFolder.LoadConfig(folder).MaxPositionEmbeddings, LongestDefaultWindow);

    // Token data of other programs names no tokenizer: it is taken to be the model's, as its ids must be.
    private static string? TokenizerFor(string data, string model)
    {
        if (File.Exists(Path.Combine(data, DatasetManifest.FileName)))
        {
            return null;
        }

        return Path.Combine(model, ModelFolder.TokenizerFile);
    }

    // Both models see the same windows.
    private static Evaluated Evaluate(Output console, ICommunicator ranks, string name, string folder, Request request)
    {
        (TokenDataset dataset, string split, int tokens, int window) = request;
        using Transformer model = Load(console, folder);
        BpeTokenizer tokenizer = BpeTokenizer.Load(ModelFolder.TokenizerPath(folder));
        if (tokenizer.Fingerprint != dataset.Manifest.TokenizerFingerprint)
        {
            throw new ConfigurationException(
                $"{name} has the tokenizer {tokenizer.Fingerprint}, the data set {dataset.Folder} was made with {dataset.Manifest.TokenizerFingerprint}. Prepare the text again with the model's tokenizer."
            );
        }

        if (
            model.Config.VocabSize < tokenizer.VocabularySize
            || window < 1
            || window > model.Config.MaxPositionEmbeddings
        )
        {
            throw new ConfigurationException(
                $"{name} has {model.Config.VocabSize} rows for {tokenizer.VocabularySize} token ids and knows {model.Config.MaxPositionEmbeddings} positions; windows of {window} tokens were asked for. Give another --sequence-length, or a model that fits its tokenizer."
            );
        }

        string[] domains = [.. dataset.Domains.Select(domain => domain.Name)];
        int[] bytes = ModelEvaluation.TokenBytes(tokenizer);
        using var head = new FusedLossHead(
            tokenizer.VocabularySize,
            model.Config.VocabSize,
            TorchSharp.torch.get_num_threads()
        );
        var parts = new List<(string Name, ValidationSet Set, EvaluationResult Result)>();
        foreach (string part in split == "all" ? ["valid", "train"] : new[] { split })
        {
            IReadOnlyList<TokenShard?> shards =
            [
                .. dataset.Domains.Select(domain => part == "valid" ? domain.Valid : domain.Train),
            ];
            ValidationSet set = ValidationSet.Create(
                shards,
                window,
                tokens,
                wholeDocuments: true,
                tokenizer.EndOfTextId
            );
            parts.Add((part, set, ModelEvaluation.Run(model, head, set, bytes, domains.Length, ranks)));
        }

        return new Evaluated(
            new ModelScores(
                name,
                parts.ToDictionary(part => part.Name, part => RunScores.Of(part.Result, domains)),
                null
            ),
            parts
        );
    }

    private static Transformer Load(Output console, string folder)
    {
        using var status = new StatusLine(console);
        return ModelFolder.Load(folder, trainable: false, progress: WeightsLine.On(status, "loading"));
    }

    // The bounds are those of one teacher, on one data set.
    private static DifficultyBuckets? Bounds(string? folder, string? teacher, Request request)
    {
        if (folder is null)
        {
            return null;
        }

        TeachPlan plan = TeachManifest.Load(folder).Plan;
        string model = ModelLocation.Resolve(
            teacher
                ?? throw new ConfigurationException(
                    "--buckets needs --teacher: the model of that pass, whose losses sort the text."
                )
        );
        string weights = TeacherWeights.Fingerprint(model);
        if (weights != plan.TeacherWeights || plan.Samples.Data != request.Data.Fingerprint)
        {
            throw new ConfigurationException(
                $"--buckets = {folder} was made by the weights {plan.TeacherWeights} on the data set {plan.Samples.Data}, but --teacher = {teacher} has {weights} and the data set is {request.Data.Fingerprint}."
            );
        }

        return TeachManifest.Load(folder).Buckets;
    }

    private static Dictionary<string, IReadOnlyList<BucketScores>> ByBucket(
        Evaluated model,
        Evaluated teacher,
        DifficultyBuckets bounds
    ) =>
        model
            .Parts.Zip(teacher.Parts)
            .ToDictionary(
                pair => pair.First.Split,
                pair => BucketScores.Of(pair.First.Set, pair.First.Result, pair.Second.Result.PositionNll, bounds)
            );

    // Null where the path is no run, or one of fine-tuning, which has no data set.
    private static RunConfig? RecipeOfRun(string path)
    {
        string recipe = Path.Combine(path, RunFolder.RecipeFile);
        if (File.Exists(recipe) && !FineTuneConfig.IsRecipe(recipe))
        {
            return RecipeReader.Read<RunConfig>(recipe, []);
        }

        return null;
    }

    private static int? SequenceLengthOfRun(string path)
    {
        string recipe = Path.Combine(path, RunFolder.RecipeFile);
        if (!File.Exists(recipe))
        {
            return null;
        }

        if (FineTuneConfig.IsRecipe(recipe))
        {
            return RecipeReader.Read<FineTuneConfig>(recipe, []).Data.SequenceLength;
        }

        return RecipeReader.Read<RunConfig>(recipe, []).Data.SequenceLength;
    }

    private static void Print(Output console, ModelScores scores)
    {
        foreach ((string split, FinalScores all) in scores.Splits)
        {
            console.Line($"{scores.Model}, {split}:");
            console.Line("  domain             tokens      loss  perplexity  bits/byte  accuracy");
            foreach ((string name, DomainScores part) in all.Domains.Append(new("all", all)))
            {
                console.Line(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"  {name, -16} {part.Tokens, 8}  {part.Loss, 8:0.0000}  {Math.Exp(part.Loss), 10:0.00}  {part.BitsPerByte, 9:0.0000}  {part.Accuracy, 8:0.0000}"
                    )
                );
            }

            foreach (BucketScores part in scores.Buckets?[split] ?? [])
            {
                console.Line(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"  {part.Bucket + " " + part.Unit, -16} {part.Tokens, 8}  {part.Loss, 8:0.0000}  teacher {part.TeacherLoss:0.0000}"
                    )
                );
            }
        }
    }

    private sealed record Request(TokenDataset Data, string Split, int Tokens, int Window);

    private sealed record ModelScores(
        string Model,
        IReadOnlyDictionary<string, FinalScores> Splits,
        Dictionary<string, IReadOnlyList<BucketScores>>? Buckets
    );

    private sealed record Evaluated(
        ModelScores Scores,
        IReadOnlyList<(string Split, ValidationSet Set, EvaluationResult Result)> Parts
    );
}
