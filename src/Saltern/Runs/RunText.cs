using Saltern.Batches;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Runs;

/// <summary>What a run is trained and measured on, whatever files it came from.</summary>
internal sealed record RunText
{
    // Tokens of a validation document that the model is given to go on from.
    private const int PromptTokens = 24;

    /// <summary>Names of the domains, in the order of the samples' domain index.</summary>
    public required IReadOnlyList<string> Domains { get; init; }

    /// <summary>Stands for the data as a whole.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Text of the tokenizer.json that made the tokens, for the checkpoints: its file may be gone by then.</summary>
    public required string TokenizerJson { get; init; }

    /// <summary>Whether another program made the tokens, so that nothing proves what tokenizer it had.</summary>
    public bool IsUnverified { get; init; }

    /// <summary>Validation text that is evaluated along the run.</summary>
    public required ValidationSet CurveSet { get; init; }

    /// <summary>Validation text that is evaluated after the last step.</summary>
    public required ValidationSet WholeSet { get; init; }

    /// <summary>Beginnings that the final model goes on from, for a person to read.</summary>
    public required IReadOnlyList<int[]> Prompts { get; init; }

    /// <summary>What the result says that the run tries; null for what its recipe says.</summary>
    public string? Arm { get; init; }

    /// <summary>How a conversation becomes text, as Jinja, where the run trains on conversations; else null.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The token that ends a reply in it, where that is not the end of text; else null.</summary>
    public int? EndOfReply { get; init; }

    /// <summary>Text of a data set.</summary>
    /// <param name="config">Sizes of the evaluations.</param>
    /// <exception cref="DataFormatException">There is no validation text.</exception>
    internal static RunText Of(TokenDataset data, RunConfig config, BpeTokenizer tokenizer)
    {
        TokenShard?[] shards = [.. data.Domains.Select(domain => domain.Valid)];
        ValidationSet curveSet = ValidationSet.Create(
            shards,
            config.Data.SequenceLength,
            config.Training.EvaluationTokens,
            wholeDocuments: false,
            tokenizer.EndOfTextId
        );
        ValidationSet wholeSet = ValidationSet.Create(
            shards,
            config.Data.SequenceLength,
            config.Training.FinalEvaluationTokens,
            wholeDocuments: true,
            tokenizer.EndOfTextId
        );
        return new RunText
        {
            Domains = [.. data.Domains.Select(domain => domain.Name)],
            Fingerprint = data.Fingerprint,
            TokenizerJson = File.ReadAllText(data.TokenizerPath),
            IsUnverified = data.IsUnverified,
            CurveSet = curveSet,
            WholeSet = wholeSet,
            Prompts =
            [
                .. curveSet
                    .Documents.Where(document => document.TargetCount > 2 * PromptTokens)
                    .Take(2)
                    .Select(document =>
                        curveSet
                            .Labels.AsSpan((int)document.FirstTarget, PromptTokens)
                            .ToArray()
                            .Select(id => (int)id)
                            .ToArray()
                    ),
            ],
        };
    }
}
