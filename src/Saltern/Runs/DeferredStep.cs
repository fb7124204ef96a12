// A step that the processor can launch without waiting for the device: nothing is read but the figures of the step before. Tried on the processor only, and used by no run (docs/cuda.md).
// B = sequences, T = tokens of a sequence, N = B·T.
using Saltern.Devices;
using Saltern.Guidance;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Runs;

/// <summary>What a deferred step did, known one step later.</summary>
/// <param name="GradientNorm">‖g‖₂ before clipping.</param>
/// <param name="Applied">Whether the update was made: it is not where the loss or the norm is no number.</param>
internal sealed record DeferredFigures(LossSums Sums, double GradientNorm, bool Applied);

/// <summary>One optimizer step after another over buffers that are made once: forward, loss, backward and update in libtorch's operations, in one process and one micro-batch.</summary>
internal sealed class DeferredStep : IDisposable
{
    private const int FigureCount = DeferredLoss.SumCount + 2;
    private readonly Transformer _student;
    private readonly LiveTeacher? _teacher;
    private readonly DeferredLoss _loss;
    private readonly DeferredAdamW _optimizer;
    private readonly Tensor _inputs;
    private readonly Tensor _labels;
    private readonly Tensor _omega;
    private readonly Tensor _sums;
    private readonly Tensor _hiddenGradient;
    private readonly ArrivingNumbers[] _figures;
    private long _steps;

    /// <summary>Makes the buffers.</summary>
    /// <param name="student">Trainable, float32 weights, a head without biases and cap; owned by the caller.</param>
    /// <param name="teacher">Owned by the caller; null for plain training.</param>
    /// <param name="vocabulary">Real token ids.</param>
    /// <param name="chunkRows">Rows whose logits are held at once.</param>
    /// <exception cref="ConfigurationException">The optimizer or the model asks for what such a step does not do.</exception>
    public DeferredStep(
        Transformer student,
        LiveTeacher? teacher,
        OptimizerConfig optimizer,
        int vocabulary,
        int sequences,
        int length,
        int chunkRows
    )
    {
        if (student.HeadForm is not null || student.UsesKernels)
        {
            throw new ConfigurationException(
                "A step that reads nothing is for passes in libtorch's operations and a head without biases and cap."
            );
        }

        (_student, _teacher) = (student, teacher);
        _loss = new DeferredLoss(vocabulary, chunkRows, student.ProductType);
        _optimizer = new DeferredAdamW(student.Parameters, optimizer);
        using DisposeScope scope = NewDisposeScope();
        Device device = student.Parameters.Device;
        _inputs = zeros([sequences, length], ScalarType.Int64, device).DetachFromDisposeScope();
        _labels = zeros([sequences * length], ScalarType.Int64, device).DetachFromDisposeScope();
        _omega = zeros([], ScalarType.Float32, device).DetachFromDisposeScope();
        _sums = zeros(DeferredLoss.SumCount, ScalarType.Float64, device).DetachFromDisposeScope();
        _hiddenGradient = zeros(sequences * length, student.Config.HiddenSize, ScalarType.Float32, device)
            .DetachFromDisposeScope();

        // Two, in turns: a step writes one while the other is read.
        _figures = [.. Enumerable.Range(0, 2).Select(_ => new ArrivingNumbers(FigureCount, device))];
    }

    /// <summary>Launches a step.</summary>
    /// <param name="inputs">[B, T], int64, on the processor.</param>
    /// <param name="labels">[N], int64, on the processor; negative where a position does not count.</param>
    /// <param name="counted">Positions that count, above 0.</param>
    /// <param name="omega">ω of every position.</param>
    /// <returns>What the step before did; null for the first.</returns>
    public DeferredFigures? Launch(Tensor inputs, Tensor labels, long counted, double omega, UpdateStep update)
    {
        using DisposeScope scope = NewDisposeScope();
        FusedOperators.CopyWithoutWaiting(_inputs, inputs);
        FusedOperators.CopyWithoutWaiting(_labels, labels);
        _omega.fill_(omega);
        _sums.zero_();
        _student.Parameters.ZeroGradients();
        LiveSoftLabels? taught = _teacher?.Run(_inputs);
        using (TrainingPass pass = _student.Train(_inputs))
        {
            using Tensor headGradient = _student.HeadGradient();
            _loss.Train(
                pass.Hidden,
                _student.Head,
                _labels,
                _omega,
                taught,
                counted,
                _sums,
                _hiddenGradient,
                headGradient
            );
            pass.Backward(_hiddenGradient);
        }

        taught?.HiddenStates.Dispose();
        Tensor made = _optimizer.Update(update, _sums[2]);
        _figures[_steps % 2].Send(cat([_sums, made]));
        _steps++;
        return _steps == 1 ? null : Read(_steps - 2);
    }

    /// <summary>What the last step did, waited for.</summary>
    /// <exception cref="InvalidOperationException">There was none.</exception>
    public DeferredFigures Last()
    {
        if (_steps == 0)
        {
            throw new InvalidOperationException("No step was launched.");
        }

        return Read(_steps - 1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _optimizer.Dispose();
        Array.ForEach(_figures, figures => figures.Dispose());
        foreach (Tensor tensor in new[] { _inputs, _labels, _omega, _sums, _hiddenGradient })
        {
            tensor.Dispose();
        }
    }

    private DeferredFigures Read(long step)
    {
        double[] values = _figures[step % 2].Read();
        return new DeferredFigures(
            LossSums.FromValues(values.AsSpan(0, DeferredLoss.SumCount)),
            values[^2],
            values[^1] != 0
        );
    }
}
