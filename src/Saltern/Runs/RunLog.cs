using Saltern.Checkpoints;
using Saltern.Evaluation;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.RunFiles;

namespace Saltern.Runs;

/// <summary>Turns steps into lines of metrics: means over all counted positions since the last line, never means of means.</summary>
internal sealed class RunLog
{
    private readonly Trainer _trainer;
    private double _peak;
    private LossSums _sums = new();
    private StepReport? _last;
    private GuidanceTotals _guidance = new();
    private double _seconds;
    private double _flopsAtLastLine;
    private long _tokensAtLastLine;

    /// <summary>Starts from the trainer's present state.</summary>
    /// <param name="trainer">Source of cumulative metrics.</param>
    /// <param name="peak">Speed of matrix products, FLOP/s.</param>
    public RunLog(Trainer trainer, double peak)
    {
        (_trainer, _peak) = (trainer, peak);
        (_flopsAtLastLine, _tokensAtLastLine) = (trainer.State.Flops, trainer.State.Tokens);
    }

    /// <summary>Whether there were steps since the last line.</summary>
    public bool HasSteps => _seconds > 0;

    /// <summary>ω_j of the last step; the largest where domains have their own.</summary>
    public double LastOmega => _last?.Weights.Global ?? 0;

    /// <summary>Takes a step's metrics; a skipped step's non-finite ones are left out.</summary>
    public void Add(StepReport report)
    {
        _last = report;
        _seconds += report.Seconds;
        if (report.SkippedBecause is null)
        {
            _sums.Add(report.Sums);
            _guidance.Add(report);
        }
    }

    /// <summary>The line of the steps since the last one.</summary>
    public MetricsLine Line()
    {
        TrainState state = _trainer.State;
        List<KeyValuePair<string, double>> values = Progress(state);
        double n = _sums.Positions;
        double taught = _sums.TeacherPositions;
        Add(values, MetricNames.TrainLoss, (_sums.Loss + _guidance.Term) / n);
        Add(values, MetricNames.StudentNll, _sums.StudentNll / n);
        Add(values, MetricNames.TrainAccuracy, _sums.Correct / n);
        if (taught > 0)
        {
            Add(values, MetricNames.TeacherNll, _sums.TeacherNll / taught);
            Add(values, MetricNames.TeacherNllTempered, _sums.TeacherNllTempered / taught);
            Add(values, MetricNames.CrossEntropyToTeacher, _sums.CrossEntropyToTeacher / taught);
            Add(values, MetricNames.KlToTeacher, (_sums.CrossEntropyToTeacher - _sums.TeacherEntropy) / taught);
            Add(values, MetricNames.TeacherEntropy, _sums.TeacherEntropy / taught);
            Add(values, MetricNames.Agreement, _sums.Agreements / taught);
            Add(values, MetricNames.TrainGap, _trainer.Guidance.Gap);
            if (_trainer.Guidance.Transition is AutoTransition auto)
            {
                Add(values, MetricNames.GapShare, auto.GapShare);
                Add(values, MetricNames.GapFactor, auto.Factors.Gap);
                Add(values, MetricNames.RateFactor, auto.Factors.LearningRate);
                Add(values, MetricNames.CeilingFactor, auto.Factors.Ceiling);
            }
        }

        foreach (GuidanceMean mean in _guidance.Means.Where(mean => mean.Count > 0))
        {
            Add(values, mean.Metric, mean.Sum / mean.Count);
        }

        Add(values, MetricNames.TeacherWeight, (_sums.Omega + _guidance.Weight) / n);
        Add(values, MetricNames.GradientNorm, _last!.GradientNorm);
        Add(values, MetricNames.LearningRate, _last.LearningRate);
        Add(values, MetricNames.TokensPerSecond, (state.Tokens - _tokensAtLastLine) / _seconds);
        double speed = (state.Flops - _flopsAtLastLine) / _seconds;

        // A machine that was busy when it was measured is faster later: then that is the peak.
        _peak = double.IsFinite(speed) ? Math.Max(_peak, speed) : _peak;
        Add(values, MetricNames.Mfu, speed / _peak);
        Add(values, MetricNames.ResidentMib, Environment.WorkingSet / 1048576.0);
        (_sums, _guidance, _seconds, _flopsAtLastLine, _tokensAtLastLine) = (
            new LossSums(),
            new GuidanceTotals(),
            0,
            state.Flops,
            state.Tokens
        );
        return new MetricsLine(state.Step, values);
    }

