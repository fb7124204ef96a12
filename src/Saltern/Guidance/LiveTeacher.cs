using Saltern.Batches;
using Saltern.Distributed;
using Saltern.Losses;
using Saltern.Models;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>A teacher in memory: frozen weights in a mapping of their own, run on the student's tokens.</summary>
internal sealed class LiveTeacher : Teacher
{
    private readonly Transformer _model;
    private readonly double _temperature;

    /// <summary>Takes over a model that was loaded without gradients.</summary>
    public LiveTeacher(Transformer model, double temperature) => (_model, _temperature) = (model, temperature);

    /// <summary>Where it computes.</summary>
    public Device Device => _model.Parameters.Device;

    /// <summary>The teacher's shape.</summary>
    public TransformerConfig Config => _model.Config;

    /// <summary>Type of its products.</summary>
    internal ScalarType ProductType => _model.ProductType;

    /// <summary>Bytes of its weights.</summary>
    public long WeightBytes => _model.Parameters.Layout.Length * sizeof(float);

    /// <inheritdoc/>
    public override SoftLabels Label(Batch batch, IReadOnlyList<int> rows, Tensor inputs, AttentionRanges? ranges) =>
        Run(inputs, ranges);

    /// <summary>Soft labels for the given sequences; the caller owns the hidden states.</summary>
    /// <param name="tokens">[B, T], the same ids as the student's.</param>
    /// <param name="ranges">What each position attends to, as for the student; null for causal attention.</param>
    public LiveSoftLabels Run(Tensor tokens, AttentionRanges? ranges = null)
    {
        using IDisposable _ = no_grad();
        return new LiveSoftLabels(_model.HiddenStates(tokens, ranges), _model.Head, _temperature)
        {
            ProductType = _model.ProductType,
            Form = _model.HeadForm,
        };
    }

    /// <inheritdoc/>
    public override double FlopsPerToken(int sequenceLength) => ModelFlops.ForwardPerToken(Config, sequenceLength);

    /// <inheritdoc/>
    internal override TeacherLosses LossesOn(ValidationSet set, Func<int, LossHead> createHead, ICommunicator ranks)
    {
        using LossHead head = createHead(Config.VocabSize);
        return TeacherLosses.Run(this, head, set, ranks);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => _model.Dispose();
}
