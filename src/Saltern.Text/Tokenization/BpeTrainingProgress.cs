namespace Saltern.Tokenization;

/// <summary>How far the training of a tokenizer has come.</summary>
/// <param name="Documents">Documents read.</param>
/// <param name="TextBytes">Their UTF-8 bytes.</param>
/// <param name="DistinctWords">Distinct pre-tokens held.</param>
/// <param name="PrunedWords">Rare pre-tokens forgotten to bound memory; 0 means that every one counts.</param>
/// <param name="VocabularySize">Ids so far, special tokens included; 0 while text is being read.</param>
/// <param name="TargetVocabularySize">Ids wanted.</param>
public sealed record BpeTrainingProgress(
    long Documents,
    long TextBytes,
    int DistinctWords,
    long PrunedWords,
    int VocabularySize,
    int TargetVocabularySize
);