    /// <summary>The line of an evaluation on the curve set.</summary>
    /// <param name="domains">Names of the domains.</param>
    /// <param name="gap">The smoothed gap's statistic on validation text; null without a teacher.</param>
    /// <param name="average">Loss of the weights' average; null where there is none.</param>
    /// <param name="buckets">Losses by difficulty; empty where they are not asked for.</param>
    public MetricsLine ValidationLine(
        EvaluationResult scores,
        IReadOnlyList<string> domains,
        double? gap,
        double? average,
        IReadOnlyList<BucketScores> buckets
    )
    {
        List<KeyValuePair<string, double>> values = Progress(_trainer.State);
        Add(values, MetricNames.ValidLoss, scores.Total.Loss);
        Add(values, MetricNames.ValidBitsPerByte, scores.Total.BitsPerByte);
        Add(values, MetricNames.ValidAccuracy, scores.Total.Accuracy);
        Add(values, MetricNames.ValidConfidence, scores.Total.Calibration.Confidence);
        Add(values, MetricNames.ValidCalibrationError, scores.Total.Calibration.Error);
        if (gap is double value)
        {
            Add(values, MetricNames.ValidGap, value);
        }

        if (average is double loss)
        {
            Add(values, MetricNames.ValidAverageLoss, loss);
        }

        for (int i = 0; i < domains.Count; i++)
        {
            if (scores.Domains[i] is EvaluationPart part)
            {
                Add(values, MetricNames.DomainLoss(domains[i]), part.Loss);
            }
        }

        foreach (BucketScores bucket in buckets.Where(bucket => bucket.Unit == BucketScores.TokenUnit))
        {
            Add(values, MetricNames.BucketLoss(bucket.Bucket), bucket.Loss ?? double.NaN);
        }

        return new MetricsLine(_trainer.State.Step, values);
    }

    /// <summary>The line of tasks run along the run: every metric of every task.</summary>
    public MetricsLine TaskLine(IReadOnlyList<TaskResult> tasks)
    {
        List<KeyValuePair<string, double>> values = Progress(_trainer.State);
        foreach (TaskResult task in tasks)
        {
            foreach (MetricScore score in task.Scores)
            {
                Add(values, MetricNames.Task(task.Definition.Task, TaskMetrics.NameOf(score.Metric)), score.Value);
            }
        }

        return new MetricsLine(_trainer.State.Step, values);
    }

    private static List<KeyValuePair<string, double>> Progress(TrainState state) =>
        [
            new(MetricNames.Samples, state.Samples),
            new(MetricNames.Tokens, state.Tokens),
            new(MetricNames.Seconds, state.Seconds),
            new(MetricNames.Flops, state.Flops),
            new(MetricNames.TeacherFlops, state.TeacherFlops),
        ];

    private static void Add(List<KeyValuePair<string, double>> values, string name, double value) =>
        values.Add(new(name, value));

    // A guidance's own term over some steps. A step's λ and term count once for each of its counted positions, as ω and the loss do.
    private sealed class GuidanceTotals
    {
        private readonly List<GuidanceMean> _means = [];

        public IReadOnlyList<GuidanceMean> Means => _means;

        public double Weight { get; private set; }

        public double Term { get; private set; }

        public void Add(StepReport report)
        {
            if (report.Guidance is not GuidanceReport guidance)
            {
                return;
            }

            Weight += guidance.Weight * report.Sums.Positions;
            Term += guidance.Term * report.Sums.Positions;
            foreach (GuidanceMean mean in guidance.Means)
            {
                Add(mean);
            }
        }

        private void Add(GuidanceMean mean)
        {
            int known = _means.FindIndex(other => other.Metric == mean.Metric);
            if (known < 0)
            {
                _means.Add(mean);
                return;
            }

            GuidanceMean before = _means[known];
            _means[known] = new(mean.Metric, before.Sum + mean.Sum, before.Count + mean.Count);
        }
    }
}
