using Saltern.FineTuning;
using Saltern.Models;
using Saltern.Tokenization;

namespace Saltern.Serve;

/// <summary>A model with all that answering takes. It is used by one thread at a time.</summary>
/// <param name="EndTokens">Ids that end a text.</param>
/// <param name="Template">How a conversation becomes text; null where nothing says it.</param>
internal sealed record ServedModel(
    Transformer Model,
    BpeTokenizer Tokenizer,
    IReadOnlySet<int> EndTokens,
    ChatTemplate? Template
)
{
    /// <summary>Positions that the model knows.</summary>
    public int Window => Model.Config.MaxPositionEmbeddings;

    /// <summary>Real token ids.</summary>
    public int Vocabulary => Tokenizer.VocabularySize;
}
