using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Batches;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Distributed;
using Saltern.Evaluation;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Shards;

namespace Saltern.Cli.Commands;

/// <summary>Which windows of a data set are measured.</summary>
/// <param name="Split"><c>valid</c>, <c>train</c>, or <c>all</c> for both.</param>
/// <param name="Tokens">About how many tokens of each.</param>
/// <param name="Length">Tokens of a window.</param>
internal sealed record EvaluationWindows(string Split, int Tokens, int Length);

/// <summary>The part of <c>saltern eval</c> that measures a data set: one model, or two on the same windows.</summary>
/// <param name="ranks">The ranks, which share the work out; rank 0 writes.</param>
/// <param name="windows">Which of its windows.</param>
/// <param name="compute">Type of the products.</param>
internal sealed class DatasetTable(
    Output console,
    ICommunicator ranks,
    TokenDataset dataset,
    EvaluationWindows windows,
    ComputePlan compute
)
{
    private const string Places = "0.0000";

    private static readonly JsonSerializerOptions JsonFormat = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
    };

    /// <summary>Keys of the models' configs that need not be understood.</summary>
    public IReadOnlyCollection<string> IgnoredKeys { get; init; } = [];

    /// <summary>Measures, prints the table, writes the file.</summary>
    /// <param name="teacher">A second model, or null.</param>
    /// <param name="buckets">Folder of the teacher pass whose bounds sort the tokens, or null.</param>
    /// <param name="output">Folder for eval.json, or null.</param>
    public void Run(string path, string? teacher, string? buckets, string? output)
    {
        DifficultyBuckets? bounds = Bounds(buckets, teacher);
        Evaluated student = Evaluate(path);
        Evaluated? second = teacher is null ? null : Evaluate(teacher);
        ModelScores scores = student.Scores;
        if (bounds is not null && second is not null)
        {
            scores = scores with { Buckets = ByBucket(student, second, bounds) };
        }

        string result = JsonSerializer.Serialize(
            new
            {
                Schema = "saltern.eval/1",
                Data = dataset.Fingerprint,
                Split = windows.Split,
                Precision = PrecisionChoice.Word(compute.Precision),
                Student = scores,
                Teacher = second?.Scores,
            },
            JsonFormat
        );
        if (output is not null && ranks.Rank == 0)
        {
            DurableFolder.Create(output);
            WholeFile.WriteText(Path.Combine(output, "eval.json"), result);
        }

        if (console.IsJson)
        {
            Output.Json(result);
            return;
        }

        Print(scores);
        if (second is not null)
        {
            Print(second.Scores);
        }
    }

    // Both models see the same windows.
    private Evaluated Evaluate(string name)
    {
        using DatasetEvaluation evaluation = Open(name);
        if (evaluation.Reading.Remark is string remark)
        {
            console.Line(remark);
        }

        var parts = new List<(string Name, ValidationSet Set, EvaluationResult Result)>();
        string[] splits = windows.Split == "all" ? ["valid", "train"] : [windows.Split];
        foreach (string split in splits)
        {
            ValidationSet set = evaluation.Windows(split == "train", windows.Tokens);
            parts.Add((split, set, evaluation.Measure(set, ranks)));
        }

        var scores = new ModelScores(
            name,
            parts.ToDictionary(part => part.Name, part => evaluation.ScoresOf(part.Result)),
            null,
            evaluation.Reading.Ignored.Count > 0 ? evaluation.Reading.Ignored : null
        );
        return new Evaluated(scores, parts);
    }

    private DatasetEvaluation Open(string name)
    {
        using var status = new StatusLine(console);
        return DatasetEvaluation.Open(
            name,
            dataset,
            windows.Length,
            WeightsLine.On(status, "loading"),
            compute.ProductType,
            IgnoredKeys,
            compute.Device
        );
    }

    // The bounds are those of one teacher, on one data set.
    private DifficultyBuckets? Bounds(string? folder, string? teacher)
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
        if (weights != plan.TeacherWeights || plan.Samples.Data != dataset.Fingerprint)
        {
            throw new ConfigurationException(
                $"--buckets = {folder} was made by the weights {plan.TeacherWeights} on the data set "
                    + $"{plan.Samples.Data}, but --teacher = {teacher} has {weights} and the data set is "
                    + $"{dataset.Fingerprint}."
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

    private void Print(ModelScores scores)
    {
        foreach ((string split, FinalScores all) in scores.Splits)
        {
            console.Line($"{scores.Model}, {split}:");
            console.Line("  domain             tokens      loss  perplexity  bits/byte  accuracy");
            foreach ((string name, DomainScores part) in all.Domains.Append(new("all", all)))
            {
                console.Line(
                    $"  {Column.Left(name, 16)} {Column.Right(part.Tokens, 8)}  {Column.Right(part.Loss, 8, Places)}"
                        + $"  {Column.Right(Math.Exp(part.Loss), 10, "0.00")}"
                        + $"  {Column.Right(part.BitsPerByte, 9, Places)}  {Column.Right(part.Accuracy, 8, Places)}"
                );
            }

            foreach (BucketScores part in scores.Buckets?[split] ?? [])
            {
                console.Line(
                    $"  {Column.Left(part.Bucket + " " + part.Unit, 16)} {Column.Right(part.Tokens, 8)}"
                        + $"  {Column.Right(part.Loss, 8, Places)}"
                        + $"  teacher {part.TeacherLoss?.ToString(Places, CultureInfo.InvariantCulture)}"
                );
            }
        }
    }

    private sealed record ModelScores(
        string Model,
        IReadOnlyDictionary<string, FinalScores> Splits,
        Dictionary<string, IReadOnlyList<BucketScores>>? Buckets,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? IgnoredKeys
    );

    private sealed record Evaluated(
        ModelScores Scores,
        IReadOnlyList<(string Split, ValidationSet Set, EvaluationResult Result)> Parts
    );
}
