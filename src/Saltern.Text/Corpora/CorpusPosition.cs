namespace Saltern.Corpora;

/// <summary>A place in a corpus, between two documents.</summary>
/// <param name="File">Index of the file in <see cref="CorpusReader.Files"/>.</param>
/// <param name="Record">Records of it that lie before: lines of JSON lines (empty and broken ones too), rows of a Parquet file, pieces of a text file.</param>
internal readonly record struct CorpusPosition(int File, long Record);
