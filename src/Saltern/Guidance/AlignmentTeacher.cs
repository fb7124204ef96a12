using Saltern.Batches;
using Saltern.Models;
using Saltern.Tokenization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Guidance;

/// <summary>A teacher in memory that gives hidden states of one layer, on its own tokens of the student's text.</summary>
internal sealed class AlignmentTeacher : IDisposable
{
    private readonly Transformer _model;
    private readonly int _layer;
    private readonly TextAlignment _text;
    private readonly int _endOfText;
    private readonly bool _masksDocuments;

    /// <summary>Takes over a model that was loaded without gradients.</summary>
    /// <param name="layer">Layer whose output is given, from 1 to L.</param>
    /// <param name="masksDocuments">Whether both see one document at a time.</param>
    public AlignmentTeacher(
        Transformer model,
        BpeTokenizer tokenizer,
        int layer,
        BpeTokenizer student,
        bool masksDocuments
    )
    {
        (_model, _layer, _endOfText, _masksDocuments) = (model, layer, tokenizer.EndOfTextId, masksDocuments);
        _text = new TextAlignment(student, tokenizer, model.Config.MaxPositionEmbeddings, masksDocuments);
    }

    /// <summary>The teacher's shape.</summary>
    public TransformerConfig Config => _model.Config;

    /// <summary>A step's samples in the teacher's tokens.</summary>
    public AlignedBatch Read(Batch batch, ParallelOptions workers) =>
        new(batch, _text, _endOfText, _masksDocuments, workers);

    /// <summary>Hidden states to align with, one for each of the rows' pairs.</summary>
    /// <returns>[pairs, D′]; the caller owns it.</returns>
    public Tensor States(AlignedRows rows)
    {
        using IDisposable _ = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Device device = _model.Parameters.Device;
        Tensor tokens = tensor(rows.TeacherIds, rows.TeacherIds.Length / rows.Length, rows.Length).to(device);
        return _model
            .HiddenStatesAfter(_layer, tokens, rows.Ranges)
            .index_select(0, tensor(rows.TeacherRows).to(device))
            .MoveToOuterDisposeScope();
    }

    /// <summary>Floating-point operations for a token of a row of that length: the layers that are run, no output head.</summary>
    public double FlopsPerToken(int length) =>
        ModelFlops.ForwardPerToken(Config with { NumHiddenLayers = _layer, VocabSize = 0 }, length);

    /// <summary>Gives the weights back to the system.</summary>
    public void Dispose() => _model.Dispose();
}
