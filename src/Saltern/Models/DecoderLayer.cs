namespace Saltern.Models;

/// <summary>A norm's blocks of weights.</summary>
/// <param name="Weight">[D].</param>
/// <param name="Bias">[D]; null for an RMS norm.</param>
internal readonly record struct NormBlocks(int Weight, int? Bias);

/// <summary>Where the weights of one layer are: indices of their blocks in the <see cref="ParameterSet"/>.</summary>
internal sealed record DecoderLayer
{
    /// <summary>Number of the layer, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>Norm before attention; null for none.</summary>
    public required NormBlocks? AttentionNorm { get; init; }

    /// <summary>Query, key and value projections, [(H + 2G)·A, D].</summary>
    public required int Qkv { get; init; }

    /// <summary>Their biases; null for none.</summary>
    public required int? QkvBias { get; init; }

    /// <summary>Norm of each query head, [A], or of all together, [H·A]; null for none.</summary>
    public required int? QueryNorm { get; init; }

    /// <summary>Norm of each key head, [A], or of all together, [G·A]; null for none.</summary>
    public required int? KeyNorm { get; init; }

    /// <summary>Attention's output projection, [D, H·A].</summary>
    public required int Output { get; init; }

    /// <summary>Its bias; null for none.</summary>
    public required int? OutputBias { get; init; }

    /// <summary>Norm of what attention adds to the residual stream; null for none.</summary>
    public required NormBlocks? AfterAttention { get; init; }

    /// <summary>Norm before the feed-forward layer: attention's own where both branches share one; null for none.</summary>
    public required NormBlocks? FeedForwardNorm { get; init; }

    /// <summary>Gate and up projections, [2F, D]; the up projection alone, [F, D], where there is no gate.</summary>
    public required int GateUp { get; init; }

    /// <summary>Their biases; null for none.</summary>
    public required int? GateUpBias { get; init; }

    /// <summary>Down projection, [D, F].</summary>
    public required int Down { get; init; }

    /// <summary>Its bias; null for none.</summary>
    public required int? DownBias { get; init; }

    /// <summary>Norm of what the feed-forward layer adds to the residual stream; null for none.</summary>
    public required NormBlocks? AfterFeedForward { get; init; }
}
