using Saltern.Batches;
using Saltern.Losses;

namespace Saltern.Evaluation;

/// <summary>Losses of one part of a validation set: a domain, or all.</summary>
internal sealed record EvaluationPart
{
    /// <summary>Sums over the part's targets.</summary>
    public LossSums Sums { get; } = new();

    /// <summary>Σ nll over text tokens, end-of-text left out, nats.</summary>
    public double TextNll { get; set; }

    /// <summary>UTF-8 bytes of the text tokens.</summary>
    public long TextBytes { get; set; }

    /// <summary>How sure the model is of its most likely token, beside how often it is right.</summary>
    public Calibration Calibration { get; } = new();

    /// <summary>Mean loss over all targets, nats per token.</summary>
    public double Loss => Sums.StudentNll / Sums.Positions;

    /// <summary>e^loss.</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Share of targets that the model finds most likely.</summary>
    public double Accuracy => Sums.Correct / (double)Sums.Positions;

    /// <summary>Σ nll of text tokens / (ln 2 · bytes): survives a change of vocabulary.</summary>
    public double BitsPerByte => TextNll / (Math.Log(2) * TextBytes);
}

/// <summary>What an evaluation found.</summary>
/// <param name="Domains">By domain; null where a domain has no target.</param>
/// <param name="Documents">Σ nll of each document of the set, nats.</param>
/// <param name="PositionNll">nll of each position of the set, nats; unset where a position does not count.</param>
internal sealed record EvaluationResult(
    EvaluationPart Total,
    IReadOnlyList<EvaluationPart?> Domains,
    IReadOnlyList<(ValidationDocument Document, double Nll)> Documents,
    float[] PositionNll
);
