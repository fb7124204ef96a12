using Saltern.Models;
using Saltern.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.ModelFiles;

/// <summary>How a family's files arrange a weight, against the rows that the decoder has.</summary>
internal enum StoredForm
{
    /// <summary>As the decoder has it.</summary>
    AsIs,

    /// <summary>GPT-NeoX: queries, keys and values head by head, [H, 3, A, D], where the decoder has all queries, all keys, all values, [3, H, A, D].</summary>
    HeadByHead,

    /// <summary>GPT-2: inputs by outputs (Conv1D), where the decoder has outputs by inputs.</summary>
    Transposed,
}

/// <summary>A tensor as a family's files name, shape and arrange it, and the weights of the decoder that it is.</summary>
/// <param name="Name">Its key in the files.</param>
/// <param name="Shape">Its shape in the files.</param>
/// <param name="Offset">First element of its weights in the flat buffer, where they lie one after the other.</param>
/// <param name="Form">How its elements are arranged in the files.</param>
/// <param name="HeadRows">Rows of one head; matters to <see cref="StoredForm.HeadByHead"/> alone.</param>
internal sealed record StoredTensor(string Name, long[] Shape, long Offset, StoredForm Form, int HeadRows)
{
    private const int Projections = 3; // query, key, value

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Elements of one row in the files; pieces that are whole rows can be put where they belong.</summary>
    public int RowLength => Shape.Length == 2 ? (int)Shape[1] : 1;

    /// <summary>The weights as the files have them, [Shape], contiguous; the caller owns it.</summary>
    /// <param name="flat">The decoder's flat buffer of weights, or another in its layout, such as the gradients'.</param>
    public Tensor InFileOrder(Tensor flat)
    {
        using Tensor weights = flat.detach().narrow(0, Offset, Count);
        return Arranged(weights);
    }

    /// <summary>A model's own weights as the files have them, float32 where they are packed; the caller owns it.</summary>
    public Tensor InFileOrder(ParameterSet parameters)
    {
        using Tensor weights = parameters.Wide(Offset, Count);
        using Tensor detached = weights.detach();
        return Arranged(detached);
    }

    private Tensor Arranged(Tensor weights)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor stored = Form switch
        {
            StoredForm.HeadByHead => weights.view(Projections, -1, HeadRows, RowLength).transpose(0, 1).reshape(Shape),
            StoredForm.Transposed => weights.view(Shape[1], Shape[0]).t(),
            _ => weights.view(Shape),
        };
        return stored.contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Puts values from a file where they belong.</summary>
    /// <param name="flat">The decoder's flat buffer of weights.</param>
    /// <param name="at">Index of the first value in the file's tensor; the start of a row.</param>
    /// <param name="values">Whole rows, one after the other; any type.</param>
    public void Fill(Tensor flat, long at, Tensor values)
    {
        using DisposeScope scope = NewDisposeScope();
        Put(flat.narrow(0, Offset, Count), at, values);
    }

    /// <summary>Puts values from a file where they belong.</summary>
    /// <param name="parameters">The decoder's weights; packed ones are rounded to the nearest.</param>
    /// <param name="at">Index of the first value in the file's tensor; the start of a row.</param>
    /// <param name="values">Whole rows, one after the other; any type.</param>
    public unsafe void Fill(ParameterSet parameters, long at, Tensor values)
    {
        using DisposeScope scope = NewDisposeScope();
        bool isPacked = parameters.IsPackedAt(Shape);
        if (isPacked && Form == StoredForm.AsIs)
        {
            Tensor piece = values.to(ScalarType.Float32).contiguous();
            parameters.Store(Offset + at, piece.numel(), (float*)TensorAddress.Of(piece));
            return;
        }

        // Of a packed matrix whose rows lie elsewhere a copy is filled, and kept again.
        Tensor weights = parameters.Wide(Offset, Count);
        Put(weights, at, values);
        if (isPacked)
        {
            parameters.Store(Offset, Count, (float*)TensorAddress.Of(weights));
        }
    }

    private void Put(Tensor weights, long at, Tensor values)
    {
        long first = at / RowLength;
        long rows = values.numel() / RowLength;
        switch (Form)
        {
            case StoredForm.Transposed:
                weights.view(Shape[1], Shape[0]).narrow(1, first, rows).copy_(values.view(rows, RowLength).t());
                break;
            case StoredForm.HeadByHead:
                FillByHead(weights.view(-1, RowLength), first, values.view(rows, RowLength));
                break;
            default:
                weights.narrow(0, at, values.numel()).copy_(values);
                break;
        }
    }

    // Runs of rows that stay together: those of one head's queries, keys or values.
    private void FillByHead(Tensor weights, long first, Tensor rows)
    {
        long heads = Shape[0] / (Projections * HeadRows);
        long end = first + rows.shape[0];
        long row = first;
        while (row < end)
        {
            (long run, long inside) = Math.DivRem(row, (long)HeadRows);
            (long head, long projection) = Math.DivRem(run, (long)Projections);
            long count = Math.Min(HeadRows - inside, end - row);
            weights
                .narrow(0, (((projection * heads) + head) * HeadRows) + inside, count)
                .copy_(rows.narrow(0, row - first, count));
            row += count;
        }
    }
}
