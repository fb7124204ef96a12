using System.CommandLine;
using System.Globalization;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Guidance;
using Saltern.Hosting;
using Saltern.Numerics;
using Saltern.Runs;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern teach</c>: one teacher pass over samples → soft-label cache, scores, difficulty.</summary>
public static class TeachCommand
{
    /// <summary>The verb's name.</summary>
    public const string Name = "teach";

    private const string KeyVariable = "SALTERN_ENDPOINT_KEY";

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var teacher = new Option<string?>("--teacher")
        {
            Description = "Run folder, checkpoint folder or Hugging Face folder.",
        };
        var endpoint = new Option<string?>("--endpoint")
        {
            Description =
                "Address of a server with OpenAI's API whose model is the teacher instead, such as http://127.0.0.1:8077/v1 "
                + $"(top_k alone). A key it wants goes into {KeyVariable}.",
        };
        var model = new Option<string?>("--model") { Description = "Name of the model there, where it has several." };
        var step = new Option<int?>("--step")
        {
            Description = "Step of a checkpoint that the run folder kept (training.keep_steps); the newest by default.",
        };
        var recipe = new Option<string?>("--recipe") { Description = "Recipe whose samples are gone over." };
        Option<string[]> set = CommonOptions.Set<RunConfig>(example: null);
        var stage1Only = new Option<bool>("--stage1-only")
        {
            Description = "Only the samples that the recipe's stage 1 can draw.",
        };
        var data = new Option<string?>("--data") { Description = "Data set folder, instead of a recipe." };
        var length = new Option<int?>("--sequence-length") { Description = "Tokens of a sample, with --data." };
        var output = new Option<string>("--out")
        {
            Description = "Folder to write; an interrupted pass in it goes on.",
            Required = true,
        };
        var mode = new Option<string?>("--mode")
        {
            Description =
                "What is stored: draws (sampled, the default), the most likely tokens and a tail (top_k, of a server), or "
                + "scores alone.",
        };
        mode.AcceptOnlyFromAmong("sampled", "top_k", "scores");
        var draws = new Option<int?>("--draws")
        {
            Description = "Draws of each position; what --bytes allows by default.",
        };
        var sampling = new Option<DrawKind>("--sampling")
        {
            Description = "How they are drawn.",
            DefaultValueFactory = _ => DrawKind.Systematic,
        };
        var seed = new Option<long>("--seed") { Description = "Seed of the draws.", DefaultValueFactory = _ => 0 };
        var keep = new Option<int?>("--keep")
        {
            Description = "Tokens kept of each position (top_k); what --bytes allows by default.",
        };
        var temperature = new Option<double?>("--temperature")
        {
            Description = "Divides the teacher's logits; the recipe's by default, else 1.",
        };
        var bytes = new Option<double?>("--bytes")
        {
            Description = "Bytes of a position on average; 40 up to a vocabulary of 65,536, else 64.",
        };
        var threads = new Option<int?>("--threads") { Description = "Threads; all cores by default." };
        var device = new Option<string?>("--device")
        {
            Description = "Where to compute; where the recipe does by default, else cpu.",
        };
        device.AcceptOnlyFromAmong("cpu", "cuda");
        var precision = new Option<ComputePrecision?>("--precision")
        {
            Description = "Type of the teacher's products: fp32, bf16, auto; as in the recipe by default, else fp32.",
        };
        Option<string[]> ignored = CommonOptions.IgnoreKey();
        var command = new Verb(
            Name,
            "Let a teacher go over samples once: soft labels, scores and difficulty for later runs.",
            [
                "saltern teach --teacher runs/core-teacher --recipe recipes/core-salt-cached.yaml --stage1-only --out teach/core",
                "saltern teach --endpoint http://127.0.0.1:8077/v1 --data data/core --sequence-length 256 --out teach/served",
            ]
        )
        {
            teacher,
            endpoint,
            model,
            step,
            recipe,
            set,
            stage1Only,
            data,
            length,
            output,
            mode,
            draws,
            sampling,
            seed,
            keep,
            temperature,
            bytes,
            threads,
            device,
            precision,
            ignored,
        };
        command.SetAction(parsed =>
            RankProcess.Run(
                (rank, console, cancellation) =>
                {
                    RunConfig? config = null;
                    if (parsed.GetValue(recipe) is string named)
                    {
                        config = RecipeReader.Read<RunConfig>(ShippedRecipe.Find(named), parsed.GetRequiredValue(set));
                    }

                    var request = new TeachRequest
                    {
                        Teacher = AtStep(parsed.GetValue(teacher) ?? "", parsed.GetValue(step)),
                        Endpoint = parsed.GetValue(endpoint),
                        EndpointModel = parsed.GetValue(model),
                        EndpointKey = Environment.GetEnvironmentVariable(KeyVariable),
                        IgnoreKeys = parsed.GetValue(ignored) is { Length: > 0 } keys ? keys : null,
                        Recipe = config,
                        DataPath = parsed.GetValue(data),
                        SequenceLength = parsed.GetValue(length),
                        Stage1Only = parsed.GetValue(stage1Only),
                        Out = parsed.GetRequiredValue(output),
                        Mode = parsed.GetValue(mode) switch
                        {
                            null when parsed.GetValue(endpoint) is not null => CacheMode.TopK,
                            null or "sampled" => CacheMode.Sampled,
                            "top_k" => CacheMode.TopK,
                            _ => CacheMode.Scores,
                        },
                        Draws = parsed.GetValue(draws),
                        Sampling = parsed.GetValue(sampling),
                        DrawSeed = parsed.GetValue(seed),
                        Kept = parsed.GetValue(keep),
                        Temperature = parsed.GetValue(temperature),
                        BytesPerPosition = parsed.GetValue(bytes),
                        Device = parsed.GetValue(device) switch
                        {
                            "cuda" => ComputeDevice.Cuda,
                            "cpu" => ComputeDevice.Cpu,
                            _ => config?.Device ?? ComputeDevice.Cpu,
                        },
                        Precision = parsed.GetValue(precision),
                        Threads =
                            parsed.GetValue(threads)
                            ?? config?.Threads
                            ?? rank.Cores?.Threads
                            ?? Environment.ProcessorCount,
                    };
                    EngineSetup.Prepare(rank.Cores, rank.Ranks);
                    TeachManifest manifest;
                    using (var status = new StatusLine(console))
                    {
                        var progress = new ImmediateProgress<TeachProgress>(p =>
                            status.Show(() => Describe(p, request))
                        );
                        manifest = TeachRun.Pass(request, status.Keep, progress, rank.Ranks, cancellation);
                    }

                    Report(console, request.Out, manifest);
                    return ExitCode.Done;
                }
            )
        );
        return command;
    }

    private static string AtStep(string teacher, int? step)
    {
        if (step is not int wanted)
        {
            return teacher;
        }

        if (teacher.Length == 0)
        {
            throw new ConfigurationException(
                $"--step = {wanted} is a checkpoint of a run folder, and goes with --teacher."
            );
        }

        var store = new CheckpointStore(teacher);
        if (store.Steps().Contains(wanted))
        {
            return store.PathOf(wanted);
        }

        throw new ConfigurationException(
            $"{teacher} has no checkpoint of step {wanted}. It has {string.Join(", ", store.Steps())}. "
                + "Name steps to keep with training.keep_steps."
        );
    }

    private static string Describe(TeachProgress progress, TeachRequest request)
    {
        double share = progress.Samples / (double)progress.TotalSamples;
        int length = request.Recipe?.Data.SequenceLength ?? request.SequenceLength ?? 1;
        double left = (progress.TotalSamples - progress.Samples) * (double)length / progress.TokensPerSecond;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Duration.Bar(share)} {progress.Samples} of {progress.TotalSamples} samples, "
                + $"{progress.TokensPerSecond:0} tokens/s, {share * 100:0} %, {Duration.Text(left)} left"
        );
    }

    private static void Report(Output console, string folder, TeachManifest manifest)
    {
        DifficultyBuckets buckets = manifest.Buckets;
        double speed = manifest.Positions / Math.Max(manifest.Teacher.PassSeconds ?? 0, 1e-9);
        console.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{folder}: {manifest.Plan.Coverage.Count} samples, {manifest.Positions / 1e6:0.00}M positions, "
                    + $"{manifest.Bytes / 1e6:0.0} MB, {manifest.BytesPerPosition:0.00} bytes a position, "
                    + $"{manifest.Teacher.PassSeconds:0} s ({speed:0} positions/s)"
            )
        );
        console.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"tokens: easy up to {buckets.TokenBounds[0]:0.000} nats, medium up to {buckets.TokenBounds[1]:0.000}; "
                    + $"samples: {buckets.SequenceBounds[0]:0.000} and {buckets.SequenceBounds[1]:0.000}"
            )
        );
        console.Next(
            $"a student's recipe with teacher.cache: {folder}, or saltern select --scores {folder} --out selection"
        );
    }
}
