namespace Saltern.RunFiles;

/// <summary>Everything that a verdict and a report need to know about one run, read from its folder or made in memory.</summary>
public sealed record RunRecord
{
    /// <summary>What the run is and how it ended. For an unfinished run, what its recipe and metrics tell.</summary>
    public required RunResult Result { get; init; }

    /// <summary>Whether the run wrote its result. An unfinished one is judged by its last evaluation, with a warning.</summary>
    public bool Finished { get; init; } = true;

    /// <summary>The logged values.</summary>
    public required MetricsTable Metrics { get; init; }

    /// <summary>Scores by document of the whole validation set, for the paired standard error; may be empty.</summary>
    internal IReadOnlyList<DocumentScore> Documents { get; init; } = [];

    /// <summary>The resolved recipe as YAML; null where there is none.</summary>
    public string? RecipeText { get; init; }

    /// <summary>Whether a small model helped: by soft labels, by alignment, or by the data it selected.</summary>
    public bool HadTeacher =>
        Result.Teacher is not null || Metrics.Series(MetricNames.TeacherWeight).Any(point => point.Value > 0);

    /// <summary>Whether the run's model grew out of a smaller one, in the run or before it.</summary>
    internal bool Grew =>
        Result.Stages.Count > 0
        || Result.Origin.Any(each =>
            !each.AsTeacher && each.Operation.StartsWith(RunAncestor.Grown, StringComparison.Ordinal)
        );

    /// <summary>The runs that others are held against where nobody names them: those that no small model helped, and that start from fresh weights where any does.</summary>
    internal static IReadOnlyList<RunRecord> Baselines(IReadOnlyList<RunRecord> runs)
    {
        RunRecord[] plain = [.. runs.Where(run => !run.HadTeacher && !run.Grew)];
        RunRecord[] fresh = [.. plain.Where(run => run.Result.Origin.Count == 0)];
        return fresh.Length > 0 ? fresh : plain;
    }

    /// <summary>Final loss, nats per token: of the whole validation set, or else of the last evaluation.</summary>
    /// <exception cref="DataFormatException">The run was never evaluated.</exception>
    public double FinalLoss => Result.Final?.Loss ?? Curve(VerdictMetric.Loss)[^1].Value;

    /// <summary>Final next-token accuracy in [0, 1], as <see cref="FinalLoss"/>; null where it was not measured.</summary>
    public double? FinalAccuracy
    {
        get
        {
            if (Result.Final is { } final)
            {
                return final.Accuracy;
            }

            if (Metrics.Series(MetricNames.ValidAccuracy) is [.., var last])
            {
                return last.Value;
            }

            return null;
        }
    }

    /// <summary>The same run, with a cost for small models of which nothing records one: six FLOPs a parameter and token. Their seconds stay unknown.</summary>
    /// <param name="tokens">Tokens that each of them was trained on.</param>
    internal RunRecord WithTeacherTokens(long tokens) =>
        this with
        {
            Result = Result with
            {
                Origin = [.. Result.Origin.Select(each => each.WithTokens(tokens))],
                Teacher = Result.Teacher?.WithTokens(tokens),
            },
        };

    /// <summary>Reads a run folder: <c>metrics.jsonl</c>, and <c>result.json</c>, <c>recipe.yaml</c>, <c>eval/documents.jsonl</c> where they exist.</summary>
    /// <param name="runFolder">Path of the folder.</param>
    /// <exception cref="DataFormatException">No run folder, or a damaged file; the message names file and line.</exception>
    public static RunRecord Load(string runFolder) => RunFolderReader.Read(runFolder);

    /// <summary>Final value of a measure: of the whole validation set where that was measured, or else of the last evaluation.</summary>
    /// <exception cref="DataFormatException">The run has no such evaluation.</exception>
    public double FinalOf(VerdictMetric metric)
    {
        if (metric == VerdictMetric.Loss)
        {
            return FinalLoss;
        }

        if (metric == VerdictMetric.Accuracy && FinalAccuracy is { } accuracy)
        {
            return accuracy;
        }

        return Curve(metric)[^1].Value;
    }

    /// <summary>Evaluations along the run on the curve set, in order of steps.</summary>
    /// <param name="metric">Which measure.</param>
    /// <exception cref="DataFormatException">The run has no evaluation.</exception>
    public IReadOnlyList<CurvePoint> Curve(VerdictMetric metric)
    {
        IReadOnlyList<CurvePoint> curve = Metrics.Curve(metric.Series);
        if (curve.Count > 0)
        {
            return curve;
        }

        throw new DataFormatException(
            $"Run '{Result.Name}' has no finite {metric.Series} in its metrics.jsonl. "
                + "Train with training.evaluate_every set, for a task with evaluation.tasks, or leave it out."
        );
    }
}

/// <summary>The final model's score on one validation document.</summary>
/// <param name="Document">Its index in the domain.</param>
/// <param name="Tokens">Targets scored in it.</param>
/// <param name="Nll">Sum of −ln p over them, nats.</param>
internal sealed record DocumentScore(string Domain, long Document, long Tokens, double Nll);
