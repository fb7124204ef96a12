using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Saltern.Files;

namespace Saltern.RunFiles;

/// <summary>What a finished run wrote about itself: <c>result.json</c>, schema <c>saltern.result/1</c>.</summary>
public sealed record RunResult
{
    /// <summary>The schema that this version reads and writes.</summary>
    internal const string CurrentSchema = "saltern.result/1";

    /// <summary>Name and version of the layout.</summary>
    public string Schema { get; init; } = CurrentSchema;

    /// <summary>Name of the run, as in its recipe.</summary>
    public required string Name { get; init; }

    /// <summary>What the run tries: <c>baseline</c>, <c>rkd</c>, <c>salt</c>, … Runs of one arm differ in their seed only.</summary>
    public required string Arm { get; init; }

    /// <summary>Seed of initial weights and data order; runs with the same seed are paired.</summary>
    public required int Seed { get; init; }

    /// <summary>Steps done.</summary>
    public required int Steps { get; init; }

    /// <summary>Steps that the recipe asked for and the schedules were made for.</summary>
    public int PlannedSteps { get; init; }

    /// <summary>Whether the run ended before its planned steps.</summary>
    public bool Truncated { get; init; }

    /// <summary>Training sequences seen.</summary>
    public long Samples { get; init; }

    /// <summary>Training tokens seen.</summary>
    public long Tokens { get; init; }

    /// <summary>Sum of step times, seconds (docs/method.md).</summary>
    public double Seconds { get; init; }

    /// <summary>What is not in <see cref="Seconds"/>.</summary>
    public SecondsApart? SecondsApart { get; init; }

    /// <summary>Arithmetic of all steps, FLOPs, a live teacher's and the optimizer's own included.</summary>
    public double Flops { get; init; }

    /// <summary>The live teacher's part of <see cref="Flops"/>.</summary>
    public double TeacherFlops { get; init; }

    /// <summary>The optimizer's own products, part of <see cref="Flops"/>: Muon's; null of a run made before they were counted.</summary>
    [JsonInclude]
    internal double? OptimizerFlops { get; init; }

    /// <summary>Identity of the run: of its recipe, data and first weights; null where that was not recorded.</summary>
    [JsonInclude]
    internal string? Run { get; init; }

    /// <summary>History of the weights before step 1, oldest first, with what it cost; empty of fresh ones.</summary>
    [JsonInclude]
    internal IReadOnlyList<RunAncestor> Origin { get; init; } = [];

    /// <summary>Parts of the run with a smaller model that it grew out of, in order; empty where the model did not grow.</summary>
    [JsonInclude]
    internal IReadOnlyList<RunStage> Stages { get; init; } = [];

    /// <summary>Last step with a teacher; null where there was none.</summary>
    public int? Stage1EndStep { get; init; }

    /// <summary>Why stage 1 ended: the schedule, or the rule of the <c>auto</c> transition.</summary>
    public string? Stage1EndReason { get; init; }

    /// <summary>Number of the student's parameters.</summary>
    public long StudentParameters { get; init; }

    /// <summary>Identity of the data set; runs on different data are not compared.</summary>
    public string? DataFingerprint { get; init; }

    /// <summary>Identity of the order in which samples were drawn.</summary>
    public string? OrderFingerprint { get; init; }

    /// <summary>Identity of the weights before step 1.</summary>
    public string? InitialWeightsFingerprint { get; init; }

    /// <summary>Identity of the list of selected samples; null where all were drawn.</summary>
    public string? SelectionFingerprint { get; init; }

    /// <summary>Whether the clock of this run means anything beside another's (docs/method.md).</summary>
    public bool SecondsComparable { get; init; }

    /// <summary>Names of the runs that advanced in turns with this one in the same process.</summary>
    public IReadOnlyList<string> InterleavedWith { get; init; } = [];

    /// <summary>The teacher; null for plain training.</summary>
    public RunTeacher? Teacher { get; init; }

    /// <summary>Step with the lowest validation loss along the run, where its checkpoint was kept for that; else null.</summary>
    public int? BestStep { get; init; }

    /// <summary>That loss on the curve set, nats per token.</summary>
    public double? BestLoss { get; init; }

    /// <summary>What fine-tuning started from, was given and changed; null for other runs.</summary>
    [JsonInclude]
    internal FineTuningOutcome? FineTuning { get; init; }

    /// <summary>Scores on the whole validation set after the last step; null if it was not evaluated.</summary>
    public FinalScores? Final { get; init; }

    /// <summary>The same of the average of the weights over the last steps; null where there is none.</summary>
    public FinalScores? FinalEma { get; init; }

