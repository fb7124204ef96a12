namespace Saltern.RunFiles;

/// <summary>Names of the metrics in <c>metrics.jsonl</c> and in TensorBoard's events; docs/run-format.md has their units and meanings.</summary>
internal static class MetricNames
{
    public const string Step = "step";
    public const string Samples = "samples";
    public const string Tokens = "tokens";
    public const string Seconds = "seconds";
    public const string Flops = "cost/flops";
    public const string TeacherFlops = "cost/teacher_flops";

    public const string TrainLoss = "train/loss";
    public const string StudentNll = "train/student_nll";
    public const string TrainAccuracy = "train/accuracy";
    public const string TeacherNll = "train/teacher_nll";
    public const string TeacherNllTempered = "train/teacher_nll_tempered";
    public const string CrossEntropyToTeacher = "train/ce_teacher_student";
    public const string KlToTeacher = "train/kl_teacher_student";
    public const string TeacherEntropy = "train/teacher_entropy";
    public const string Agreement = "train/agreement";
    public const string TrainGap = "train/gap";
    public const string GapShare = "train/gap_share";
    public const string GapFactor = "train/gap_factor";
    public const string RateFactor = "train/rate_factor";
    public const string CeilingFactor = "train/ceiling_factor";
    public const string AlignmentDistance = "train/alignment_distance";
    public const string Aligned = "train/aligned";

    /// <summary>ω of soft labels, λ of an alignment.</summary>
    public const string TeacherWeight = "train/weight";

    public const string GradientNorm = "train/gradient_norm";
    public const string LearningRate = "train/learning_rate";

    public const string TokensPerSecond = "perf/tokens_per_second";
    public const string Mfu = "perf/mfu";
    public const string ResidentMib = "perf/resident_mib";

    public const string ValidLoss = "valid/loss";
    public const string ValidBitsPerByte = "valid/bits_per_byte";
    public const string ValidAccuracy = "valid/accuracy";
    public const string ValidConfidence = "valid/confidence";
    public const string ValidCalibrationError = "valid/calibration_error";
    public const string ValidGap = "valid/gap";

    /// <summary>Loss of the average over the last steps (<c>averaging</c>).</summary>
    public const string ValidAverageLoss = "valid/ema_loss";

    public const string Stage1End = "event/stage1_end";

    /// <summary>Step that the model grew after.</summary>
    public const string GrownAfter = "event/grown_after";

    /// <summary>Parameters of the grown model.</summary>
    public const string GrownParameters = "event/grown_parameters";
    public const string Skipped = "event/skipped";

    private const string ValidPrefix = "valid/";
    private const string TaskPrefix = "valid/task/";
    private const string BucketPart = "bucket";
    private const string LossPart = "loss";

    /// <summary>Validation loss of one domain, <c>valid/wiki/loss</c>.</summary>
    public static string DomainLoss(string domain) => $"{ValidPrefix}{domain}/{LossPart}";

    /// <summary>The difficulty buckets, by the teacher's loss.</summary>
    public static IReadOnlyList<string> Buckets { get; } = ["easy", "medium", "hard"];

    /// <summary>Validation loss of one difficulty bucket, <c>valid/bucket/easy/loss</c>.</summary>
    public static string BucketLoss(string bucket) => $"{ValidPrefix}{BucketPart}/{bucket}/{LossPart}";

    /// <summary>A task's metric along the run, <c>valid/task/lastword/acc</c>.</summary>
    public static string Task(string task, string metric) => $"{TaskPrefix}{task}/{metric}";

    /// <summary>The domain of a name that <see cref="DomainLoss"/> made; null for any other name.</summary>
    public static string? DomainOf(string name)
    {
        if (name.Split('/') is ["valid", not BucketPart and var domain, LossPart])
        {
            return domain;
        }

        return null;
    }

    /// <summary>A validation metric as people read it: <c>calibration error</c>, of a task <c>lastword acc</c>.</summary>
    public static string Words(string validName)
    {
        if (validName.StartsWith(TaskPrefix, StringComparison.Ordinal))
        {
            return validName[TaskPrefix.Length..].Replace('/', ' ');
        }

        return validName[ValidPrefix.Length..].Replace('_', ' ');
    }
}
