namespace Saltern.Models;

/// <summary>Where the weights of one layer are: indices of their blocks in the <see cref="ParameterSet"/>.</summary>
internal sealed record DecoderLayer
{
    /// <summary>Norm before attention, [D].</summary>
    public required int AttentionNorm { get; init; }

    /// <summary>Its bias, [D]; null for an RMS norm.</summary>
    public required int? AttentionNormBias { get; init; }

    /// <summary>Both of that norm.</summary>
    public NormBlocks AttentionNorms => new(AttentionNorm, AttentionNormBias);

    /// <summary>Query, key and value projections, [(H + 2G)·A, D].</summary>
    public required int Qkv { get; init; }

    /// <summary>Their biases; null for none.</summary>
    public required int? QkvBias { get; init; }

    /// <summary>Norm of each query head, [A]; null for none.</summary>
    public required int? QueryNorm { get; init; }

    /// <summary>Norm of each key head, [A]; null for none.</summary>
    public required int? KeyNorm { get; init; }

    /// <summary>Attention's output projection, [D, H·A].</summary>
    public required int Output { get; init; }

    /// <summary>Its bias; null for none.</summary>
    public required int? OutputBias { get; init; }

    /// <summary>Norm before the feed-forward layer, [D].</summary>
    public required int FeedForwardNorm { get; init; }

    /// <summary>Its bias, [D]; null for an RMS norm.</summary>
    public required int? FeedForwardNormBias { get; init; }

    /// <summary>Both of that norm.</summary>
    public NormBlocks FeedForwardNorms => new(FeedForwardNorm, FeedForwardNormBias);

    /// <summary>Gate and up projections, [2F, D]; the up projection alone, [F, D], where there is no gate.</summary>
    public required int GateUp { get; init; }

    /// <summary>Their biases; null for none.</summary>
    public required int? GateUpBias { get; init; }

    /// <summary>Down projection, [D, F].</summary>
    public required int Down { get; init; }

    /// <summary>Its bias; null for none.</summary>
    public required int? DownBias { get; init; }
}