    /// <summary>Tasks after the last step; empty where none were asked for.</summary>
    public IReadOnlyList<TaskScore> Tasks { get; init; } = [];

    /// <summary>Where it ran.</summary>
    public RunMachine Machine { get; init; } = new();

    /// <summary>Versions of the software that ran it, by name: <c>saltern</c>, <c>torchsharp</c>, <c>libtorch</c>, <c>dotnet</c>.</summary>
    public IReadOnlyDictionary<string, string> Versions { get; init; } = new Dictionary<string, string>();

    /// <summary>SHA-256 of the run's other files that a verdict reads, by their names, lower-case hexadecimal; null where that was not recorded.</summary>
    public IReadOnlyDictionary<string, string>? Files { get; init; }

    /// <summary>Text that the final model wrote.</summary>
    public IReadOnlyList<TextSample> TextSamples { get; init; } = [];

    /// <summary>Reads a <c>result.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataFormatException">As <see cref="Parse"/>, or the file does not agree with its own checksum.</exception>
    public static RunResult Read(string path) => Read(Disk.Current.ReadAllBytes(path), path);

    // Of the bytes: as text, a damaged one would have become another character.
    internal static RunResult Read(byte[] file, string sourceName)
    {
        SelfChecksum.Require(file, sourceName, "Run the training again or leave this run out.");
        return Parse(Encoding.UTF8.GetString(file), sourceName);
    }

    /// <summary>Reads the text of a <c>result.json</c>.</summary>
    /// <param name="sourceName">Path to name in errors.</param>
    /// <exception cref="DataFormatException">Not JSON, another schema, a missing or mistyped member, or a negative count.</exception>
    internal static RunResult Parse(string json, string sourceName)
    {
        RunResult? result;
        try
        {
            result = JsonSerializer.Deserialize<RunResult>(json, ReportJson.Options);
        }
        catch (JsonException problem)
        {
            throw new DataFormatException(
                $"{sourceName}: not a run's result: {problem.Message} "
                    + $"Expected schema {CurrentSchema}; run the training again or leave this run out.",
                problem
            );
        }

        if (result is null || result.Schema != CurrentSchema)
        {
            throw new DataFormatException(
                $"{sourceName}: schema '{result?.Schema}' found, {CurrentSchema} expected. "
                    + "Read it with the version of Saltern that wrote it."
            );
        }

        if (result.Steps < 0 || !(result.Seconds >= 0) || !(result.Flops >= 0))
        {
            throw new DataFormatException(
                $"{sourceName}: steps = {result.Steps}, seconds = {result.Seconds}, flops = {result.Flops}: "
                    + "none may be negative. The file is damaged; leave this run out."
            );
        }

        if (HasNull(result.Origin) || HasNull(result.Stages) || HasNull(result.Teacher?.History ?? []))
        {
            throw new DataFormatException(
                $"{sourceName}: origin, stages or teacher.history holds a null. The file is damaged; leave this run out."
            );
        }

        return result;
    }

    // The reader refuses a null list, but not a null in it.
    private static bool HasNull<T>(IReadOnlyList<T> list)
        where T : class => list.Any(each => each is null);

    /// <summary>The text of a <c>result.json</c>, indented, with its checksum.</summary>
    internal string ToJson() => SelfChecksum.Add(JsonSerializer.Serialize(this, ReportJson.Options));
}

/// <summary>Time of a run that is not step time, seconds.</summary>
/// <param name="Evaluation">Evaluation along the run.</param>
/// <param name="Checkpoints">Writing checkpoints.</param>
/// <param name="Logging">Writing metrics.</param>
/// <param name="Teacher">Loading and releasing the teacher.</param>
public sealed record SecondsApart(double Evaluation, double Checkpoints, double Logging, double Teacher);

/// <summary>The small model that taught a run.</summary>
public sealed record RunTeacher
{
    /// <summary>Name of the teacher's run.</summary>
    public required string Name { get; init; }

    /// <summary>Number of its parameters.</summary>
    public long Parameters { get; init; }

    /// <summary>Fingerprint of its weights; null where that was not recorded.</summary>
    public string? Weights { get; init; }

    /// <summary>τ that divided its logits.</summary>
    public double Temperature { get; init; } = 1.0;

    /// <summary>History of its weights, oldest first, its own training last; empty where that was not recorded.</summary>
    [JsonInclude]
    internal IReadOnlyList<RunAncestor> History { get; init; } = [];

    /// <summary>What its own training cost, all its history included, FLOPs; null where nobody knows.</summary>
    public double? TrainingFlops { get; init; }

    /// <summary>What its own training cost, all its history included, seconds; null where nobody knows.</summary>
    public double? TrainingSeconds { get; init; }

