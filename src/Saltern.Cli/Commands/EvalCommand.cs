using System.CommandLine;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Hosting;
using Saltern.ModelFiles;
using Saltern.Numerics;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern eval MODEL</c>: loss, perplexity, bits per byte and accuracy, by domain; or tasks.</summary>
public static class EvalCommand
{
    // Models may know far more positions than fit into a forward pass here.
    private const int LongestDefaultWindow = 1_024;

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
        Option<ComputePrecision> precision = CommonOptions.Precision();
        Option<string> weights = CommonOptions.Weights();
        Option<string> device = CommonOptions.Device();
        Option<int?> threads = CommonOptions.Threads();
        var output = new Option<string?>("--out") { Description = "Folder for the result as JSON." };
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        Option<bool> verify = CommonOptions.Verify();
        Option<bool> json = CommonOptions.Json();
        var tasks = new TaskOptions();
        var command = new Verb(
            Name,
            "Measure a model on a data set, or on tasks.",
            ["saltern eval runs/core-salt", "saltern eval runs/core-salt --tasks lastword --data-dir items/"]
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
            tasks.Encoding,
            tasks.Shots,
            tasks.Limit,
            precision,
            weights,
            device,
            threads,
            ignored,
            output,
            verify,
            json,
        };
        command.SetAction(parsed =>
            RankProcess.Run(
                (rank, console, cancellation) =>
                {
                    CommonOptions.SetThreads(parsed.GetValue(threads));
                    EngineSetup.Prepare(rank.Cores, rank.Ranks);
                    rank.Ranks.Activity = "evaluation";
                    string path = parsed.GetRequiredValue(model);
                    string folder = ModelLocation.Resolve(path, CommonOptions.IsAverage(parsed.GetValue(weights)));
                    RunConfig? run = RecipeOfRun(path);
                    string[] keys = parsed.GetRequiredValue(ignored);
                    ComputePlan compute = ComputePlan
                        .Of(CommonOptions.DeviceOf(parsed.GetValue(device)), parsed.GetValue(precision))
                        .AgreeOn(rank.Ranks);
                    SayRemarks(console, compute);
                    if (tasks.Of(parsed) is TaskRequest request)
                    {
                        if (parsed.GetValue(data) is not null || parsed.GetValue(buckets) is not null)
                        {
                            throw new ConfigurationException(
                                "--tasks measures tasks instead of a data set. Leave --data and --buckets out, or run eval twice."
                            );
                        }

                        (string, string)? other = null;
                        if (parsed.GetValue(teacher) is string secondName)
                        {
                            other = (secondName, ModelLocation.Resolve(secondName));
                        }

                        var evaluation = new TaskEvaluation(
                            console,
                            rank.Ranks,
                            request,
                            (of, at) => Window(parsed.GetValue(length), SequenceLengthOfRun(of), at, keys),
                            compute,
                            cancellation
                        )
                        {
                            IgnoredKeys = keys,
                        };
                        return evaluation.Run((path, folder), other, parsed.GetValue(output));
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
                    int window = Window(parsed.GetValue(length), SequenceLengthOfRun(path), folder, keys);
                    var windows = new EvaluationWindows(
                        parsed.GetRequiredValue(split),
                        parsed.GetValue(tokens),
                        window
                    );
                    var measure = new DatasetTable(console, rank.Ranks, dataset, windows, compute)
                    {
                        IgnoredKeys = keys,
                    };
                    string measured = CommonOptions.IsAverage(parsed.GetValue(weights)) ? folder : path;
                    measure.Run(measured, parsed.GetValue(teacher), parsed.GetValue(buckets), parsed.GetValue(output));
                    console.Next(
                        $"saltern eval {path} --tasks NAME… for tasks (saltern task list), saltern generate {path}"
                    );
                    return ExitCode.Done;
                },
                parsed.GetValue(json)
            )
        );
        return command;
    }

    private static void SayRemarks(Output console, ComputePlan compute)
    {
        foreach (string remark in compute.Remarks())
        {
            console.Line(remark);
        }
    }

    private static int Window(int? length, int? trained, string folder, string[] ignoredKeys) =>
        length
        ?? trained
        ?? Math.Min(ModelFolder.LoadConfig(folder, ignoredKeys).MaxPositionEmbeddings, LongestDefaultWindow);

    // Token data of other programs names no tokenizer: it is taken to be the model's, as its ids must be.
    private static string? TokenizerFor(string data, string model)
    {
        if (File.Exists(Path.Combine(data, DatasetManifest.FileName)))
        {
            return null;
        }

        return Path.Combine(model, ModelFolder.TokenizerFile);
    }

    // Null where the path is no run, or one of fine-tuning, which has no data set.
    private static RunConfig? RecipeOfRun(string path)
    {
        string recipe = Path.Combine(path, RunLayout.Recipe);
        if (File.Exists(recipe) && !FineTuneConfig.IsRecipe(recipe))
        {
            return RecipeReader.Read<RunConfig>(recipe, []);
        }

        return null;
    }

    private static int? SequenceLengthOfRun(string path)
    {
        string recipe = Path.Combine(path, RunLayout.Recipe);
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
}
