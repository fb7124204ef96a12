using Saltern.Batches;
using Saltern.Evaluation;
using Saltern.Guidance;
using Saltern.Losses;

namespace Saltern.Runs;

/// <summary>The teacher's losses on the curve set, computed once: the gap's statistic on text that neither model was trained on.</summary>
internal sealed class TeacherValidation
{
    /// <summary>A teacher that is this much further ahead on training than on validation text, nats, looks too good.</summary>
    public const double SuspiciousDifference = 0.05;

    // Before this share of the run the smoothed gap lags too far behind a student that still learns fast.
    private const double FirstShare = 0.1;

    private readonly TeacherLosses _losses;
    private readonly long[] _labels;
    private bool _suspiciousBefore;
    private bool _told;

    /// <summary>Takes the teacher's losses on a set.</summary>
    public TeacherValidation(TeacherLosses losses, ValidationSet set) => (_losses, _labels) = (losses, set.Labels);

    /// <summary>The teacher's mean loss over the set at τ = 1, nats per token.</summary>
    public double MeanNll => _losses.Nll.Where((_, i) => _labels[i] >= 0).Average(nll => (double)nll);

    /// <summary>Whether the teacher has looked too good in two evaluations in a row; true once at most.</summary>
    /// <param name="trainingGap">Smoothed gap on training text, nats.</param>
    /// <param name="validationGap">Gap on validation text, nats.</param>
    /// <param name="shareOfRun">How far the run is.</param>
    public bool BeginsToLookTooGood(double trainingGap, double validationGap, double shareOfRun)
    {
        bool suspicious = shareOfRun >= FirstShare && validationGap < trainingGap - SuspiciousDifference;
        bool tell = suspicious && _suspiciousBefore && !_told;
        _suspiciousBefore = suspicious;
        _told |= tell;
        return tell;
    }

    /// <summary>Mean of student NLL − reference over the set, nats.</summary>
    /// <param name="student">The student's evaluation on the same set.</param>
    /// <param name="weight">ω that the reference stands for.</param>
    public double Gap(EvaluationResult student, double weight)
    {
        double sum = 0;
        long count = 0;
        for (int i = 0; i < _labels.Length; i++)
        {
            if (_labels[i] >= 0)
            {
                sum += student.PositionNll[i] - LossSums.Reference(_losses.Nll[i], _losses.NllTempered[i], weight);
                count++;
            }
        }

        return sum / count;
    }
}
