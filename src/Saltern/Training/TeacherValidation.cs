using Saltern.Data;
using Saltern.Evaluation;
using Saltern.Losses;
using Saltern.Teachers;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Training;

/// <summary>The teacher's losses on the curve set, computed once: the gap's statistic on text that neither model was trained on.</summary>
public sealed class TeacherValidation
{
    /// <summary>A teacher that is this much further ahead on training than on validation text, nats, looks too good.</summary>
    public const double SuspiciousDifference = 0.05;

    // Before this share of the run the smoothed gap lags too far behind a student that still learns fast.
    private const double FirstShare = 0.1;

    private readonly float[] _nll;
    private readonly float[] _tempered;
    private readonly long[] _labels;
    private bool _suspiciousBefore;
    private bool _told;

    private TeacherValidation(float[] nll, float[] tempered, long[] labels) => (_nll, _tempered, _labels) = (nll, tempered, labels);

    /// <summary>The teacher's mean loss over the set at τ = 1, nats per token.</summary>
    public double MeanNll => _nll.Where((_, i) => _labels[i] >= 0).Average(nll => (double)nll);

    /// <summary>Runs the teacher over the set.</summary>
    public static TeacherValidation Run(LiveTeacher teacher, ComputePlan compute, ValidationSet set, int vocabulary, int threads)
    {
        int length = set.SequenceLength, windows = set.WindowDomains.Count, perBatch = Math.Max(1, 4_096 / length);
        float[] nll = new float[set.Labels.Length], tempered = new float[set.Labels.Length];
        using LossHead head = compute.CreateHead(vocabulary, teacher.Config.VocabSize, threads);
        var losses = new PositionLosses(perBatch * length);
        for (int first = 0; first < windows; first += perBatch)
        {
            using DisposeScope scope = NewDisposeScope();
            int count = Math.Min(perBatch, windows - first) * length, at = first * length;
            LiveSoftLabels labels = teacher.Run(tensor(set.Inputs.AsSpan(at, count).ToArray(), count / length, length).to(compute.Device));

            // The teacher in both roles: as a student it gives the plain loss, as a teacher the tempered one.
            head.Evaluate(new LossRequest { HiddenStates = labels.HiddenStates, Head = labels.Head, Labels = set.Labels[at..(at + count)], Teacher = labels, Weights = new float[count] }, losses);
            losses.TeacherNll.AsSpan(0, count).CopyTo(nll.AsSpan(at));
            losses.TeacherNllTempered.AsSpan(0, count).CopyTo(tempered.AsSpan(at));
        }

        return new TeacherValidation(nll, tempered, set.Labels);
    }

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
                sum += student.PositionNll[i] - LossSums.Reference(_nll[i], _tempered[i], weight);
                count++;
            }
        }

        return sum / count;
    }
}
