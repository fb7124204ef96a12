using Saltern.Batches;
using Saltern.Models;
using TorchSharp;

namespace Saltern.Guidance;

/// <summary>Some samples of a step's batch, as one forward pass is given them.</summary>
/// <param name="Batch">All samples of the step.</param>
/// <param name="Inputs">Their tokens, [rows, T], int64, on the student's device.</param>
internal sealed record BatchRows(Batch Batch, int[] Rows, torch.Tensor Inputs)
{
    /// <summary>What each position attends to; null for causal attention.</summary>
    public AttentionRanges? Ranges
    {
        get
        {
            if (!Batch.HasRanges)
            {
                return null;
            }

            (int[] first, int[] end) = Batch.Ranges(Rows);
            return new AttentionRanges(first, end, Batch.SequenceLength);
        }
    }

    /// <summary>The first of them; their tokens are a view.</summary>
    public BatchRows Take(int count) => new(Batch, Rows[..count], Inputs.narrow(0, 0, count));

    /// <summary>Domain of one of them.</summary>
    public int DomainOf(int index) => Batch.Samples[Rows[index]].Domain;
}
