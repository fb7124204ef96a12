using System.ComponentModel.DataAnnotations;
using Saltern.Configuration;

namespace Saltern.Batches;

/// <summary>How documents become sequences.</summary>
public enum PackingKind
{
    /// <summary>One stream, cut every T tokens wherever that falls.</summary>
    Stream,

    /// <summary>Best-fit-decreasing (arXiv:2404.10830): a sequence begins with a document and holds whole ones; only documents longer than a sequence are cut.</summary>
    BestFit,
}

/// <summary>What a run reads.</summary>
public sealed record DataConfig
{
    /// <summary>Data set folder, as <c>saltern prepare</c> writes it; or token data that another program wrote: Megatron shards, nanoGPT's or llm.c's files.</summary>
    [Advice("Make one with 'saltern prepare'.")]
    [MinLength(1)]
    [NamesInput]
    public required string Path { get; init; }

    /// <summary>The <c>tokenizer.json</c> that made the tokens, where another program wrote them; a prepared data set has its own and allows none here.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>T, tokens of a training sequence; a sample is one token longer, because every token but the first is a target.</summary>
    [Range(8, 1_048_576)]
    public int SequenceLength { get; init; } = 256;

    /// <summary>Shares of the domains, and a cap on repetition; null for natural size without a cap.</summary>
    public MixtureConfig? Mixture { get; init; }

    /// <summary>How documents become sequences; validation text is the same stream either way.</summary>
    public PackingKind Packing { get; init; }

    /// <summary>Whether attention stays inside documents; the first target of a document, predicted from the one before it, then does not count.</summary>
    public bool MaskDocuments { get; init; }
}
