using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Losses;
using Saltern.Models;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>What gives soft labels in stage 1: a model in memory (<see cref="LiveTeacher"/>), or what one has left on disk (<see cref="CachedTeacher"/>).</summary>
public abstract class Teacher : IDisposable
{
    /// <summary>Soft labels of some samples; the caller owns tensors in them.</summary>
    /// <param name="batch">The step's samples.</param>
    /// <param name="rows">Which of them.</param>
    /// <param name="inputs">Their tokens, [rows, T], the same ids as the student's.</param>
    /// <param name="ranges">What each position attends to, as for the student; null for causal attention.</param>
    public abstract SoftLabels Label(Batch batch, IReadOnlyList<int> rows, Tensor inputs, AttentionRanges? ranges);

    /// <summary>Floating-point operations of the teacher for a token of a sequence of T tokens during training.</summary>
    public abstract double FlopsPerToken(int sequenceLength);

    /// <summary>Bounds between easy and medium, medium and hard, nats, that the teacher pass found; null where none was made.</summary>
    public virtual IReadOnlyList<double>? BucketBounds => null;

    /// <summary>The teacher's losses on a set; null where there are none of this text, so that a teacher which looks too good on its training text is not noticed.</summary>
    /// <param name="createHead">Makes a loss head for so many rows of a vocabulary.</param>
    /// <param name="ranks">Ranks with the same teacher; all get all losses.</param>
    internal virtual TeacherLosses? LossesOn(ValidationSet set, Func<int, LossHead> createHead, ICommunicator ranks) =>
        null;

    /// <summary>Told which samples come next, so that reading need not wait for them.</summary>
    public virtual void ReadAhead(IReadOnlyList<SampleKey> samples) { }

    /// <summary>Gives memory and files back.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives memory and files back.</summary>
    protected abstract void Dispose(bool disposing);
}
