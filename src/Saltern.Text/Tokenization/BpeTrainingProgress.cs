namespace Saltern.Tokenization;

/// <summary>How far the training of a tokenizer has come.</summary>
/// <param name="PrunedWords">Rare pre-tokens forgotten to bound memory; 0 means that every one counts.</param>
/// <param name="VocabularySize">Ids so far, special tokens included; 0 while text is being read.</param>
internal sealed record BpeTrainingProgress(
    long Documents,
    long TextBytes,
    int DistinctWords,
    long PrunedWords,
    int VocabularySize,
    int TargetVocabularySize
);
