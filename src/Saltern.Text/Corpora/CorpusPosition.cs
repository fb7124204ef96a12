namespace Saltern.Corpora;

/// <summary>A place in a corpus, between two documents.</summary>
/// <param name="File">Index of the file in <see cref="CorpusReader.Files"/>.</param>
/// <param name="Record">Records of it that lie before: lines of JSON (empty and broken ones too) or entries of a list, rows, pieces of a text file.</param>
/// <param name="Part">Documents of the last of these records that lie before, where it was split and more of it follow; 0 where it is done.</param>
internal readonly record struct CorpusPosition(int File, long Record, int Part = 0);