    /// <summary>FLOPs of teacher passes made before the run, for a cache or for scores; null where there was none.</summary>
    public double? PassFlops { get; init; }

    /// <summary>Seconds of teacher passes made before the run, for a cache or for scores; null where there was none.</summary>
    public double? PassSeconds { get; init; }

    /// <summary>Its loss on the whole validation set after its own training, nats per token.</summary>
    public double? FinalLoss { get; init; }

    /// <summary>Its loss on the curve set, the tokens that the student is evaluated on along the run, nats per token.</summary>
    public double? CurveLoss { get; init; }

    /// <summary>The same teacher, with a cost where nothing recorded one.</summary>
    /// <param name="tokens">Tokens that it was trained on; null where nobody knows.</param>
    internal RunTeacher WithTokens(long? tokens)
    {
        // Of a served model nobody knows the size either: a cost of 0 would be wrong.
        if (TrainingFlops is not null || tokens is null || (Parameters == 0 && History.Count == 0))
        {
            return this;
        }

        RunAncestor[] history = [.. History.Select(each => each.WithTokens(tokens))];
        return this with
        {
            History = history,
            TrainingFlops =
                history.Length > 0 ? AncestorCost.Of(history).Flops : RunAncestor.ForeignFlops(Parameters, tokens),
        };
    }
}

/// <summary>Scores on one set of validation text.</summary>
public record DomainScores
{
    /// <summary>Nats per token.</summary>
    public required double Loss { get; init; }

    /// <summary>Bits per byte of text (docs/method.md).</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>Share of next tokens that were the most likely one, in [0, 1].</summary>
    public double? Accuracy { get; init; }

    /// <summary>Tokens scored.</summary>
    public long Tokens { get; init; }
}

/// <summary>Scores on the whole validation set, and on each of its domains.</summary>
public sealed record FinalScores : DomainScores
{
    /// <summary>Mean probability of the most likely token, in (0, 1]; null where it was not measured.</summary>
    public double? Confidence { get; init; }

    /// <summary>Expected calibration error, in [0, 1] (arXiv:1706.04599); null where it was not measured.</summary>
    public double? CalibrationError { get; init; }

    /// <summary>By difficulty: the teacher's loss sorts tokens and windows; empty where that was not asked for.</summary>
    public IReadOnlyList<BucketLoss> Buckets { get; init; } = [];

    /// <summary>The same by domain.</summary>
    public IReadOnlyDictionary<string, DomainScores> Domains { get; init; } = new Dictionary<string, DomainScores>();
}

/// <summary>Loss on the easy, medium or hard part of validation text.</summary>
/// <param name="Unit"><c>tokens</c> or <c>windows</c>: what was sorted.</param>
/// <param name="Bucket"><c>easy</c>, <c>medium</c> or <c>hard</c>, by the teacher's loss.</param>
/// <param name="Tokens">Targets in it.</param>
/// <param name="Loss">Nats per token; null of none.</param>
public sealed record BucketLoss(string Unit, string Bucket, long Tokens, double? Loss);

/// <summary>A task's score after the last step.</summary>
/// <param name="Task">Name of the task.</param>
/// <param name="Metric">Name of the metric, lm-evaluation-harness's.</param>
/// <param name="Value">The score.</param>
/// <param name="StandardError">Over items; null of a single one.</param>
/// <param name="Chance">What guessing gives; null where guessing has no value.</param>
/// <param name="Items">Items scored.</param>
public sealed record TaskScore(
    string Task,
    string Metric,
    double Value,
    double? StandardError,
    double? Chance,
    int Items
);

/// <summary>The machine of a run.</summary>
public sealed record RunMachine
{
    /// <summary>Processor or accelerator.</summary>
    public string? Processor { get; init; }

    /// <summary>Cores it has.</summary>
    public int? Cores { get; init; }

    /// <summary>Threads the run used.</summary>
    public int? Threads { get; init; }

    /// <summary>Library of the large matrix products; null where that was not recorded.</summary>
    public string? Products { get; init; }

    /// <summary>Type of the products, <c>fp32</c>, <c>tf32</c> (fp32 with allow_tf32) or <c>bf16</c>; null where that was not recorded.</summary>
    public string? Precision { get; init; }

    /// <summary>Peak of a matrix product of that type measured at the start, GFLOP/s.</summary>
    public double? MatmulPeakGflops { get; init; }
}

/// <summary>A text that a model wrote.</summary>
/// <param name="Prompt">What it was given.</param>
/// <param name="Text">What it wrote after that.</param>
public sealed record TextSample(string Prompt, string Text);
